"""Up to where a change is hardly seen at full size, measure by measure (docs/research/protect.md)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PICTURE: Mapping[str, float] = MappingProxyType({"ssim": 0.95, "lpips": 0.05})
"""Measure -> its ceiling on the whole picture. SSIM is a floor, since there 1 is identical."""

FACE: Mapping[str, float] = MappingProxyType({"ssim": 0.93, "lpips": 0.09, "marbling": 1.8, "chroma": 0.4})
"""Measure -> its ceiling on a face's box; marbling and chroma in levels of 255."""


def used(values: Mapping[str, float | None], ceilings: Mapping[str, float]) -> float:
    """Return the worst share of a ceiling that is used: 0 for an identical picture, 1 at the ceiling, more above it.

    Ignored are a value without a ceiling, a ceiling without a value, and None.
    """
    known = {name: value for name in ceilings if (value := values.get(name)) is not None}
    return max((_share(name, value, ceilings[name]) for name, value in known.items()), default=0.0)


def _share(name: str, value: float, ceiling: float) -> float:
    identical = 1 if name == "ssim" else 0
    return max(0.0, (value - identical) / (ceiling - identical))
