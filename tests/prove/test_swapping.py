from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tests.prove.proofs import Grey, face, proof
from torch import Tensor

from deepguard.models.swappers.roles import swappers
from deepguard.models.thresholds import Thresholds
from deepguard.prove import swapping
from deepguard.prove.bench import Attempt, Bench
from deepguard.prove.run import Measured, run
from deepguard.prove.scenario import Scenario
from deepguard.prove.swapping import cidr, failures, lost
from deepguard.prove.views import clip_of, sheets_of
from deepguard.types import Face, Progress, Watch, ignore

KNOWN = Thresholds(0.4, 0.5, 0.99, 0.98, {}, {})


class Trained:
    """A swapper that has to be trained, which takes three steps that are told."""

    def __init__(self, warp: object) -> None:
        self.source, self.target, self.steps = warp.source, warp.target, 3  # type: ignore[attr-defined]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Bench, Face | None, str]]:
    """What was attempted; the swap's cosine is the mean brightness of the victim's picture."""
    calls: list[tuple[Bench, Face | None, str]] = []

    def attempt(
        bench: Bench, victim: Tensor, found: Face | None, *, show: str = "nothing", watch: Watch = ignore
    ) -> Attempt:
        calls.append((bench, found, show))
        for step in range(bench.swapper.steps):
            watch(Progress("training", step, 3))
        return Attempt(found is not None, {name: float(victim.mean()) for name in bench.judges})

    monkeypatch.setattr(swapping, "attempt", attempt)
    monkeypatch.setattr(swapping, "thresholds", lambda name: KNOWN if name == "who" else None)
    return calls


def scenario(trained: bool = False, **changes: object) -> Scenario:
    warp = swappers.create("warp", None, torch.device("cpu"))  # type: ignore[arg-type]
    arms = {
        name: torch.full((1, 3, 150, 150), level)
        for name, level in (("original", 0.6), ("protected", 0.2), ("noise", 0.5))
    }
    values: dict[str, object] = {
        "arms": arms,
        "faces": (face(), face(20, 20, 80, marks=False)),
        "columns": ("delivered", "jpeg75"),
        "detectors": {},
        "encoders": {"who": Grey(), "unknown": Grey()},
        "swappers": {"own": Trained(warp) if trained else warp},
        "swapped": ("delivered", "jpeg75"),
        **changes,
    }
    return Scenario(**values)  # type: ignore[arg-type]


def test_swaps_of_all_arms_are_held_against_the_originals(tried: list[object]) -> None:
    (row,) = run(scenario()).swaps
    assert (row.swapper, row.counterpart, row.steps) == ("own", "hopper", 0)
    assert row.cosines["original"]["delivered"]["who"] == pytest.approx((0.6, 0.6))
    assert row.cidr["protected"]["delivered"]["who"] == pytest.approx((0.5, 0.5))
    assert row.cidr["noise"]["delivered"]["who"] == pytest.approx((0.2, 0.2))
    assert set(row.cidr) == {"protected", "noise"}
    share = row.failures["protected"]["delivered"]["who"]
    assert share is not None
    assert (share.count, share.of) == (2, 2)
    assert row.failures["protected"]["delivered"]["unknown"] is None
    noise = row.failures["noise"]["jpeg75"]["who"]
    assert noise is not None
    assert (noise.count, noise.of) == (0, 2)


def test_an_attacker_whose_detectors_are_blind_marks_the_face_by_hand(
    tried: list[tuple[Bench, Face | None, str]],
) -> None:
    (row,) = run(scenario()).swaps
    assert row.failed_extraction["protected"]["delivered"] == (True, True)
    assert all(found is not None for _, found, _ in tried)


def test_a_swapper_that_is_trained_works_on_delivered_pictures_and_tells_its_steps(tried: list[object]) -> None:
    told: list[Progress] = []
    (row,) = run(scenario(trained=True), told.append).swaps
    assert row.steps == 3
    assert {column for columns in row.cosines.values() for column in columns} == {"delivered"}
    assert [each.done for each in told if each.stage == "swapping (own, protected)"] == [0, 1, 2, 0, 1, 2]


