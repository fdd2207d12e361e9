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
        """Return the allowed change that this gradient asks for, at full radius."""

    def moved(self, change: Change, gradient: Change, share: float) -> Change:
        """Return the allowed change after a step up this gradient, by this share of the radius."""


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
        """Return the gradient's sign at full radius: of all allowed changes a linear function is largest there."""
        return gradient.sign() * self.radius

    def moved(self, change: Change, gradient: Change, share: float) -> Change:
        """Return the change after a step of signs."""
        return self.project(change + share * self.direction(gradient))


@dataclass(frozen=True)
class Worth:
    """Each pixel moves by as much as it matters, up to its own radius.

    The allowed changes are those of `Linf`. Where a change is judged by its energy, as likeness is, the best one is
    proportional to the gradient, while signs spend most of it where it hardly matters (docs/decisions/0023).

    Attributes:
        radius: as with `Linf`.
        full: the gradient, in root mean squares of it, from which on the whole radius is used.
    """

    radius: Float[Tensor, "1 1 h w"]
    full: float

    def project(self, change: Change) -> Change:
        """Return the nearest allowed change."""
        return change.clamp(min=-self.radius, max=self.radius)

    def direction(self, gradient: Change) -> Change:
        """Return the gradient in shares of `full` of its root mean squares, cut off at 1, at full radius."""
        size = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1e-20)
        return (gradient / (self.full * size)).clamp(-1, 1) * self.radius

    def moved(self, change: Change, gradient: Change, share: float) -> Change:
        """Return the change this share of the way to `direction` (conditional gradient, Frank and Wolfe 1956).

        So it stays in proportion to the gradients so far, where steps on end would fill the radius everywhere. Where
        nothing matters it stays as it is.
        """
        return self.project(change + share * (self.direction(gradient) - change)) if gradient.any() else change
