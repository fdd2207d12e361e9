from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from tests.attack.toys import drawn, toy
from torch import Tensor

from deepguard.attack.budgets import Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import slope
from deepguard.attack.shift import Shift
from deepguard.attack.vanish import Vanish, View
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import Evidence
from deepguard.types import Box, Landmarks

SIZE = (64, 96)
FACE = Box(16, 16, 48, 48)
POINTS: Landmarks = ((26, 28), (38, 28), (32, 34), (27, 41), (37, 41))
WEIGHTS = torch.randn((3, *SIZE), generator=torch.Generator().manual_seed(9))


@dataclass(frozen=True)
class Follower:
    """Finds each box with its logit, all moved by one number of pixels that is linear in the picture."""

    found: tuple[tuple[Box, float], ...]
    points: bool = False
    gain: float = 0.01

    def __call__(self, images: Tensor) -> Evidence:
        shift = self.gain * (WEIGHTS * (images - 0.5)).sum(dim=(1, 2, 3))
        boxes = torch.tensor([(box.left, box.top, box.right, box.bottom) for box, _ in self.found])
        logits = torch.tensor([logit for _, logit in self.found]).expand(len(images), -1)
        marks = torch.tensor(POINTS).expand(len(self.found), -1, -1) + shift[:, None, None, None]
        return Evidence(logits, boxes + shift[:, None, None], marks if self.points else None)


def unmoved() -> torch.Generator:
    """Chance by which the view is met as it is."""
    return torch.Generator().manual_seed(0)


def shifting(
    *found: tuple[Box, float], points: bool = False, faces: tuple[Box, ...] = (FACE,), **more: object
) -> Shift:
    height, width = SIZE
    detector = AnchorDetector(Follower(found, points), sides=(width,), threshold=0.5, overlap=0.3, stride=1)
    picture = torch.full((1, 3, *SIZE), 0.5)
    shares = tuple(
        Box(face.left / width, face.top / height, face.right / width, face.bottom / height) for face in faces
    )
    view = View.of(Box(0, 0, width, height), height, width, 1.0)
    vanish = Vanish(detector, shares, view, picture, torch.zeros_like(picture), SIZE)
    landmarks = tuple(tuple((x / width, y / height) for x, y in POINTS) for _ in faces) if points else ()
    return replace(Shift(vanish, landmarks), **more)


def valued(shift: Shift, moved: float = 0.0) -> float:
    """The value where the follower's boxes are moved by so many pixels."""
    picture = torch.full((1, 3, *SIZE), 0.5) + moved / 0.01 * WEIGHTS / WEIGHTS.square().sum()
    return float(shift(picture, unmoved()))


def test_a_detector_that_says_just_what_is_true_has_the_value_minus_one() -> None:
    assert valued(shifting((FACE, 3.0))) == pytest.approx(-1)
    assert valued(shifting((FACE, 3.0), points=True)) == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("points", [False, True])
def test_the_value_rises_with_the_distance_up_to_the_bound(points: bool) -> None:
    shift = shifting((FACE, 3.0), points=points)
    values = [valued(shift, moved) for moved in (0.0, 1.0, -4.0, 8.0, -12.0)]
    assert values == sorted(values)
    assert len(set(values)) == len(values)
    assert -1 <= values[0] < values[-1] < 0
    assert valued(shift, 17.0) == 0
    assert valued(shift, -20.0) == 0


def test_a_boxs_distance_is_the_mean_of_its_edges_in_sizes_of_the_face() -> None:
    assert valued(shifting((FACE, 3.0)), 4.0) == pytest.approx(-(1 - 4 / 32 / 0.5))
    larger = Box(FACE.left - 4, FACE.top - 4, FACE.right, FACE.bottom)
    assert valued(shifting((larger, 3.0))) == pytest.approx(-(1 - 2 / 32 / 0.5))
    assert valued(shifting((FACE, 3.0), bound=0.25), 4.0) == pytest.approx(-(1 - 4 / 32 / 0.25))


