"""Where a defence works: padded windows around faces that stand close together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.types import Box, Face, Images, Landmarks

USUAL: Landmarks = ((0.27, 0.39), (0.73, 0.39), (0.50, 0.58), (0.295, 0.745), (0.705, 0.745))
"""Landmarks as shares of a face's box: the median of what RetinaFace finds in 300 photos of LFW, made symmetrical."""


@dataclass(frozen=True)
class Region:
    """A window of a picture with the faces that are protected in it.

    `window` has whole pixels of the full picture; `reach` is the share of a face's width and height by which the
    changed area extends beyond it on each side.
    """

    window: Box
    faces: tuple[Face, ...]
    reach: float

    def cut(self, images: Images) -> Images:
        """Return the window's pixels (a view, not a copy)."""
        left, top, right, bottom = _whole(self.window)
        return images[..., top:bottom, left:right]

    def shares(self) -> tuple[Box, ...]:
        """Return the faces' boxes as shares of the window's width and height."""
        return tuple(self._share(face.box) for face in self.faces)

    def marks(self) -> tuple[Landmarks, ...]:
        """Return the faces' landmarks as shares of the window's width and height; none where a face has none."""
        if not all(face.landmarks for face in self.faces):
            return ()
        left, top, across, down = self.window.left, self.window.top, self.window.width, self.window.height
        return tuple(tuple(((x - left) / across, (y - top) / down) for x, y in face.landmarks) for face in self.faces)

    def guessed(self) -> tuple[Landmarks, ...]:
        """Return what `marks` does, and for a face without landmarks those of a usual face in its box."""
        given = (
            face.landmarks
            or tuple((face.box.left + x * face.box.width, face.box.top + y * face.box.height) for x, y in USUAL)
            for face in self.faces
        )
        return replace(self, faces=tuple(Face(Box(0, 0, 0, 0), 0, landmarks) for landmarks in given)).marks()

    def smallest(self) -> float:
        """Return the side in pixels of the smallest face, as the root of its area."""
        return min(math.sqrt(face.box.area) for face in self.faces)

    def mask(self, height: int, width: int) -> Float[Tensor, "1 1 h w"]:
        """Return how much may change where, in [0, 1], on a grid over the window; it fades at the rim."""
        mask = torch.zeros(height, width)
        for face in self.faces:
            inner, outer = self._share(face.box.grown(0.6 * self.reach)), self._share(face.box.grown(self.reach))
            x = _fade(width, (outer.left, inner.left, inner.right, outer.right))
            y = _fade(height, (outer.top, inner.top, inner.bottom, outer.bottom))
            mask = torch.maximum(mask, y[:, None] * x)
        return mask[None, None]

    def _share(self, box: Box) -> Box:
        moved = box.moved(-self.window.left, -self.window.top)
        across, down = 1 / self.window.width, 1 / self.window.height
        return Box(moved.left * across, moved.top * down, moved.right * across, moved.bottom * down)


def regions(faces: Sequence[Face], height: int, width: int, *, reach: float, context: float) -> tuple[Region, ...]:
    """Return windows that together hold all faces; faces whose changed areas meet share one window.

    `context` is what a window shows beyond the changed area on each side, as a share of the face's size, so that
    the picture's border is not where the detectors' receptive fields end.
    """
    groups: list[list[Face]] = []
    for face in faces:
        near = [group for group in groups if any(_meet(face, other, reach) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([face, *(other for group in near for other in group)])
    return tuple(_region(group, height, width, reach, context) for group in groups)


def _meet(one: Face, other: Face, reach: float) -> bool:
    common = one.box.grown(reach).intersection(other.box.grown(reach))
    return common.width > 0 and common.height > 0


def _region(group: list[Face], height: int, width: int, reach: float, context: float) -> Region:
    wide = [face.box.grown(reach + context) for face in group]
    window = Box(
        max(0, math.floor(min(box.left for box in wide))),
        max(0, math.floor(min(box.top for box in wide))),
        min(width, math.ceil(max(box.right for box in wide))),
        min(height, math.ceil(max(box.bottom for box in wide))),
    )
    return Region(window, tuple(group), reach)


def _whole(box: Box) -> tuple[int, int, int, int]:
    return int(box.left), int(box.top), int(box.right), int(box.bottom)


def _fade(cells: int, edges: tuple[float, float, float, float]) -> Float[Tensor, " n"]:
    """Return 0 outside the outer edges, 1 between the inner ones, a smooth step between them."""
    start, full, falling, end = edges
    at = (torch.arange(cells) + 0.5) / cells
    rise = ((at - start) / max(full - start, 1e-6)).clamp(0, 1)
    fall = ((end - at) / max(end - falling, 1e-6)).clamp(0, 1)
    step = torch.minimum(rise, fall)
    return step * step * (3 - 2 * step)
