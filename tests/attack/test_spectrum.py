from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft
from torch import Tensor

from deepguard.attack.spectrum import Spectrum, cosines, pixels

sizes = st.tuples(st.integers(1, 21), st.integers(1, 21))


def random(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand((2, 3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(sizes)
@settings(deadline=None)
def test_the_cosine_transform_is_scipys(size: tuple[int, int]) -> None:
    images = random(*size)
    expected = torch.from_numpy(fft.dctn(images.numpy(), type=2, norm="ortho", axes=(-2, -1)))
    torch.testing.assert_close(cosines(images), expected)
    torch.testing.assert_close(
        pixels(images), torch.from_numpy(fft.idctn(images.numpy(), type=2, norm="ortho", axes=(-2, -1)))
    )


@given(sizes)
@settings(deadline=None)
def test_back_and_forth_gives_the_picture_and_keeps_lengths_and_angles(size: tuple[int, int]) -> None:
    one, other = random(*size), random(*size, seed=1)
    torch.testing.assert_close(pixels(cosines(one)), one)
    torch.testing.assert_close((cosines(one) * cosines(other)).sum(), (one * other).sum())
    # the inverse is the transpose
    torch.testing.assert_close((cosines(one) * other).sum(), (one * pixels(other)).sum())


def test_a_large_picture_in_single_precision_comes_back_to_a_thousandth_of_a_level() -> None:
    images = random(601, 799).float()
    assert float((pixels(cosines(images)) - images).abs().max()) < 0.001 / 255


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 2)])
def test_the_gradient_is_the_true_one(size: tuple[int, int]) -> None:
    images = random(*size).requires_grad_()
    assert torch.autograd.gradcheck(cosines, (images,))
    assert torch.autograd.gradcheck(pixels, (images,))
    assert torch.autograd.gradcheck(lambda x: Spectrum()(x, torch.Generator().manual_seed(3)), (images,))


def test_without_noise_and_spread_nothing_changes(rng: torch.Generator) -> None:
    images = random(7, 9)
    torch.testing.assert_close(Spectrum(noise=0, spread=0)(images, rng), images)


def test_each_frequency_is_multiplied_by_a_number_of_its_own_within_the_spread(rng: torch.Generator) -> None:
    images = 0.5 + random(40, 30)
    factors = cosines(Spectrum(noise=0, spread=0.5)(images, rng)) / cosines(images)
    assert 0.5 <= float(factors.min()) < 0.51
    assert 1.49 < float(factors.max()) <= 1.5
    assert float(factors.mean()) == pytest.approx(1, abs=0.02)
    assert float(factors.std()) == pytest.approx(0.5 / 3**0.5, abs=0.02)


def test_the_noise_has_the_strength_that_is_asked_for(rng: torch.Generator) -> None:
    images = random(64, 64)
    added = Spectrum(noise=0.1, spread=0)(images, rng) - images
    assert float(added.std()) == pytest.approx(0.1, rel=0.03)
    assert float(added.mean()) == pytest.approx(0, abs=0.003)


def test_chance_comes_from_the_given_source_alone() -> None:
    images = random(8, 8)
    before = torch.get_rng_state()
    first, again, other = (Spectrum()(images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
