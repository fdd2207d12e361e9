import math

import numpy as np
import pytest
import torch

from deepguard.models.align import aligned, placing, taken
from deepguard.models.embedding import ARCFACE, SPHEREFACE
from deepguard.models.roles import Template

MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))
"""The sample photo's face, as the golden crops were cut."""


def moved(template, angle, scale, shift):
    points = np.array(template.points) @ np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    )
    return tuple(map(tuple, scale * points + np.array(shift)))


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.5])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_turned_grown_and_moved_template_is_found_again_exactly(angle, scale):
    place = placing(moved(ARCFACE, angle, scale, (40, -7)), ARCFACE)
    turn = scale * torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )
    assert torch.allclose(place[:, :2], turn, atol=1e-9)
    assert torch.allclose(place[:, 2], torch.tensor([40.0, -7.0], dtype=torch.float64), atol=1e-9)


def test_a_mirrored_face_is_turned_but_never_mirrored():
    mirrored = tuple((-x, y) for x, y in ARCFACE.points)
    assert torch.linalg.det(placing(mirrored, ARCFACE)[:, :2]) > 0


@pytest.mark.parametrize(
    ("golden", "template"), [("mobilefacenet-foamliu", ARCFACE), ("mobilefacenet-xiaoccer", SPHEREFACE)]
)
def test_crops_equal_the_golden_ones(golden, template, shared, astronaut):
    known = np.load(shared / "models" / "golden" / f"{golden}.npz")
    place = placing(MARKS, template)
    there = torch.cat((place, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)))
    back = torch.linalg.inv(there)[:2]
    np.testing.assert_allclose(back, known["align_matrix"], atol=1e-4, rtol=1e-6)
    crop = aligned(astronaut, MARKS, template)[0] * 255
    # the golden crop was cut with places rounded to a 32nd of a pixel
    difference = (crop - torch.from_numpy(known["input_u8"][0]).float()).abs()
    assert difference.mean() < 0.6
    assert difference.quantile(0.99) < 4


def test_a_template_as_large_as_the_picture_gives_its_pixels_back(rng):
    template = Template(6, 8, ARCFACE.points)
    images = torch.rand(2, 3, 6, 8, generator=rng)
    assert torch.allclose(aligned(images, ARCFACE.points, template), images, atol=1e-6)


def test_what_lies_beyond_the_picture_is_black():
    images = torch.ones(1, 3, 20, 20)
    crop = taken(
        images, torch.tensor([[1.0, 0, -10], [0, 1, 0]], dtype=torch.float64), Template(20, 20, ARCFACE.points)
    )
    assert (crop[..., :9] == 0).all()
    assert torch.allclose(crop[..., 11:], torch.ones(1))


def test_the_gradient_of_a_crop_lies_where_the_face_is(astronaut):
    images = astronaut.clone().requires_grad_()
    aligned(images, MARKS, ARCFACE).square().sum().backward()
    assert (images.grad[..., 80:160, 190:260].abs() > 0).float().mean() > 0.9
    assert (images.grad[..., 300:, :] == 0).all()


def test_landmarks_that_fell_together_give_a_crop_of_one_colour_and_no_error(astronaut):
    crop = aligned(astronaut, ((100.0, 100.0),) * 5, ARCFACE)
    assert crop.isfinite().all()
    assert torch.equal(crop, crop[..., :1, :1].expand_as(crop))
