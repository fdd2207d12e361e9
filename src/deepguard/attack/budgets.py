"""How far an image may move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from jaxtyping import Float
from torch import Tensor

Change: TypeAlias = Float[Tensor, "b c h w"]
"""What is added to images, in units of their range [0, 1]; c is 3, or 1 where all channels move together."""


class Budget(Protocol):
    """A set of allowed changes."""

    def project(self, change: Change) -> Change:
        """Return the nearest allowed change; an allowed one is returned as it is."""

    def direction(self, gradient: Change) -> Change:
        """Return the allowed step that raises a linear function with this gradient most, at full radius."""


@dataclass(frozen=True)
class Linf:
    """Each pixel moves by at most its own radius (L-infinity ball).

    `radius` (1x1xhxw, in units of the range [0, 1]) is 0 where nothing may move and fades towards the region's edge,
    so that the region has no visible border.
    """

    radius: Float[Tensor, "1 1 h w"]

    def project(self, change: Change) -> Change:
        """Return the nearest allowed change."""
        return change.clamp(min=-self.radius, max=self.radius)

    def direction(self, gradient: Change) -> Change:
        """Return the gradient's sign at full radius."""
        return gradient.sign() * self.radius
