from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.cascade import SILENT, Candidates, averaged, crops, summed, survivors
from deepguard.types import Box


def candidates(boxes: Tensor) -> Candidates:
    margin = torch.arange(float(len(boxes)))[None]
    return Candidates(margin, margin, boxes[None], torch.zeros(1, len(boxes), 4), torch.zeros(1, len(boxes), 5, 2))


def test_crops_are_the_exact_means_of_their_pixels(rng: torch.Generator) -> None:
    image = torch.rand(1, 3, 40, 50, generator=rng)
    boxes = torch.tensor([[[4.0, 8.0, 28.0, 32.0], [10.0, 2.0, 46.0, 38.0]]])
    cut = crops(summed(image), boxes, 12)
    assert torch.allclose(cut[0], functional.avg_pool2d(image[0, :, 8:32, 4:28], 2), atol=1e-6)
    assert torch.allclose(cut[1], functional.avg_pool2d(image[0, :, 2:38, 10:46], 3), atol=1e-6)


def test_a_crop_beyond_the_edge_is_grey_outside() -> None:
    crop = crops(summed(torch.ones(1, 3, 10, 10)), torch.tensor([[[-6.0, -6.0, 6.0, 6.0]]]), 12)
    assert torch.allclose(crop[0, :, 6:, 6:], torch.ones(3, 6, 6), atol=1e-6)
    assert crop[0, :, :6].abs().max() < 1e-6
    assert crop[0, :, :, :6].abs().max() < 1e-6


def test_sums_reach_every_pixel_with_a_gradient_of_its_own() -> None:
    image = torch.rand(1, 3, 4, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(summed(image)[..., 2, 3].sum(), image)
    expected = torch.zeros(1, 3, 4, 5)
    expected[..., :2, :3] = 1
    assert torch.equal(gradient, expected)


def test_means_of_rectangles_are_those_of_area_resizing(rng: torch.Generator) -> None:
    image = torch.rand(2, 3, 31, 44, generator=rng)
    rows, columns = torch.arange(13), torch.arange(19)
    edges = [
        (index * side // count, -(-(index + 1) * side // count))
        for index, side, count in ((rows, 31, 13), (columns, 44, 19))
    ]
    level = functional.interpolate(image, size=(13, 19), mode="area")
    assert torch.allclose(averaged(summed(image), *edges), level, atol=1e-6)


def test_suppression_keeps_the_best_of_boxes_that_overlap() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [2, 2, 6, 6]]).float()
    assert survivors(boxes, 0.5, nested=False).tolist() == [0, 2, 3]
    assert survivors(boxes, 0.5, nested=True).tolist() == [0, 2]
    assert survivors(boxes[:0], 0.5, nested=False).tolist() == []


@pytest.mark.parametrize("nested", [False, True])
def test_a_crowd_is_suppressed_as_one_after_the_other_would_be(rng: torch.Generator, nested: bool) -> None:
    corners = torch.rand(700, 2, generator=rng) * 100
    boxes = torch.cat((corners, corners + 5 + 30 * torch.rand(700, 2, generator=rng)), dim=1)
    kept: list[int] = []
    for place, box in enumerate(boxes):
        if not any(share(box, boxes[other], nested) > 0.5 for other in kept):
            kept.append(place)
    assert survivors(boxes, 0.5, nested=nested).tolist() == kept


def share(one: Tensor, other: Tensor, nested: bool) -> float:
    """The common area as a share of the union, or of the smaller box."""
    first, second = Box(*one.tolist()), Box(*other.tolist())
    common = first.intersection(second).area
    return common / min(first.area, second.area) if nested else first.overlap(second)


def test_candidates_away_from_the_faces_asked_for_are_silent() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [19, 0, 29, 10], [26, 0, 36, 10], [0, 90, 10, 100]])
    near = candidates(boxes).near([Box(0, 0, 10, 10), Box(2, 88, 12, 98)])
    assert near.margin.tolist() == [[0.0, SILENT, SILENT, 3.0]]


def test_candidates_are_resized_with_their_landmarks() -> None:
    scaled = candidates(torch.tensor([[3.0, 4, 13, 24]])).scaled((2.0, 0.5))
    assert scaled.boxes.tolist() == [[[6.0, 2.0, 26.0, 12.0]]]
    assert scaled.points[0, 0, 0].tolist() == [0.0, 0.0]
