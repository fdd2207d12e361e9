"""Copies of crops that lose what was hidden in them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepguard.forensics.purify import COPIES, copies, median, soft_copies


@pytest.fixture
def crops(astronaut: Tensor) -> Tensor:
    return torch.cat((astronaut[..., 0:128, 160:288], astronaut[..., 60:188, 100:228]))


def test_every_copy_has_the_crops_shape_and_differs_from_the_plain_one(crops: Tensor) -> None:
    for made in (copies(crops), soft_copies(crops)):
        assert tuple(made) == COPIES
        assert torch.equal(made["plain"], crops)
        for name in COPIES[1:]:
            assert made[name].shape == crops.shape
            change = (made[name] - crops).abs().mean(dim=(1, 2, 3))
            assert ((change > 0.5 / 255) & (change < 20 / 255)).all(), name


def test_the_soft_copies_are_close_to_the_real_ones(crops: Tensor) -> None:
    real, soft = copies(crops), soft_copies(crops)
    for name in COPIES:
        assert (real[name] - soft[name]).square().mean().sqrt() < 1.5 / 255, name


def test_gradients_pass_through_every_soft_copy(crops: Tensor) -> None:
    for name in COPIES:
        leaf = crops.clone().requires_grad_()
        soft_copies(leaf)[name].square().mean().backward()
        assert leaf.grad is not None
        assert leaf.grad.abs().mean() > 0, name


def test_the_median_is_that_of_nine_pixels(crops: Tensor) -> None:
    padded = torch.nn.functional.pad(crops, (1, 1, 1, 1), mode="replicate")
    expected = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2).median(dim=-1).values
    assert torch.equal(median(crops), expected)


def test_faint_noise_is_weaker_where_pixels_are_mixed(crops: Tensor) -> None:
    noise = torch.randn(crops.shape, generator=torch.Generator().manual_seed(0)).sign() * 4 / 255
    noisy = (crops + noise).clamp(0, 1)
    clean, attacked = copies(crops), copies(noisy)
    left = {name: float((attacked[name] - clean[name]).square().mean().sqrt()) for name in COPIES}
    assert left["small"] < left["median"] < 0.75 * left["plain"]
    assert left["jpeg75"] < left["plain"]


def test_no_crops_make_no_copies() -> None:
    assert all(len(made) == 0 for made in copies(torch.zeros(0, 3, 128, 128)).values())


def test_crops_smaller_than_the_small_side_keep_their_size() -> None:
    assert torch.equal(copies(torch.full((1, 3, 40, 40), 0.5))["small"], torch.full((1, 3, 40, 40), 0.5))
