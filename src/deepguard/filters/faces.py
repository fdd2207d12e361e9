"""Faces that nobody is to recognise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from deepguard.filters.photo import whole_levels
from deepguard.types import Box, Face, Images

CELLS = 4
"""Cells of one colour across a face. Familiar faces are still known at 7 x 10 (Sinha, Balas, Ostrovsky and Russell,
2006, result 1)."""

SMALLEST_CELL = 2.0
"""Pixels; a face that is small already loses half of what it has."""

FULL, GONE = 0.75, 1.0
"""Distances from a face's middle, in its box's width and height, up to which it is replaced wholly and from which on
not at all; a box's corner lies at 0.71."""


def blurred(images: Images, faces: Sequence[Face], kept: Sequence[Face] = ()) -> Images:
    """Return the images with `faces` replaced by the mean colours of a few cells, and a soft edge around them.

    What lies inside a cell is lost, not hidden. Where a face meets one of `kept`, a pixel belongs to the one whose
    middle is nearer, measured in that face's size. Samples come out in whole levels of 8 bits; without `faces` the
    very same images come back.
    """
    if not faces:
        return images
    result = images.clone()
    for face in faces:
        _replace(result, images, face.box, kept)
    return whole_levels(result)


def _replace(result: Images, images: Images, box: Box, kept: Sequence[Face]) -> None:
    height, width = images.shape[-2:]
    around = box.grown(GONE - 0.5)
    left, right = max(0, math.floor(around.left)), min(width, math.ceil(around.right))
    top, bottom = max(0, math.floor(around.top)), min(height, math.ceil(around.bottom))
    if left >= right or top >= bottom:
        return
    part = (..., slice(top, bottom), slice(left, right))
    across, down = torch.arange(left, right) + 0.5, torch.arange(top, bottom) + 0.5
    distance = _distance(box, across, down)
    mask = ((GONE - distance) / (GONE - FULL)).clamp(0, 1)
    for other in kept:
        mask = mask * (distance <= _distance(other.box, across, down))
    mask = mask.to(images)
    result[part] = (1 - mask) * result[part] + mask * _coarse(images[part], max(SMALLEST_CELL, box.width / CELLS))


def _distance(box: Box, across: Float[Tensor, " w"], down: Float[Tensor, " h"]) -> Float[Tensor, "h w"]:
    """Return how far pixels lie from the box's middle, in units of its width and height."""
    x = (across - (box.left + box.right) / 2) / box.width
    y = (down - (box.top + box.bottom) / 2) / box.height
    return (x[None] ** 2 + y[:, None] ** 2).sqrt()


def _coarse(part: Images, cell: float) -> Images:
    """Return the part from the mean colours of cells of about `cell` pixels, blended from middle to middle."""
    height, width = part.shape[-2:]
    cells = (max(1, round(height / cell)), max(1, round(width / cell)))
    return interpolate(adaptive_avg_pool2d(part, cells), (height, width), mode="bilinear", align_corners=False)
