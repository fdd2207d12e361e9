"""Up to where a change is hardly seen at full size, measure by measure (docs/research/protect.md)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The value of each measure up to which a change is hardly seen; infinite where there is none.

    SSIM in [-1, 1] is a floor, since there 1 is identical; LPIPS from 0; marbling and chroma in levels of 255.
    """

    ssim: float
    lpips: float
    marbling: float = math.inf
    chroma: float = math.inf

    def used(self, values: Mapping[str, float | None]) -> float:
        """Return the worst share of a ceiling that is used: 0 for identical pictures, 1 at the ceiling, more above it.

        `values` are measured ones by the measure's name. Those that are None, not there or without a ceiling are
        ignored.
        """
        ceilings = dataclasses.asdict(self)
        known = {name: value for name in ceilings if (value := values.get(name)) is not None}
        return max((_share(name, value, ceilings[name]) for name, value in known.items()), default=0.0)


PICTURE = Ceilings(ssim=0.95, lpips=0.05)
"""Of the whole picture."""

FACE = Ceilings(ssim=0.93, lpips=0.09, marbling=3.0, chroma=0.4)
"""Of a face's box; what is a wave rather than a form is seen earlier (`WAVES`)."""


def _share(name: str, value: float, ceiling: float) -> float:
    identical = 1 if name == "ssim" else 0
    return max(0.0, (value - identical) / (ceiling - identical))
