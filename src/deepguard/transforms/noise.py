"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from deepguard.errors import OptionError
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Noise:
    """Independent Gaussian noise whose level is drawn evenly from `lowest` to `highest`, once for the batch.

    The level is the noise's standard deviation, where 1 is the whole range from black to white.
    A range that is none raises OptionError.
    """

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not 0 <= self.lowest <= self.highest:
            raise OptionError(
                f"the level of noise is 0 or more, lowest first; {self.lowest} to {self.highest} is no such range"
            )

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the images with noise, clamped to [0, 1]."""
        level = self.lowest + torch.rand((), generator=rng).item() * (self.highest - self.lowest)
        noise = torch.randn(images.shape, generator=rng, dtype=images.dtype)
        return (images + level * noise.to(images.device)).clamp(0, 1)
