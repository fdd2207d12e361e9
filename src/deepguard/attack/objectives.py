"""What an attack climbs: one number per image, higher = better for the protected person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import torch

from deepguard.parallel import in_parallel
from deepguard.transforms.roles import Transform
from deepguard.types import Images, PerImage, Rng


class Objective(Protocol):
    """Judges images; differentiable in them."""

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return one number per image, higher = better for the protected person."""


@runtime_checkable
class Sloped(Protocol):
    """An objective that knows its own gradient, because autograd's would be wrong or too large for it."""

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return value and gradient."""


def slope(objective: Objective, images: Images, rng: Rng) -> tuple[PerImage, Images]:
    """Return an objective's value for each image and its gradient in the images, both without a graph."""
    if isinstance(objective, Sloped):
        return objective.slope(images, rng)
    leaf = images.detach().requires_grad_()
    value = objective(leaf, rng)
    if not value.requires_grad:  # nothing in the images matters to it any more
        return value.detach(), torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


@dataclass(frozen=True)
class Weighted:
    """The weighted sum of several objectives."""

    parts: tuple[tuple[Objective, float], ...]

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the sum for each image."""
        return torch.stack([weight * part(images, rng) for part, weight in self.parts]).sum(dim=0)

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return value and gradient; one part's graph is held at a time."""
        return _summed([(weight, *slope(part, images, rng)) for part, weight in self.parts])


@dataclass(frozen=True)
class Beside:
    """An objective that leads, and others beside it whose gradients are as long as their weight's share of its own."""

    leading: Objective
    others: tuple[tuple[Objective, float], ...]

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the weighted sum for each image."""
        return Weighted(((self.leading, 1.0), *self.others))(images, rng)

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return the leading objective's value and the sum of the gradients."""
        value, gradient = slope(self.leading, images, rng)
        length = gradient.flatten(1).norm(dim=1)[:, None, None, None]
        beside = [weight * unit(slope(part, images, rng)[1]) for part, weight in self.others]
        return value, gradient + length * torch.stack(beside).sum(dim=0) if beside else gradient


@dataclass(frozen=True)
class Expected:
    """The mean of an objective over random transforms of the images (Athalye et al. 2018, EOT)."""

    objective: Objective
    transform: Transform
    samples: int = 1

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the mean for each image."""
        drawn = [self.objective(self.transform(images, rng), rng) for _ in range(self.samples)]
        return torch.stack(drawn).mean(dim=0)

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return value and gradient; one sample's graph is held at a time."""
        return _summed([(1 / self.samples, *self._once(images, rng)) for _ in range(self.samples)])

    def _once(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        leaf = images.detach().requires_grad_()
        seen = self.transform(leaf, rng)
        value, gradient = slope(self.objective, seen.detach(), rng)
        return value, torch.autograd.grad(seen, leaf, gradient)[0]


class Balanced:
    """The sum of several objectives in which none outweighs the others.

    Each part's gradient is brought to unit length before the sum (LEAT, Shim & Yoon 2023: otherwise the model with
    the largest gradient wins). A part counts more with each call that leaves its value under `content`, and less with
    each that does not, within `rest` and its inverse: all of them must fall, so the last to fall lead (multiplicative
    weights, Freund and Schapire 1997). Each part is asked in one of `turns` calls, in rotation, and a content one
    in as many times `patience`, so that time goes where it helps.
    """

    def __init__(
        self,
        parts: Sequence[Objective],
        *,
        content: float = -1.0,
        rest: float = 0.1,
        patience: int = 4,
        turns: int = 1,
    ) -> None:
        self.parts = tuple(parts)
        self.content = content
        self.rest = rest
        self.patience = patience
        self.turns = turns
        self.values: list[PerImage | None] = [None] * len(self.parts)
        """Each part's last value; None before it was first asked."""
        self.urgency = [1.0] * len(self.parts)
        self._calls = 0

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the plain sum for each image."""
        return torch.stack([part(images, rng) for part in self.parts]).sum(dim=0)

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return the last known values' sum and the balanced gradient.

        Each part has chance of its own, seeded from `rng`, so that the order in which they end does not matter.
        """
        seeds = torch.randint(2**62, (len(self.parts),), generator=rng).tolist()
        asked = [
            index
            for index in range(len(self.parts))
            if (self._calls + index) % (self.patience * self.turns if self.satisfied(index) else self.turns) == 0
        ]
        answers = in_parallel(
            [partial(slope, self.parts[index], images, Rng().manual_seed(seeds[index])) for index in asked]
        )
        total = torch.zeros_like(images)
        for index, (value, gradient) in zip(asked, answers, strict=True):
            self.values[index] = value
            total += self.urgency[index] * unit(gradient)
            self.urgency[index] = self._next(index)
        self._calls += 1
        known = [value for value in self.values if value is not None]
        return torch.stack(known).sum(dim=0), total

    def _next(self, index: int) -> float:
        grown = self.urgency[index] * (0.7 if self.satisfied(index) else 1.12)
        return min(max(grown, self.rest), 1 / self.rest)

    def satisfied(self, index: int) -> bool:
        """Return whether a part's last value was above `content` for every image."""
        value = self.values[index]
        return value is not None and bool((value > self.content).all())


def unit(gradient: Images) -> Images:
    """Bring each image's gradient to Euclidean length 1; a zero gradient stays zero."""
    length = gradient.flatten(1).norm(dim=1).clamp(min=1e-20)
    scaled: Images = gradient / length[:, None, None, None]
    return scaled


def _summed(parts: list[tuple[float, PerImage, Images]]) -> tuple[PerImage, Images]:
    value = torch.stack([weight * value for weight, value, _ in parts]).sum(dim=0)
    gradient = torch.stack([weight * gradient for weight, _, gradient in parts]).sum(dim=0)
    return value, gradient
