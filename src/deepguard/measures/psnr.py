"""Peak signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from deepguard.measures.roles import measures
from deepguard.types import Images, PerImage


@dataclass(frozen=True, slots=True)
class Psnr:
    """Ten times the decimal logarithm of 1 over the mean squared difference of all pixels and colours.

    Identical pictures are infinitely alike; there the gradient is not defined.
    """

    unit: str = "dB"
    better: Literal["higher"] = "higher"
    of: Literal["any"] = "any"

    def __call__(self, clean: Images, changed: Images) -> PerImage:
        """Return the ratio in dB of each pair."""
        return -10 * torch.log10((clean - changed).square().mean(dim=(1, 2, 3)))


@measures.register("psnr")
def create(paths: Sequence[Path], device: torch.device) -> Psnr:
    """Peak signal-to-noise ratio over all pixels, in dB."""
    return Psnr()
