import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from deepguard.measures import ssim
from deepguard.measures.psnr import Psnr
from deepguard.measures.ssim import Ssim


def pair(photo: Tensor, size: tuple[int, int], level: float) -> tuple[Tensor, Tensor]:
    clean = photo[..., 40 : 40 + size[0], 160 : 160 + size[1]]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    return clean, (clean + level * noise).clamp(0, 1)


def by_skimage(clean: Tensor, changed: Tensor) -> float:
    one, other = (images[0].permute(1, 2, 0).double().numpy() for images in (clean, changed))
    similarity = structural_similarity(
        one, other, channel_axis=2, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(similarity)


@pytest.mark.parametrize("size", [(11, 11), (11, 40), (63, 64), (75, 90), (300, 201)])
@pytest.mark.parametrize("level", [0.005, 0.03, 0.3])
def test_ssim_is_that_of_scikit_image(astronaut: Tensor, size: tuple[int, int], level: float) -> None:
    clean, changed = pair(astronaut, size, level)
    assert math.isclose(Ssim()(clean, changed).item(), by_skimage(clean, changed), abs_tol=1e-4)


@pytest.mark.parametrize("level", [0.002, 0.05])
def test_psnr_is_that_of_scikit_image(astronaut: Tensor, level: float) -> None:
    clean, changed = pair(astronaut, (61, 40), level)
    expected = peak_signal_noise_ratio(clean.double().numpy(), changed.double().numpy(), data_range=1)
    assert math.isclose(Psnr()(clean, changed).item(), expected, abs_tol=1e-3)


def test_identical_pictures_are_perfectly_alike(astronaut: Tensor) -> None:
    assert math.isclose(Ssim()(astronaut, astronaut).item(), 1, abs_tol=1e-6)
    assert Psnr()(astronaut, astronaut).item() == math.inf


@pytest.mark.parametrize("measure", [Psnr(), Ssim()])
def test_each_image_of_a_batch_has_its_own_number(astronaut: Tensor, measure: Psnr | Ssim) -> None:
    clean, slightly = pair(astronaut, (40, 30), 0.01)
    _, strongly = pair(astronaut, (40, 30), 0.1)
    both = measure(torch.cat((clean, clean)), torch.cat((slightly, strongly)))
    assert torch.allclose(both, torch.cat((measure(clean, slightly), measure(clean, strongly))), atol=1e-5)
    assert both[0] > both[1]
    assert measure.better == "higher"


@pytest.mark.parametrize("size", [(1, 1), (5, 30), (10, 10)])
def test_a_picture_smaller_than_the_window_still_has_a_similarity(astronaut: Tensor, size: tuple[int, int]) -> None:
    clean, changed = pair(astronaut, size, 0.1)
    assert math.isclose(Ssim()(clean, clean).item(), 1, abs_tol=1e-6)
    assert -1 <= Ssim()(clean, changed).item() < 1


def test_strips_change_nothing(astronaut: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    clean, changed = pair(astronaut, (150, 80), 0.05)
    results = []
    for rows in (1000, 64, 7):
        monkeypatch.setattr(ssim, "ROWS", rows)
        results.append(Ssim()(clean, changed).item())
    assert max(results) - min(results) < 1e-6


@pytest.mark.parametrize("measure", [Psnr(), Ssim()])
def test_the_gradient_is_right(measure: Psnr | Ssim, rng: torch.Generator) -> None:
    clean = torch.rand((1, 3, 13, 12), generator=rng, dtype=torch.float64)
    changed = torch.rand((1, 3, 13, 12), generator=rng, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda images: measure(clean, images), changed)
