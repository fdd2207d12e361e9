from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.attack.toys import drawn, faces_at, toy
from tests.prove.proofs import Grey, face
from torch import Tensor

from deepguard.prove.run import reseeded, run
from deepguard.prove.scenario import CONTROLLED, Scenario
from deepguard.types import Face, Progress

SIZE = (192, 256)
FACE = Face(faces_at((96, 80))[0].box, 0.9, face(80, 64, 64).landmarks)


def scenario(protected: Tensor | None = None, **changes: object) -> Scenario:
    original = drawn(SIZE, (96, 80), contrast=0.06)
    arms = {"original": original, "protected": drawn(SIZE) if protected is None else protected, "noise": original}
    plain = Scenario(
        arms,
        (FACE,),
        ("delivered", "jpeg75", "blur"),
        {"toy": toy(256), "blind": toy(48)},
        {"who": Grey()},
        attacked={"toy": True, "who": False},
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_every_arm_is_attacked_in_every_column() -> None:
    measured = run(scenario())
    first, second, combined = measured.detections
    assert (first.detector, first.attacked, second.attacked, combined.detector) == ("toy", True, None, "combined")
    assert first.found["original"] == {"delivered": (True,), "jpeg75": (True,)}
    assert first.found["protected"] == {"delivered": (False,), "jpeg75": (False,), "blur": (False,)}
    assert first.retried == {"original": (True,), "protected": (False,), "noise": (True,)}
    assert second.found["original"]["delivered"] == (False,)
    assert combined.found == first.found


def test_controls_are_shown_to_detectors_in_few_columns_and_to_encoders_in_all() -> None:
    measured = run(scenario())
    assert "blur" not in CONTROLLED
    assert set(measured.detections[0].found["noise"]) == {"delivered", "jpeg75"}
    (likeness,) = measured.likenesses
    assert set(likeness.cosines["noise"]) == {"delivered", "jpeg75", "blur"}
    assert set(likeness.found["noise"]) == {"delivered", "jpeg75"}


def test_the_reference_is_the_original_as_delivered() -> None:
    (likeness,) = run(scenario()).likenesses
    assert (likeness.encoder, likeness.family, likeness.attacked, likeness.threshold) == ("who", "toy", False, None)
    assert likeness.cosines["original"]["delivered"] == (1.0,)
    assert 0.9 < (likeness.cosines["original"]["blur"][0] or 0) < 1
    assert (likeness.cosines["protected"]["delivered"][0] or 0) < 0.5


def test_a_face_that_no_detector_marks_is_compared_at_the_carried_landmarks_only() -> None:
    (likeness,) = run(scenario()).likenesses
    assert likeness.found["original"]["delivered"] == (None,)  # the toy names no landmarks
    (bare,) = run(scenario(faces=(dataclasses.replace(FACE, landmarks=()),))).likenesses
    assert bare.cosines["original"]["delivered"] == (None,)


def test_another_seed_is_tried_in_columns_with_chance_only() -> None:
    (again,) = reseeded(scenario(columns=("delivered", "jpeg75", "grain", "instagram")))
    assert {arm: set(columns) for arm, columns in again.cosines.items()} == {"protected": {"grain", "instagram"}}
    (none,) = reseeded(scenario())
    assert none.cosines == {}


def test_several_faces_are_told_in_order() -> None:
    other = Face(faces_at((16, 16))[0].box, 0.9)
    measured = run(scenario(faces=(other, FACE)))
    assert measured.detections[0].found["original"]["delivered"] == (False, True)
    assert measured.likenesses[0].cosines["original"]["delivered"] == (None, 1.0)


def test_the_same_scenario_gives_the_same_figures() -> None:
    assert run(scenario(columns=("delivered", "grain"))) == run(scenario(columns=("delivered", "grain")))


def test_watching_grows_to_its_end_and_raising_cancels_anywhere() -> None:
    told: list[Progress] = []
    run(scenario(), told.append)
    assert [each.done for each in told] == [*range(10)]
    assert told[-1].done == told[-1].total
    assert told[4].stage == "attacking (protected, jpeg75)"

    def stop(progress: Progress) -> None:
        if progress.done == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(scenario(), stop)


def test_pictures_are_left_as_they_were() -> None:
    wanted = scenario()
    before = {name: images.clone() for name, images in wanted.arms.items()}
    run(wanted)
    assert all(torch.equal(images, before[name]) for name, images in wanted.arms.items())
