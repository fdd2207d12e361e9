"""Transforms made of transforms."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from deepguard.errors import OptionError
from deepguard.transforms.roles import Transform
from deepguard.types import Images, Rng


@dataclass(frozen=True, slots=True)
class Identity:
    """Change nothing and draw nothing."""

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the images themselves."""
        return images


@dataclass(frozen=True, slots=True)
class Chain:
    """Apply the transforms one after the other, each to what the one before returned."""

    transforms: tuple[Transform, ...]

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return what the last transform returns; without any, the images themselves."""
        for transform in self.transforms:
            images = transform(images, rng)
        return images


@dataclass(frozen=True, slots=True)
class Sometimes:
    """Apply the transform with a probability in [0, 1], one draw for the whole batch; OptionError outside."""

    transform: Transform
    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise OptionError(f"a probability lies between 0 and 1; {self.probability} does not")

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the changed images, or the images themselves."""
        if torch.rand((), generator=rng).item() < self.probability:
            return self.transform(images, rng)
        return images
