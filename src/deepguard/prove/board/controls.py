"""What a change is held against: noise of its size, and another change made as faint."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from deepguard.types import Images, Rng

LOOKS = 8
"""Most factors that are tried; two or three are usual."""

AIM, CLOSE = 0.985, 0.97
"""Shares of the limit: what the next factor is to reach, and from where on it is close enough."""

LEAST_POWER = 0.1
"""Below it, what is known is no power law, and the next factor lies in the middle."""

POWER = 1.5
"""How excess grows with the factor before more is known: SSIM's falls with its square, LPIPS and skin with itself."""


def noise(before: Images, after: Images, rng: Rng) -> Images:
    """Return the picture with its change's sign thrown anew for each pixel, the same for the three channels."""
    signs = torch.randint(2, (1, 1, *before.shape[-2:]), generator=rng).to(before.device) * 2.0 - 1
    return (before + signs * (after - before)).clamp(0, 1)


def fitting_factor(excess: Callable[[float], float], whole: float, limit: float) -> float:
    """Return a factor in (0, 1] whose excess is at most `limit`, and at least 97 % of it where that was found.

    `whole` is the excess at 1, which is returned where that fits; 0 where nothing does. The factor is looked for along
    the power law through the latest two known ones, since each look takes the time of measuring a picture.
    """
    known = [(1.0, whole)]
    low, high = (0.0, 1.0)
    while whole > limit and len(known) <= LOOKS:
        guess = _guess(known, AIM * limit)
        # an excess with steps or a floor follows no power law
        factor = guess if low < guess < high else (low + high) / 2
        known.append((factor, excess(factor)))
        if known[-1][1] > limit:
            high = factor
        else:
            low = factor
            if known[-1][1] >= CLOSE * limit:
                break
    return low if whole > limit else 1.0


def _guess(known: Sequence[tuple[float, float]], aim: float) -> float:
    """Return the factor at which the excess should be `aim`, after the latest two known pairs of both."""
    factor, found = known[-1]
    power = POWER
    if len(known) > 1 and min(found, known[-2][1]) > 0:
        power = math.log(known[-2][1] / found) / math.log(known[-2][0] / factor)
    return factor * (aim / found) ** (1 / power) if found > 0 and power > LEAST_POWER else 0.0
