"""Faces as crops: where they are cut, how they are turned, and what lies beyond the picture."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from deepguard.models.crop import FACE, LEVEL, cut, shown, square
from deepguard.models.roles import CropSpec
from deepguard.types import Box, Face, Landmarks

SPEC = CropSpec(side=64, margin=0.0)
FRONT: Landmarks = ((-20.0, -15.0), (20.0, -15.0), (0.0, 5.0), (-14.0, 22.0), (14.0, 22.0))
"""Landmarks of a face that looks ahead, around its middle."""
SIDE: Landmarks = ((18.0, -15.0), (20.0, -12.0), (30.0, 5.0), (14.0, 22.0), (16.0, 22.0))
"""Those of a face from the side, whose eyes lie side by side and not quite level."""


def turned(points: Landmarks, degrees: float, middle: float = 100.0) -> Landmarks:
    """The points turned clockwise as seen, around the middle of the picture."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((middle + cos * x - sin * y, middle + sin * x + cos * y) for x, y in points)


def picture(points: Landmarks, degrees: float, size: int = 200) -> Tensor:
    """Blots where the landmarks are: red at the left eye, green at the right one, blue at the mouth's corners."""
    rows, columns = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    image = torch.zeros(1, 3, size, size)
    for channel, (x, y) in zip((0, 1, None, 2, 2), turned(points, degrees), strict=True):
        if channel is not None:
            image[0, channel] += torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)
    return image


def place(crops: Tensor, channel: int) -> tuple[float, float]:
    """Where a channel's blots are in the crop, as x and y around its middle, in shares of its side."""
    weight = crops[0, channel] / crops[0, channel].sum()
    at = (torch.arange(crops.shape[-1]) + 0.5) / crops.shape[-1] - 0.5
    return float((weight.sum(0) * at).sum()), float((weight.sum(1) * at).sum())


def face(points: Landmarks = (), half: float = 50.0) -> Face:
    return Face(Box(100 - half, 100 - half, 100 + half, 100 + half), 1.0, points)


ALIGNED = CropSpec(side=64, margin=0.0, aligned=True)


def test_an_aligned_face_has_one_size_whatever_its_box_and_its_picture() -> None:
    whole = shown(face(turned(FRONT, 0)), ALIGNED)
    # eyes 40 apart, and 37 above the mouth: the larger of both counts, around their middle
    assert (whole.width, whole.height) == pytest.approx((FACE * 40, FACE * 40))
    assert ((whole.left + whole.right) / 2, (whole.top + whole.bottom) / 2) == pytest.approx((100.0, 103.5))
    assert shown(face(turned(FRONT, 0), half=20), ALIGNED) == whole
    twice = shown(Face(Box(0, 0, 9, 9), 1.0, tuple((2 * x, 2 * y) for x, y in turned(FRONT, 0))), ALIGNED)
    assert twice.width == pytest.approx(2 * whole.width)


def test_an_aligned_face_from_the_side_is_measured_from_eyes_to_mouth() -> None:
    assert shown(face(turned(SIDE, 0)), ALIGNED).width == pytest.approx(FACE * math.dist((19, -13.5), (15, 22)))


def test_a_face_without_landmarks_is_cut_by_its_box() -> None:
    assert shown(face(), ALIGNED) == square(face().box, 0.0)
    assert shown(face(turned(FRONT, 0)), SPEC) == square(face().box, 0.0)


def test_margin_is_added_to_an_aligned_face_on_every_side() -> None:
    near = shown(face(turned(FRONT, 0)), ALIGNED)
    far = shown(face(turned(FRONT, 0)), CropSpec(64, 0.25, aligned=True))
    assert far.width == pytest.approx(1.5 * near.width)
    assert near.left - far.left == pytest.approx(far.right - near.right)


@pytest.mark.parametrize("degrees", [-170, -90, -40, -16, 16, 40, 90, 170])
def test_a_turned_face_stands_upright_in_its_crop(degrees: float) -> None:
    crop = cut(picture(FRONT, degrees), [face(turned(FRONT, degrees))], SPEC)
    assert crop.shape == (1, 3, 64, 64)
    assert place(crop, 0) == pytest.approx((-0.2, -0.15), abs=0.01)
    assert place(crop, 1) == pytest.approx((0.2, -0.15), abs=0.01)
    assert place(crop, 2) == pytest.approx((0.0, 0.22), abs=0.01)


