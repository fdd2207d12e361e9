"""What else may happen to a picture on its way, or is done to it by somebody who wants a protection gone.

Only the proof takes these steps; an attack cannot look through them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from deepguard.transforms.resize import Kernel


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring the picture back to the size that it had at first."""

    kernel: Kernel = "antialiased-bicubic"


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep the middle of the picture: `share` of each side."""

    share: float


@dataclass(frozen=True, slots=True)
class Tone:
    """Raise every value of [0, 1] to a power: above 1 is darker."""

    gamma: float


@dataclass(frozen=True, slots=True)
class Soften:
    """Blur by a Gaussian of `sigma` pixels."""

    sigma: float


@dataclass(frozen=True, slots=True)
class Median:
    """Replace every value by the median of the `side` x `side` values around it."""

    side: int


@dataclass(frozen=True, slots=True)
class Grain:
    """Add Gaussian noise of a standard deviation, where 1 is from black to white."""

    level: float


@dataclass(frozen=True, slots=True)
class Salt:
    """Turn a share of the pixels black or white, as many the one as the other."""

    share: float


Trial: TypeAlias = Restore | Trim | Tone | Soften | Median | Grain | Salt
