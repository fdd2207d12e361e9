"""The values that every layer speaks of; this file knows torch and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Images: TypeAlias = Float[Tensor, "b 3 h w"]
"""A batch of pictures: RGB as coded in the file (normally sRGB), in [0, 1], float32."""

PerImage: TypeAlias = Float[Tensor, " b"]
"""One number for each image of a batch."""

Rng: TypeAlias = torch.Generator
"""The one source of chance; always passed, never global."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a user should know of a picture or a result: `code` for programs, `text` one sentence in English.

    `count` is how many things it speaks of, 0 where it counts nothing.
    """

    code: str
    text: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a clip, 1x3xhxw, and its exact time in seconds from the clip's first frame."""

    images: Images
    time: Fraction


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done and how far it is: `done` of `total` steps of `stage`.

    `found` names, where it is known, each detector and whether it still finds a face; `seconds` is the estimate of
    what the whole call still needs, where there is one.
    """

    stage: str
    done: int
    total: int
    found: tuple[tuple[str, bool], ...] = ()
    seconds: float | None = None


Watch: TypeAlias = Callable[[Progress], None]
"""Is told how far a call is. Raising from it stops the call: progress and cancellation in one."""


def ignore(progress: Progress) -> None:
    """Watch nothing."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle by its edges, in pixels of the full image; right and bottom are exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for an empty box."""
        return max(0.0, self.width) * max(0.0, self.height)

    def intersection(self, other: Box) -> Box:
        """Return the common part; it is empty (area 0) where the two do not meet."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def overlap(self, other: Box) -> float:
        """Return intersection over union, in [0, 1]."""
        common = self.intersection(other).area
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0

    def grown(self, share: float) -> Box:
        """Return the box made larger on each side by `share` of its own width and height."""
        across, down = self.width * share, self.height * share
        return Box(self.left - across, self.top - down, self.right + across, self.bottom + down)

    def moved(self, across: float, down: float) -> Box:
        """Return the box moved by so many pixels to the right and downwards."""
        return Box(self.left + across, self.top + down, self.right + across, self.bottom + down)

    def pixels(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of a picture of that size that hold the part of the box inside it."""
        inside = self.intersection(Box(0, 0, width, height))
        rows = slice(math.floor(inside.top), math.ceil(inside.bottom))
        return rows, slice(math.floor(inside.left), math.ceil(inside.right))

    def scaled(self, factor: float) -> Box:
        """Return the box as it lies in the image resized by `factor`."""
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)


Landmarks: TypeAlias = tuple[tuple[float, float], ...]
"""Five points as (x, y): eye at picture left, eye at picture right, nose tip, mouth corners left, right."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in pixels of the full image. `score` in [0, 1] is its detector's own, not a probability.

    `landmarks` is empty where the detector names none.
    """

    box: Box
    score: float
    landmarks: Landmarks = ()