@pytest.mark.parametrize("degrees", [-0.9 * LEVEL, 0.0, 0.9 * LEVEL])
def test_a_face_that_is_nearly_level_stays_as_it_is(degrees: float) -> None:
    image = picture(FRONT, degrees)
    assert torch.equal(cut(image, [face(turned(FRONT, degrees))], SPEC), cut(image, [face()], SPEC))


def test_a_face_from_the_side_is_not_turned_by_eyes_that_lie_close_together() -> None:
    image = picture(SIDE, 0)
    assert torch.equal(cut(image, [face(turned(SIDE, 0))], SPEC), cut(image, [face()], SPEC))
    lying = cut(picture(SIDE, 60), [face(turned(SIDE, 60))], SPEC)
    assert place(lying, 2) == pytest.approx((0.15, 0.22), abs=0.12)


def test_a_turned_crop_shows_as_much_as_an_upright_one() -> None:
    plain = torch.full((1, 3, 200, 200), 0.2)
    plain[..., 50:150, 50:150] = 0.8
    upright = cut(plain, [face()], CropSpec(100, 0.5))
    right_angle = cut(plain, [face(turned(FRONT, 90))], CropSpec(100, 0.5))
    assert float((right_angle - upright).abs().mean()) < 0.005


def test_a_crop_is_the_square_around_the_box_with_its_margin() -> None:
    assert square(Box(10, 20, 30, 60), 0.25) == Box(-10, 10, 50, 70)
    image = torch.arange(200.0).expand(1, 3, 200, 200) / 200
    crop = cut(image, [Face(Box(40, 60, 60, 100), 1.0)], CropSpec(60, 0.25))
    assert torch.equal(crop, image[..., :60, 20:80])


@pytest.mark.parametrize(
    ("box", "column", "row"),
    [
        (Box(-30, 50, 10, 90), 0, 70),
        (Box(190, 50, 230, 90), 199, 70),
        (Box(-300, -300, -200, -200), 0, 0),
        (Box(400, 60, 500, 160), 199, 110),
        (Box(60, 400, 160, 500), 110, 199),
    ],
)
def test_where_the_picture_ends_its_edge_goes_on_also_beside_it(box: Box, column: int, row: int) -> None:
    image = torch.stack(torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij"))
    image = torch.cat([image, torch.zeros(1, 200, 200)])[None] / 200
    crop = cut(image, [Face(box, 1.0)], SPEC)
    assert bool(torch.isfinite(crop).all())
    edge = crop[0, :2, 32, 0 if column == 0 else -1 if column == 199 else 32] * 200
    assert edge.tolist() == pytest.approx([row, column], abs=1)


def test_a_box_without_area_is_still_a_crop() -> None:
    image = torch.rand(1, 3, 50, 60, generator=torch.Generator().manual_seed(0))
    crops = cut(image, [Face(Box(10, 10, 10, 10), 1.0), Face(Box(30, 30, 20, 20), 1.0)], SPEC)
    assert crops.shape == (2, 3, 64, 64)
    assert bool(torch.isfinite(crops).all())


def test_no_face_is_no_crop_and_grey_stays_grey() -> None:
    image = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0)).expand(1, 3, 200, 200)
    assert cut(image, [], SPEC).shape == (0, 3, 64, 64)
    crop = cut(image, [face(turned(FRONT, 30))], SPEC)
    assert torch.equal(crop[:, 0], crop[:, 1])


@pytest.mark.parametrize("points", [(), turned(FRONT, 30)])
def test_gradients_reach_the_picture(points: Landmarks) -> None:
    image = torch.rand(1, 3, 120, 120, requires_grad=True)
    cut(image, [Face(Box(-20, -20, 80, 80), 1.0, points)], SPEC).sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert float(image.grad[..., :40, :40].abs().min()) > 0
    assert float(image.grad[..., 110:, 110:].abs().max()) == 0
