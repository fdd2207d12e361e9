"""What a change is held against: noise of its size, and another change made as faint."""

from __future__ import annotations

from collections.abc import Callable

import torch

from deepguard.types import Images, Rng

HALVINGS = 7
"""Steps of the search for a factor, which is then known to 1/128."""


def noise(before: Images, after: Images, rng: Rng) -> Images:
    """Return the picture with its change's sign thrown anew for each pixel, the same for the three channels."""
    signs = torch.randint(2, (1, 1, *before.shape[-2:]), generator=rng).to(before.device) * 2.0 - 1
    return (before + signs * (after - before)).clamp(0, 1)


def largest_factor(fits: Callable[[float], bool]) -> float:
    """Return the largest factor in [0, 1] that fits, by bisection; what fits must also fit when it is smaller."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
