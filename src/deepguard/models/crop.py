"""The one way in which a face becomes a crop: in training, in judging and in the exported models' examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from deepguard.models.roles import CropSpec
from deepguard.types import Box, Face, Images

FACE = 2.25
"""Side of an aligned face's square in lengths of the face: from the brows to below the chin, what a swap exchanges.
Crops of the DFDC faces that are public show as much (median of 16,261)."""
LEVEL = 15.0
"""Degrees of roll up to which a face stays as it is: turning resamples, and classifiers look at such traces."""


def cut(images: Images, faces: Sequence[Face], spec: CropSpec) -> Images:
    """Return the faces of one picture (1x3xhxw) as crops (n x 3 x side x side); differentiable.

    A crop is the face's square with `spec.margin` of its side beyond it (see `shown`), made smaller with an
    antialiasing filter or larger bilinearly. Where the picture ends its edge pixels go on. A face whose five landmarks
    lie more than `LEVEL` degrees out of level is turned upright.
    """
    if not faces:
        return images.new_zeros((0, 3, spec.side, spec.side))
    return torch.cat([_one(images, face, spec) for face in faces])


def shown(face: Face, spec: CropSpec) -> Box:
    """Return the square that a crop of the face shows, before it is turned.

    The box's is as wide as its longer side. An aligned one lies around the middle between eyes and mouth and is `FACE`
    times as wide as the larger of two lengths: between the eyes, and from their middle to that of the mouth's corners.
    """
    if not spec.aligned or len(face.landmarks) < 5:
        return square(face.box, spec.margin)
    left, right, _, *corners = face.landmarks
    eyes, mouth = _middle(left, right), _middle(*corners)
    half = FACE / 2 * max(math.dist(left, right), math.dist(eyes, mouth))
    across, down = _middle(eyes, mouth)
    return square(Box(across - half, down - half, across + half, down + half), spec.margin)


def square(box: Box, margin: float) -> Box:
    """Return the square around the box's centre, with `margin` of its longer side beyond it on each side."""
    half = max(box.width, box.height) * (0.5 + margin)
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Box(across - half, down - half, across + half, down + half)


def _one(images: Images, face: Face, spec: CropSpec) -> Images:
    turned = roll(face)
    wanted = shown(face, spec)
    if abs(turned) <= math.radians(LEVEL):
        return _resized(_window(images, wanted), spec.side)
    # what is turned out of the square's corners lies within its diagonal
    wide = wanted.grown((math.sqrt(2) - 1) / 2)
    window = _resized(_window(images, wide), math.ceil(spec.side * math.sqrt(2)))
    turn = torch.tensor([[math.cos(turned), -math.sin(turned), 0.0], [math.sin(turned), math.cos(turned), 0.0]])
    turn = turn.mul(spec.side / window.shape[-1]).to(window)[None]
    grid = functional.affine_grid(turn, [1, 3, spec.side, spec.side], align_corners=False)
    return functional.grid_sample(window, grid, padding_mode="border", align_corners=False)


def roll(face: Face) -> float:
    """Return by how much the face is turned, clockwise as seen, in radians; 0 without landmarks.

    The line of the eyes and the one from their middle to that of the mouth's corners count by their lengths, as for
    FFHQ (Karras et al. 2019): of a face from the side the eyes lie so close that their line says nothing.
    """
    if len(face.landmarks) < 5:
        return 0.0
    left, right, _, *corners = face.landmarks
    across, down = (right[0] - left[0], right[1] - left[1])
    eyes, mouth = _middle(left, right), _middle(*corners)
    return math.atan2(down + eyes[0] - mouth[0], across + mouth[1] - eyes[1])


def _middle(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _window(images: Images, box: Box) -> Images:
    """Return the pixels in the box, to the nearest whole ones; beyond the picture its edge goes on."""
    height, width = images.shape[-2:]
    left, top = round(box.left), round(box.top)
    side = max(1, round(box.width))
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return images[..., top : top + side, left : left + side]
    rows = torch.arange(top, top + side, device=images.device).clamp(0, height - 1)
    columns = torch.arange(left, left + side, device=images.device).clamp(0, width - 1)
    return images.index_select(-2, rows).index_select(-1, columns)


def _resized(images: Images, side: int) -> Images:
    if images.shape[-1] == side and images.shape[-2] == side:
        return images
    return functional.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
