import io
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.transforms.jpeg import CHROMA, LUMA, Jpeg, compressed, steps


def real(images: Tensor, quality: int) -> Tensor:
    pixels = (images[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None].float() / 255


def decibels(one: Tensor, other: Tensor) -> float:
    return float(-10 * torch.log10((one - other).square().mean() + 1e-12))


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 100])
@pytest.mark.parametrize(("straight_through", "least"), [(True, 46.0), (False, 42.5)])
def test_it_looks_like_pillows_jpeg(astronaut: Tensor, quality: int, straight_through: bool, least: float) -> None:
    photo = astronaut[..., :401, :387]
    mine = compressed(photo, [quality], straight_through=straight_through)
    expected = real(photo, quality)
    assert decibels(mine, expected) >= least
    # the likeness is no mere likeness of the photo to itself
    assert decibels(mine, expected) >= decibels(photo, expected) + 8


@pytest.mark.parametrize("size", [(17, 33), (16, 16), (15, 48), (40, 9)])
def test_sizes_that_fill_no_block_look_like_pillows_too(astronaut: Tensor, size: tuple[int, int]) -> None:
    photo = astronaut[..., 60 : 60 + size[0], 190 : 190 + size[1]]
    assert decibels(compressed(photo, [75]), real(photo, 75)) >= 42


@pytest.mark.parametrize("quality", [1, 30, 75, 95, 100])
def test_the_quantiser_steps_are_those_that_pillow_writes(quality: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", quality=quality)
    written = Image.open(file).quantization
    assert [list(map(float, written[0])), list(map(float, written[1]))] == [
        steps(LUMA, quality),
        steps(CHROMA, quality),
    ]


@pytest.mark.parametrize("straight_through", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (37, 50)])
def test_size_and_range_are_kept_and_the_gradient_is_alive(
    rng: torch.Generator, size: tuple[int, int], straight_through: bool
) -> None:
    images = torch.rand((2, 3, *size), generator=rng).requires_grad_()
    result = Jpeg(30, 95, straight_through)(images, rng)
    (gradient,) = torch.autograd.grad((result * torch.rand(result.shape, generator=rng)).sum(), images)
    assert result.shape == images.shape
    assert result.detach().min() >= 0
    assert result.detach().max() <= 1
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


def test_the_soft_gradient_is_the_derivative_of_the_soft_result() -> None:
    images = torch.rand((1, 3, 9, 8), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.6 + 0.2
    assert torch.autograd.gradcheck(
        lambda values: compressed(values, [60], straight_through=False), images.requires_grad_(), eps=1e-7, atol=1e-4
    )


def test_a_straight_gradient_passes_brightness_whole(astronaut: Tensor) -> None:
    images = astronaut[..., 100:148, 100:148].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(compressed(images, [40]).sum(), images)
    assert torch.allclose(gradient, torch.ones_like(gradient), atol=1e-4)


def test_the_same_seed_gives_the_same_pictures_and_another_gives_others(astronaut: Tensor) -> None:
    photo = astronaut[..., :64, :64]
    first, again, other = (Jpeg(10, 95)(photo, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_image_has_a_quality_of_its_own(astronaut: Tensor) -> None:
    photo = astronaut[..., 60:124, 190:254]
    coarse, fine = compressed(torch.cat((photo, photo)), [10, 95])
    assert torch.equal(coarse[None], compressed(photo, [10]))
    assert torch.equal(fine[None], compressed(photo, [95]))


@pytest.mark.parametrize(("lowest", "highest"), [(0, 50), (80, 70), (90, 101)])
def test_a_range_that_is_none_is_refused(lowest: int, highest: int) -> None:
    with pytest.raises(OptionError, match="1 to 100"):
        Jpeg(lowest, highest)


def test_a_step_of_an_attack_can_afford_it(astronaut: Tensor) -> None:
    # about 12 ms on one free core; the bound leaves room for a busy machine
    images = astronaut[..., :400, :400].clone().requires_grad_()
    best = min(_seconds(images) for _ in range(5))
    assert best < 0.25


def _seconds(images: Tensor) -> float:
    start = time.perf_counter()
    torch.autograd.grad(compressed(images, [75]).sum(), images)
    return time.perf_counter() - start
