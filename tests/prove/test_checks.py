from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from tests.attack.toys import drawn, faces_at, toy
from tests.prove.proofs import Grey, detection, face, recognition
from torch import Tensor

from deepguard.prove.checks import checks
from deepguard.prove.proof import Check, Detection, Recognition
from deepguard.prove.run import Measured
from deepguard.prove.scenario import Scenario
from deepguard.types import Face

FACE = Face(faces_at((96, 80))[0].box, 0.9, face(80, 64, 64).landmarks)
JUDGE = recognition("judge", attacked=False, family="other", protected=0.3)


@dataclasses.dataclass(frozen=True)
class Flat(Grey):
    """An encoder that gives an attack no direction."""

    def embed(self, crops: Tensor) -> Tensor:
        return super().embed(crops).detach() + 0 * crops.sum(dim=(1, 2, 3))[:, None]


def answers(
    *rows: Detection,
    likenesses: tuple[Recognition, ...] = (recognition(), JUDGE),
    again: tuple[Recognition, ...] | None = None,
    encoder: Grey | None = None,
    files: Mapping[str, Mapping[str, str]] | None = None,
    attacked: Mapping[str, bool | None] | None = None,
) -> dict[str, Check]:
    scenario = Scenario(
        arms={"original": drawn((192, 256), (96, 80)), "protected": drawn((192, 256)), "noise": drawn((192, 256))},
        faces=(FACE,),
        columns=("delivered",),
        detectors={"one": toy(256)},
        encoders={"who": encoder or Grey(), "judge": Grey()},
        attacked={"one": True, "who": True, "judge": False} if attacked is None else attacked,
    )
    detections = rows or (detection(), detection("held", attacked=False))
    found = checks(scenario, Measured(detections, likenesses, ()), likenesses if again is None else again, files or {})
    return {each.code: each for each in found}


def test_a_sound_proof_passes_every_question() -> None:
    assert {each.code: each.passed for each in answers().values()} == dict.fromkeys(answers(), True)
    assert len(answers()) == 9


def test_a_detector_that_never_saw_the_face_proves_nothing() -> None:
    check = answers(detection(original=False), detection("held", attacked=False))["original_found"]
    assert check.passed is False
    assert "see no face in the original either" in check.text
    assert "one" in check.text


def test_an_original_that_is_not_matched_is_named() -> None:
    check = answers(likenesses=(recognition(original=0.3), JUDGE))["original_matched"]
    assert check.passed is False
    assert "who (delivered), who (jpeg75)" in check.text
    assert answers(likenesses=(recognition(threshold=None),))["original_matched"].passed is None


def test_noise_that_scores_breaks_the_measure() -> None:
    check = answers(detection(noise=False), likenesses=(recognition(noise=0.2), JUDGE))["noise"]
    assert check == Check(
        "noise",
        False,
        "random noise of the same size hides 2 of 3: what is measured here is not the protection alone",
    )


def test_a_shelf_with_surrogates_only_is_said_and_not_hidden() -> None:
    found = answers(detection(), likenesses=(recognition(),))
    assert found["judge_detectors"].passed is False
    assert "all detectors here were attacked" in found["judge_detectors"].text
    assert found["judge_encoders"].passed is False
    assert "all encoders here were attacked" in found["judge_encoders"].text
    assert found["judge_is_surrogate"].passed is None
    assert found["black_box"].passed is None


def test_without_encoders_nothing_is_claimed_of_identity() -> None:
    found = answers(likenesses=())
    assert (
        found["judge_encoders"].text == "none of the encoders is on the shelf, so that nothing is told of what they see"
    )
    assert found["randomness"].passed is None
    assert found["original_matched"].passed is None


def test_who_was_attacked_may_be_unknown() -> None:
    found = answers(
        detection(attacked=None), likenesses=(recognition(attacked=None),), attacked={"one": None, "who": None}
    )
    assert {found[code].passed for code in ("judge_detectors", "judge_encoders", "gradients", "black_box")} == {None}
    assert "give the report of the protection with --report" in found["judge_encoders"].text


def test_a_judge_with_the_file_of_an_attacked_one_is_no_judge() -> None:
    files = {"who": {"a.onnx": "a" * 64}, "judge": {"b.onnx": "a" * 64}}
    check = answers(files=files)["judge_is_surrogate"]
    assert (check.passed, check.text) == (False, "these judge and were attacked under another name: judge")


def test_judges_of_attacked_families_only_are_said() -> None:
    relative = dataclasses.replace(JUDGE, family="toy")
    check = answers(likenesses=(recognition(), relative))["judge_is_surrogate"]
    assert check.passed is False
    assert "of a family that was attacked" in check.text


def test_a_black_box_that_is_fooled_more_is_odd() -> None:
    fooled = recognition("judge", attacked=False, family="other", protected=-0.2)
    check = answers(likenesses=(recognition(), fooled))["black_box"]
    assert check.passed is False
    assert "fooled more than those that were" in check.text


def test_an_attacked_model_without_a_direction_is_named() -> None:
    check = answers(encoder=Flat())["gradients"]
    assert check.passed is False
    assert check.text.endswith(": who")


@pytest.mark.parametrize(("change", "passed"), [(0.02, True), (0.2, False)])
def test_another_seed_may_change_little(change: float, passed: bool) -> None:
    rows = recognition(), JUDGE
    again = (recognition(protected=0.1 + change), JUDGE)
    check = answers(likenesses=rows, again=again)["randomness"]
    assert check.passed is passed
    assert f"{change:.2f}" in check.text


def test_the_same_proof_gives_the_same_answers() -> None:
    assert answers() == answers()
