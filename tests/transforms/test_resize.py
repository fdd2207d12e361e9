import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.transforms.resize import KERNELS, Kernel, Rescale, Resize, by_lanczos, resized, scaled

PILLOW = {
    "antialiased-bilinear": Image.Resampling.BILINEAR,
    "antialiased-bicubic": Image.Resampling.BICUBIC,
    "antialiased-lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("size", [(200, 301), (600, 540)])
def test_antialiased_kernels_agree_with_pillow(astronaut: Tensor, kernel: Kernel, size: tuple[int, int]) -> None:
    pixels = (astronaut[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    expected = np.array(Image.fromarray(pixels).resize(size[::-1], PILLOW[kernel]))
    mine = resized(astronaut, size, kernel)[0].permute(1, 2, 0).numpy() * 255
    difference = np.abs(mine - expected)
    # Pillow rounds and cuts between its two passes, which shows at hard edges only
    assert difference.mean() < 0.5
    assert difference.max() < 10


@pytest.mark.parametrize("size", [(64, 63), (100, 90), (160, 201), (1, 1)])
def test_lanczos_by_matrices_is_lanczos_by_torch(astronaut: Tensor, size: tuple[int, int]) -> None:
    photo = astronaut[..., :100, 150:241]
    expected = resized(photo, size, "antialiased-lanczos")
    assert torch.allclose(by_lanczos(photo, size).clamp(0, 1), expected, atol=1e-5)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "area"])
def test_plain_kernels_are_torchs(astronaut: Tensor, kernel: Kernel) -> None:
    expected = functional.interpolate(astronaut, size=(131, 97), mode=kernel).clamp(0, 1)
    assert torch.equal(resized(astronaut, (131, 97), kernel), expected)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_keeps_the_range_and_has_the_right_gradient(kernel: Kernel, rng: torch.Generator) -> None:
    hard = torch.rand((1, 3, 21, 17), generator=rng).round()
    for size in ((40, 30), (7, 5), (1, 1)):
        result = resized(hard, size, kernel)
        assert result.shape[-2:] == size
        assert 0 <= float(result.min()) <= float(result.max()) <= 1
    soft = (torch.rand((1, 3, 6, 5), generator=rng, dtype=torch.float64) * 0.4 + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda images: resized(images, (4, 7), kernel), soft)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_single_pixel_can_be_resized(kernel: Kernel) -> None:
    pixel = torch.full((1, 3, 1, 1), 0.3)
    assert torch.allclose(resized(pixel, (4, 3), kernel), torch.full((1, 3, 4, 3), 0.3))
    assert scaled(pixel, 0.25, kernel).shape == pixel.shape


def test_own_size_is_left_alone(astronaut: Tensor) -> None:
    assert resized(astronaut, (512, 512), "bicubic") is astronaut


def test_factors_are_drawn_log_evenly_and_every_kernel_has_its_turn(rng: torch.Generator) -> None:
    draws = [Resize(0.5, 2.0).draw(rng) for _ in range(400)]
    factors = torch.tensor([factor for factor, _ in draws])
    assert 0.5 <= float(factors.min()) <= float(factors.max()) <= 2.0
    assert abs(float((factors < 1).float().mean()) - 0.5) < 0.08
    assert {kernel for _, kernel in draws} == set(Resize(0.5, 2.0).kernels)


def test_the_same_seed_gives_the_same_size(astronaut: Tensor) -> None:
    first, again, other = (Resize(0.1, 0.5)(astronaut, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert first.shape != other.shape


def test_rescale_loses_detail_and_keeps_the_size(astronaut: Tensor, rng: torch.Generator) -> None:
    photo = astronaut[..., :101, :77]
    result = Rescale(Resize(0.4, 0.6))(photo, rng)
    assert result.shape == photo.shape
    assert result.diff(dim=-1).abs().mean() < 0.9 * photo.diff(dim=-1).abs().mean()


def test_what_cannot_be_done_is_refused(astronaut: Tensor) -> None:
    with pytest.raises(OptionError, match="did you mean area"):
        resized(astronaut, (4, 4), "aera")
    with pytest.raises(OptionError, match="above 0"):
        Resize(0.0, 1.0)
    with pytest.raises(OptionError, match="needs a kernel"):
        Resize(0.5, 1.0, ())
