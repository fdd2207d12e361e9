"""Chance in the frequencies of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Spectrum simulation (Long et al. 2022, SSA): noise, then every frequency stronger or weaker by chance.

    The whole picture's cosine transform is multiplied, number by number, by draws from [1 - spread, 1 + spread]. It
    stands for other networks, which weigh frequencies differently. Differentiable; unlike what posting makes, the
    result may leave [0, 1].

    Attributes:
        noise: standard deviation of what is added before, in units of the range [0, 1].
        spread: in [0, 1].
    """

    noise: float = 16 / 255
    spread: float = 0.5

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the changed images, of the same size."""
        noise = self.noise * torch.randn(images.shape, generator=rng)
        factors = 1 + self.spread * (2 * torch.rand(images.shape, generator=rng) - 1)
        return pixels(cosines(images + noise.to(images)) * factors.to(images))


def cosines(images: Tensor) -> Tensor:
    """Return the orthonormal cosine transform (DCT-II) of (..., h, w) over rows and columns."""
    return _forwards(_forwards(images).mT).mT


def pixels(spectrum: Tensor) -> Tensor:
    """Return what has this cosine transform: the inverse of `cosines`, and its transpose."""
    return _backwards(_backwards(spectrum).mT).mT


def _forwards(lines: Tensor) -> Tensor:
    """Transform the last dimension by a Fourier transform of its even places, then its odd ones backwards.

    (Makhoul 1980.)
    """
    count = lines.shape[-1]
    folded = torch.cat((lines[..., ::2], lines[..., 1::2].flip(-1)), dim=-1)
    turned: Tensor = (torch.fft.fft(folded) * _turns(lines)).real
    return turned * _lengths(lines) * math.sqrt(2 / count)


def _backwards(lines: Tensor) -> Tensor:
    count = lines.shape[-1]
    scaled = lines / _lengths(lines) * math.sqrt(count / 2)
    # of a real line's transform X, the folded line's Fourier transform is (X_k - i X_(n-k)) turned back, with X_n = 0
    mirrored = torch.cat((torch.zeros_like(scaled[..., :1]), scaled[..., 1:].flip(-1)), dim=-1)
    folded = torch.fft.ifft(torch.complex(scaled, -mirrored) * _turns(lines).conj()).real
    even, odd = folded.split(((count + 1) // 2, count // 2), dim=-1)
    unfolded = torch.empty_like(folded)
    unfolded[..., ::2], unfolded[..., 1::2] = even, odd.flip(-1)
    return unfolded


def _turns(lines: Tensor) -> Tensor:
    places = torch.arange(lines.shape[-1], device=lines.device, dtype=lines.dtype)
    return torch.polar(torch.ones_like(places), -math.pi / (2 * lines.shape[-1]) * places)


def _lengths(lines: Tensor) -> Tensor:
    """Return the factors that give each cosine of a line the same length: the constant one's is sqrt(1/2)."""
    lengths = torch.ones(lines.shape[-1], device=lines.device, dtype=lines.dtype)
    lengths[0] = math.sqrt(0.5)
    return lengths
