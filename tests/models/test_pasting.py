import pytest
import torch

from deepguard.models.align import placing, taken
from deepguard.models.colours import recoloured
from deepguard.models.embedding import ARCFACE
from deepguard.models.pasting import ellipse, inside, pasted

MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))


def test_landmarks_that_were_the_template_lie_on_it_in_the_crop():
    turned = tuple((300 + 2 * y, 100 - 2 * x) for x, y in ARCFACE.points)
    points = inside(placing(turned, ARCFACE), turned)
    assert torch.allclose(points, torch.tensor(ARCFACE.points, dtype=torch.float64), atol=1e-6)


def test_what_is_pasted_where_it_was_taken_is_the_picture_again(astronaut):
    place = placing(MARKS, ARCFACE)
    crop = taken(astronaut, place, ARCFACE)
    again = pasted(astronaut, crop, place, ellipse(ARCFACE))
    assert (again - astronaut).abs().mean() < 1e-3
    assert torch.equal(again[..., 200:, :], astronaut[..., 200:, :])


def test_a_mask_of_nothing_leaves_every_pixel_and_a_full_one_only_those_outside(astronaut):
    place = placing(MARKS, ARCFACE)
    crop = torch.zeros(1, 3, 112, 112)
    assert torch.equal(pasted(astronaut, crop, place, torch.zeros(112, 112)), astronaut)
    full = pasted(astronaut, crop, place, torch.ones(112, 112))
    assert torch.equal(full[..., 300:, :], astronaut[..., 300:, :])
    assert full[..., 125, 224].abs().max() == 0


def test_the_ellipse_covers_the_landmarks_and_nothing_at_the_edge():
    mask = ellipse(ARCFACE)
    assert all(mask[round(y), round(x)] > 0.5 for x, y in ARCFACE.points)
    assert mask[0].max() == 0
    assert mask[:, 0].max() == 0
    assert 0 <= float(mask.min()) <= float(mask.max()) <= 1


@pytest.mark.parametrize("level", [0.2, 0.6])
def test_recoloured_pixels_have_the_mean_and_spread_that_were_wanted(level, rng):
    images = torch.rand(1, 3, 40, 40, generator=rng) * 0.2 + 0.4
    like = torch.rand(1, 3, 40, 40, generator=rng) * 0.3 + level
    mask = torch.zeros(40, 40)
    mask[10:30, 10:30] = 1
    part = recoloured(images, like, mask)[..., 10:30, 10:30]
    wanted = like[..., 10:30, 10:30]
    assert torch.allclose(part.mean(dim=(2, 3)), wanted.mean(dim=(2, 3)), atol=1e-4)
    assert torch.allclose(part.std(dim=(2, 3)), wanted.std(dim=(2, 3)), atol=1e-4)


def test_colours_are_never_stretched_beyond_twofold(rng):
    flat = 0.5 + 0.001 * torch.rand(1, 3, 16, 16, generator=rng)
    result = recoloured(flat, torch.rand(1, 3, 16, 16, generator=rng), torch.ones(16, 16))
    assert result.std() < 2.1 * flat.std() + 0.1