def test_landmarks_count_as_much_as_the_box_by_their_distance() -> None:
    away = (4 + math.hypot(4, 4)) / 2 / 32
    assert valued(shifting((FACE, 3.0), points=True), 4.0) == pytest.approx(-(1 - away / 0.5), abs=1e-4)


def test_anchors_that_are_silent_far_away_or_of_another_size_do_not_count() -> None:
    elsewhere, giant = Box(64, 16, 96, 48), Box(-64, -64, 128, 128)
    assert valued(shifting((FACE, -1.0), (elsewhere, 3.0), (giant, 3.0))) == 0
    alone = valued(shifting((FACE, 3.0)), 2.0)
    assert valued(shifting((FACE, 3.0), (elsewhere, 9.0), (FACE, -1.0)), 2.0) == pytest.approx(alone)


def test_anchors_count_by_their_scores() -> None:
    aside = FACE.moved(8, 8)
    expected = 1 / (1 + 0.5 / torch.tensor(3.0).sigmoid()) + (1 - 8 / 32 / 0.5) / (
        1 + torch.tensor(3.0).sigmoid() / 0.5
    )
    assert valued(shifting((FACE, 3.0), (aside, 0.0))) == pytest.approx(-float(expected))


def test_each_anchor_is_held_against_the_face_that_is_nearest() -> None:
    other = Box(56, 24, 88, 56)
    both = shifting((FACE, 3.0), (other, 3.0), faces=(FACE, other))
    assert valued(both) == pytest.approx(-1)
    assert valued(both, 4.0) == pytest.approx(valued(shifting((FACE, 3.0)), 4.0))


def test_each_image_of_a_batch_has_its_own_value() -> None:
    picture = torch.full((1, 3, *SIZE), 0.5)
    moved = picture + 4 / 0.01 * WEIGHTS / WEIGHTS.square().sum()
    values = shifting((FACE, 3.0))(torch.cat((picture, moved)), unmoved())
    torch.testing.assert_close(values, torch.tensor([-1.0, -0.75]))


def test_scores_are_not_moved() -> None:
    picture = drawn(SIZE, (32, 16))
    vanish = replace(shifting((FACE, 3.0)).vanish, detector=toy(96))
    value, gradient = slope(Shift(vanish), picture, unmoved())  # the toy's boxes stay where they are
    assert float(value) < -0.3
    assert (gradient == 0).all()


@pytest.mark.parametrize("side", [1, -1])
def test_climbing_moves_the_boxes_on_to_the_known_corner_of_the_budget(side: int) -> None:
    picture = torch.full((1, 3, *SIZE), 0.5) + side * 1e-4 * WEIGHTS.sign()
    shift = shifting((FACE, 3.0), points=True)
    radius = 0.05
    change = momentum_ascent(
        lambda change, rng: slope(shift, picture + change, unmoved()),
        torch.zeros_like(picture),
        Linf(torch.full((1, 1, *SIZE), radius)),
        steps=20,
        rng=torch.Generator(),
        heed=lambda step, change: False,
    )
    assert float((change.sign() == side * WEIGHTS.sign()).float().mean()) == 1
    moved = 0.01 * float((WEIGHTS * (picture + change - 0.5)).sum())
    # it ends where it is as far off as matters, or at the corner
    assert abs(moved) >= min(0.99 * 0.01 * radius * float(WEIGHTS.abs().sum()), 0.5 * 32 * 2 / (1 + math.sqrt(2)))


def test_a_detector_that_says_nothing_has_the_value_zero_and_no_slope(rng: torch.Generator) -> None:
    def blind(images: Tensor) -> Evidence:
        return Evidence(images.new_zeros(len(images), 0), images.new_zeros(len(images), 0, 4))

    picture = torch.full((1, 3, *SIZE), 0.5)
    detector = AnchorDetector(blind, sides=(96,), threshold=0.5, overlap=0.3)
    value, gradient = slope(Shift(replace(shifting((FACE, 3.0)).vanish, detector=detector)), picture, rng)
    assert float(value) == 0
    assert (gradient == 0).all()
