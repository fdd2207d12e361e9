"""Climbers: plain functions that raise an objective inside a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from deepguard.attack.budgets import Budget, Change
from deepguard.types import PerImage, Rng

Slope: TypeAlias = Callable[[Change, Rng], tuple[PerImage, Change]]
"""Value and gradient of what is climbed, at a change."""

Heed: TypeAlias = Callable[[int, Change], bool]
"""Is told the step's number (from 1) and the change after it; True ends the climb early. Raising cancels it."""


def momentum_ascent(
    slope: Slope,
    start: Change,
    budget: Budget,
    *,
    steps: int,
    rng: Rng,
    heed: Heed,
    momentum: float = 0.5,
) -> Change:
    """Climb by steps with momentum (MI-FGSM, Dong et al. 2018) that shrink; return the last change.

    How a step looks is the budget's; its share of the radius goes from a quarter to a fortieth (docs/decisions/0008:
    momentum 0.5 and a decaying step beat 0.9 and a fixed one). Each gradient counts alike, whatever its length, as
    there. The last change is returned rather than the best, since under a random objective the best is a lucky draw.
    """
    change = budget.project(start)
    velocity = torch.zeros_like(change)
    for step in range(1, steps + 1):
        _, gradient = slope(change, rng)
        velocity = momentum * velocity + gradient / gradient.abs().mean().clamp(min=1e-20)
        share = 0.25 * 0.1 ** ((step - 1) / max(1, steps - 1))
        change = budget.moved(change, velocity, share)
        if heed(step, change):
            break
    return change
