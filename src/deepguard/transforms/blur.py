"""Gaussian blur."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from kornia.filters import gaussian_blur2d

from deepguard.errors import OptionError
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Blur:
    """Gaussian blur whose sigma, in pixels, is drawn evenly from `lowest` to `highest`, once for the batch.

    A range that is none raises OptionError.
    """

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not 0 <= self.lowest <= self.highest:
            raise OptionError(
                f"the sigma of a blur is 0 or more, lowest first; {self.lowest} to {self.highest} is no such range"
            )

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the blurred images."""
        share = torch.rand((), generator=rng).item()
        return blurred(images, self.lowest + share * (self.highest - self.lowest))


def blurred(images: Images, sigma: float) -> Images:
    """Return the images under a Gaussian of `sigma` pixels, cut at three sigma; borders are repeated outwards.

    Differentiable. Below a twentieth of a pixel nothing would change in eight bits: the images come back as they are.
    """
    if sigma < 0.05:
        return images
    side = 2 * math.ceil(3 * sigma) + 1
    result: Images = gaussian_blur2d(images, (side, side), (sigma, sigma), border_type="replicate")
    return result.clamp(0, 1)
