"""JPEG compression as libjpeg does it: 4:2:0, standard tables, smooth chroma upsampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.types import Images, Rng

# ITU-T T.81 (1992), Annex K, tables K.1 and K.2: quantiser steps at quality 50, row by row.
LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99,) * 32,
)
# JFIF 1.02 (1992): from RGB to luma, blue difference and red difference, and back; all of them in [0, 255].
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))

Rounding = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """JPEG at a quality drawn evenly from `lowest` to `highest` (1 to 100, both included), for each image anew.

    With `straight_through` the result is a real decoder's but for levels that fall between two (46 dB and more
    against libjpeg), and the gradient is that of the same path without any rounding. Without it, rounding is
    replaced by a cubic that is flat where a coefficient is stored as it is (Shin and Song, 2017): the gradient
    then knows which detail JPEG throws away, and the result is a little further from the real one (43 dB).
    A range that is none raises OptionError.
    """

    lowest: int
    highest: int
    straight_through: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.lowest <= self.highest <= 100:
            raise OptionError(
                f"JPEG quality goes from 1 to 100, lowest first; {self.lowest} to {self.highest} is no such range"
            )

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the images as they come back from JPEG, of the same size."""
        qualities = torch.randint(self.lowest, self.highest + 1, (len(images),), generator=rng)
        return compressed(images, qualities.tolist(), straight_through=self.straight_through)


def compressed(images: Images, qualities: list[int], *, straight_through: bool = True) -> Images:
    """Return each image as it comes back from JPEG at its own quality, 1 to 100. Differentiable, see `Jpeg`."""
    if not straight_through:
        return _codec(images, qualities, whole=_kept, step=_softly_rounded)
    with torch.no_grad():
        real = _codec(images, qualities, whole=_rounded, step=_rounded)
    linear = _without_quantiser(images)
    # the difference is exactly 0: the value is the real one to the bit, the gradient the linear one's
    return real + (linear - linear.detach())


def steps(table: tuple[int, ...], quality: int) -> list[float]:
    """Return the 64 quantiser steps of a table at a quality, scaled as the Independent JPEG Group does."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [float(min(255, max(1, (entry * scale + 50) // 100))) for entry in table]


def _codec(images: Images, qualities: list[int], *, whole: Rounding, step: Rounding) -> Images:
    height, width = images.shape[-2:]
    planes = mixed(whole(images * 255), TO_YCC)
    # libjpeg repeats the last row and column until its blocks of 16x16 are full
    padded = functional.pad(planes, (0, -width % 16, 0, -height % 16), mode="replicate")
    luma = _quantised(whole(padded[:, :1]) - 128, LUMA, qualities, step) + 128
    chroma = _quantised(whole(functional.avg_pool2d(whole(padded[:, 1:]), 2)), CHROMA, qualities, step)
    small = whole(chroma)[..., : math.ceil(height / 2), : math.ceil(width / 2)].clamp(-128, 127)
    large = whole(functional.interpolate(small, scale_factor=2.0, mode="bilinear"))[..., :height, :width]
    planes = torch.cat((whole(luma)[..., :height, :width].clamp(0, 255), large), dim=1)
    return whole(mixed(planes, TO_RGB)).clamp(0, 255) / 255


def _without_quantiser(images: Images) -> Images:
    height, width = images.shape[-2:]
    planes = mixed(images, TO_YCC)
    padded = functional.pad(planes[:, 1:], (0, width % 2, 0, height % 2), mode="replicate")
    chroma = functional.interpolate(functional.avg_pool2d(padded, 2), scale_factor=2.0, mode="bilinear")
    return mixed(torch.cat((planes[:, :1], chroma[..., :height, :width]), dim=1), TO_RGB)


def mixed(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return the images (b x 3 x h x w) with each pixel's channels mixed by the matrix's rows: `TO_YCC`, `TO_RGB`."""
    return functional.conv2d(images, images.new_tensor(matrix)[:, :, None, None])


def _quantised(
    planes: Float[Tensor, "b c h w"], table: tuple[int, ...], qualities: list[int], step: Rounding
) -> Tensor:
    batch, channels, height, width = planes.shape
    grid = (batch, channels, height // 8, 8, width // 8, 8)
    blocks = planes.reshape(grid).permute(0, 1, 2, 4, 3, 5).reshape(batch, -1, 64)
    basis = planes.new_tensor(_cosines())
    sizes = planes.new_tensor([steps(table, quality) for quality in qualities])[:, None]
    stored = step((blocks @ basis.T) / sizes) * sizes
    restored = (stored @ basis).reshape(batch, channels, height // 8, width // 8, 8, 8)
    return restored.permute(0, 1, 2, 4, 3, 5).reshape(planes.shape)


@cache
def _cosines() -> list[list[float]]:
    # the 64 two-dimensional cosines as rows over the 64 pixels of a block, orthonormal
    line = [
        [math.sqrt((1 if k == 0 else 2) / 8) * math.cos((2 * n + 1) * k * math.pi / 16) for n in range(8)]
        for k in range(8)
    ]
    return [[line[v][y] * line[u][x] for y in range(8) for x in range(8)] for v in range(8) for u in range(8)]


def _kept(values: Tensor) -> Tensor:
    return values


def _rounded(values: Tensor) -> Tensor:
    return values.round()


def _softly_rounded(values: Tensor) -> Tensor:
    nearest = values.detach().round()
    return nearest + (values - nearest) ** 3
