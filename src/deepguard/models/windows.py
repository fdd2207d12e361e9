"""Views of a picture, whole or only as much of it as a detector needs to judge a few faces."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.roles import SAME, FaceDetector
from deepguard.types import Box, Images

NEARLY_ALL = 0.8
"""Share of the picture from which on its windows are not worth their edges: the whole is looked at instead."""


@dataclass(frozen=True, slots=True)
class Look:
    """One scale at which a picture is looked at.

    Attributes:
        scale: the factor by which the picture is resized.
        limits: least and most longer side in picture pixels of the faces that are taken from this view.
        near: those of the boxes asked for that can overlap such a face; None where all of the picture is asked for.
    """

    scale: float
    limits: tuple[float, float]
    near: tuple[Box, ...] | None


def looks(
    detector: FaceDetector, images: Images, scales: Sequence[float] | None, near: Sequence[Box] | None
) -> Iterator[Look]:
    """Yield what `FaceDetector.detect` has to look at; a scale that shows no face asked for is left out."""
    own = zip(detector.scales(*images.shape[-2:]), detector.limits(*images.shape[-2:]), strict=True)
    for scale, limits in ((scale, (0.0, math.inf)) for scale in scales) if scales else own:
        wanted = None if near is None else tuple(face for face in near if _matters(face, limits))
        if wanted is None or wanted:
            yield Look(scale, limits, wanted)


def _matters(face: Box, limits: tuple[float, float]) -> bool:
    """Tell whether a box with its longer side within the limits can overlap the face so far that they are the same."""
    least, most = limits
    return max(face.width, face.height) >= SAME * least and most * most >= SAME * face.area


@dataclass(frozen=True, slots=True)
class Window:
    """Columns `left` to `right` and rows `top` to `bottom` of a resized picture; ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def all_of(cls, size: tuple[int, int]) -> Window:
        """Return the whole of a picture of that (height, width)."""
        return cls(0, 0, size[1], size[0])

    @property
    def area(self) -> int:
        """Pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def joined(self, other: Window) -> Window:
        """Return the smallest window that holds both."""
        return Window(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def windows(parts: Sequence[Box], size: tuple[int, int], grid: int) -> tuple[Window, ...]:
    """Return windows of a picture of that (height, width) which hold all the parts.

    They begin and end at multiples of `grid` or at the picture's edges, so that anchors lie in them as they do in the
    whole picture. Windows that overlap become one where that saves pixels, and all of them the whole picture where
    they hold nearly all of it.
    """
    whole = Window.all_of(size)
    found: list[Window] = []
    for part in parts:
        window = _around(part, whole, grid)
        while (partner := next((each for each in found if _saves(window, each)), None)) is not None:
            found.remove(partner)
            window = window.joined(partner)
        found.append(window)
    return tuple(found) if sum(each.area for each in found) < NEARLY_ALL * whole.area else (whole,)


def _around(part: Box, whole: Window, grid: int) -> Window:
    left, top = (grid * math.floor(edge / grid) for edge in (part.left, part.top))
    right, bottom = (grid * math.ceil(edge / grid) for edge in (part.right, part.bottom))
    return Window(max(0, left), max(0, top), min(whole.right, right), min(whole.bottom, bottom))


def _saves(one: Window, other: Window) -> bool:
    return one.joined(other).area <= one.area + other.area


def size_at(images: Images, scale: float) -> tuple[int, int]:
    """Return height and width of the images resized by `scale`, in whole pixels, at least one."""
    height, width = images.shape[-2:]
    return max(1, round(height * scale)), max(1, round(width * scale))


def seen_at(face: Box, images: Images, size: tuple[int, int]) -> Box:
    """Return the box as it lies in the images resized to (height, width)."""
    across, down = size[1] / images.shape[-1], size[0] / images.shape[-2]
    return Box(face.left * across, face.top * down, face.right * across, face.bottom * down)


def widened(box: Box, pixels: float) -> Box:
    """Return the box made larger by so many pixels on each side."""
    return Box(box.left - pixels, box.top - pixels, box.right + pixels, box.bottom + pixels)


def shown(images: Images, size: tuple[int, int], window: Window) -> Images:
    """Return a window of the images resized to (height, width) as detectors' users do: bilinear, no low-pass.

    OpenCV's default. Only the window's own pixels are computed.
    """
    height, width = images.shape[-2:]
    if size == (height, width):
        return images[..., window.top : window.bottom, window.left : window.right]
    if window == Window.all_of(size):
        return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    left, right, across = _places(window.left, window.right, size[1], width, images)
    above, below, down = _places(window.top, window.bottom, size[0], height, images)
    first, last = int(left[0]), int(right[-1]) + 1
    part = images[..., first:last]
    rows = torch.lerp(part.index_select(-2, above), part.index_select(-2, below), down[:, None])
    return torch.lerp(rows.index_select(-1, left - first), rows.index_select(-1, right - first), across)


def _places(start: int, stop: int, size: int, side: int, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return, for new pixels of one axis, the two old ones between which each lies, and the share of the second.

    In float32, as torch's own resizing computes it.
    """
    index = torch.arange(start, stop, device=images.device, dtype=torch.float32)
    places = ((index + 0.5) * (side / size) - 0.5).clamp(min=0)
    low = places.floor().long().clamp(max=side - 1)
    return low, (low + 1).clamp(max=side - 1), places - low
