"""Cropping."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from deepguard.errors import OptionError
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Crop:
    """Keep a share of each side, drawn evenly from `lowest` to `highest` for height and width apart.

    The place is drawn as well; one draw holds for the whole batch. A crop moves what it shows: whoever knows
    where a face lay must not compare places across it. Shares outside (0, 1] raise OptionError.
    """

    lowest: float
    highest: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.highest <= 1:
            raise OptionError(
                f"a crop keeps a share in (0, 1], lowest first; {self.lowest} to {self.highest} is no such range"
            )

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the crop, at least one pixel each way; a view on the images."""
        top, bottom = self._span(images.shape[-2], rng)
        left, right = self._span(images.shape[-1], rng)
        return images[..., top:bottom, left:right]

    def _span(self, side: int, rng: Rng) -> tuple[int, int]:
        share = self.lowest + torch.rand((), generator=rng).item() * (self.highest - self.lowest)
        kept = max(1, round(side * share))
        start = int(torch.randint(side - kept + 1, (), generator=rng).item())
        return start, start + kept
