from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepguard.attack.drop import BLOCK, COARSEST, Drop


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(1, 3, 21, 30, generator=torch.Generator().manual_seed(0))


def everywhere(picture: Tensor) -> Tensor:
    return torch.ones(1, 1, *picture.shape[-2:])


def table(value: float) -> Tensor:
    return torch.full((3, BLOCK, BLOCK), value)


def test_a_table_of_zeros_leaves_the_picture_as_it_is(picture: Tensor) -> None:
    torch.testing.assert_close(Drop(picture, everywhere(picture)).over(table(0)), picture, atol=1e-5, rtol=0)


def test_coarser_steps_drop_more(picture: Tensor) -> None:
    drop = Drop(picture, everywhere(picture))
    errors = [float((drop.over(table(value)) - picture).abs().mean()) for value in (0.02, 0.2, 1.0)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_every_cosine_is_a_whole_number_of_steps(picture: Tensor) -> None:
    grey = picture[:, :, :16, :24].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) * 0.5 + 0.25
    images = Drop(grey, torch.ones(1, 1, 16, 24)).over(table(0.5))
    again = Drop(images, torch.ones(1, 1, 16, 24)).over(table(0.5))
    torch.testing.assert_close(again, images, atol=2e-3, rtol=0)


def test_only_the_mask_changes(picture: Tensor) -> None:
    mask = everywhere(picture)
    mask[..., :10] = 0
    images = Drop(picture, mask).over(table(1))
    assert torch.equal(images[..., :10], picture[..., :10])
    assert not torch.equal(images[..., 10:], picture[..., 10:])


def test_grey_stays_grey(picture: Tensor) -> None:
    grey = picture.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    images = Drop(grey, everywhere(grey)).over(table(1))
    torch.testing.assert_close(images[:, 0], images[:, 1], atol=1e-4, rtol=0)


def test_the_gradient_says_what_a_larger_step_does_between_two_jumps() -> None:
    # one block whose only cosine is the constant one: 8 x the mean level
    level = torch.full((1, 3, 8, 8), 100.0 / 255)
    leaf = table(0.3).requires_grad_()
    value = Drop(level, torch.ones(1, 1, 8, 8)).over(leaf).mean()
    (gradient,) = torch.autograd.grad(value, leaf)
    step = 1 + 0.3 * (COARSEST - 1)
    ratio = 800 / step
    expected = (round(ratio) - ratio) * (COARSEST - 1) / 8 / 255
    torch.testing.assert_close(float(gradient[0, 0, 0]), expected, atol=1e-6, rtol=1e-3)