def test_cancelling_in_the_middle_of_a_training_stops_the_proof(tried: list[object]) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage.startswith("swapping") and progress.done == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(scenario(trained=True), stop)
    assert len(tried) == 1


def test_all_arms_meet_the_same_chance_and_what_is_shown_is_asked_for(
    tried: list[tuple[Bench, Face | None, str]],
) -> None:
    measured = run(scenario(seed=5, show="tile"))
    assert {bench.seed for bench, *_ in tried} == {5}
    assert [show for *_, show in tried].count("tile") == 2  # the largest face as delivered, of two arms
    assert len(measured.shown["own"]["noise"]["jpeg75"]) == 2


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0.6, 0.2, 0.5),
        (0.6, 0.6, 0.0),
        (0.6, 0.9, 0.0),
        (0.6, 1.0, 0.0),
        (0.6, -0.6, 0.75),
        (None, 0.2, None),
        (0.6, None, None),
    ],
)
def test_cidr_is_the_identity_lost_beyond_the_swappers_own_loss(
    before: float | None, after: float | None, expected: float | None
) -> None:
    assert cidr(before, after) == (None if expected is None else pytest.approx(expected))


def test_only_faces_whose_original_swap_matched_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swapping, "thresholds", lambda name: KNOWN)
    cosines: Mapping[str, Mapping[str, Mapping[str, tuple[float | None, ...]]]] = {
        "original": {"delivered": {"who": (0.6, 0.3, None, 0.5)}},
        "protected": {"delivered": {"who": (0.1, 0.1, 0.1, None)}, "half": {"who": (0.1,) * 4}},
    }
    share = failures(cosines)["protected"]["delivered"]["who"]
    assert share is not None
    assert (share.count, share.of) == (2, 2)
    assert set(lost(cosines)["protected"]) == {"delivered"}


def test_the_warp_swapper_is_judged_on_a_real_face(astronaut: Tensor, tmp_path: Path) -> None:
    warp = swappers.create("warp", None, torch.device("cpu"))  # type: ignore[arg-type]
    arms = dict.fromkeys(("original", "protected", "noise"), astronaut[..., :300, 100:350])
    measured = run(
        Scenario(arms, (face(75, 60, 100),), ("delivered",), {}, {"who": Grey()}, {"warp": warp}, counterpart="hopper")
    )
    assert measured.swaps[0].cidr["protected"]["delivered"]["who"] == (0.0,)
    assert measured.shown["warp"]["original"]["delivered"][0].tile is None


def test_the_sheet_is_of_the_largest_face_in_both_languages(astronaut: Tensor) -> None:
    warp = swappers.create("warp", None, torch.device("cpu"))  # type: ignore[arg-type]
    arms = dict.fromkeys(("original", "protected", "noise"), astronaut[..., :300, 100:350])
    faces = (face(0, 0, 40), face(75, 60, 100))
    scenario = Scenario(arms, faces, ("delivered",), {}, {}, {"warp": warp}, show="tile")
    measured = run(scenario)
    small, large = measured.shown["warp"]["protected"]["delivered"]
    assert small.tile is None
    assert large.tile is not None
    made = dataclasses.replace(proof(), faces=faces, swaps=measured.swaps, likenesses=(), detections=())
    drawn = sheets_of(made, scenario, measured)
    assert set(drawn) == {"ko", "en"}
    assert all(data.startswith(b"\x89PNG") for data in drawn.values())


def test_the_clip_is_of_the_first_swapper(astronaut: Tensor) -> None:
    arms = dict.fromkeys(("original", "protected", "noise"), astronaut[..., :300, 100:350])
    scenario = Scenario(arms, (face(75, 60, 100),), ("delivered",), {}, {}, show="clip")
    frames = torch.rand(2, 3, 360, 360)
    shown = {arm: {"delivered": (Attempt(True, {}, None, frames),)} for arm in arms}
    made = clip_of(scenario, Measured((), (), (), {"warp": shown}))
    assert made is not None
    assert made[4:8] == b"ftyp"
    assert clip_of(scenario, Measured((), (), ())) is None
