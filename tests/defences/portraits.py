"""Painted faces whose roughness is known: ellipses in the colour of skin, before something rough of another colour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deepguard.defences.regions import Region, regions
from deepguard.types import Box, Face

SKIN = torch.tensor([0.7, 0.55, 0.45])[:, None, None]
BEHIND = torch.tensor([0.4, 0.5, 0.6])[:, None, None]


def portrait(size: tuple[int, int], *boxes: Box, pores: Sequence[float] = (), rough: float = 0.06) -> Tensor:
    """Return a picture of (height, width) with a face in each box.

    `pores` is how much each face's brightness varies from pixel to pixel, .004 where it is left out; `rough` the same
    of what surrounds them.
    """
    chance = torch.Generator().manual_seed(3)
    grain = 2 * torch.rand(size, generator=chance) - 1
    picture = BEHIND + rough * grain
    height, width = size
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    for box, own in zip(boxes, pores or [0.004] * len(boxes), strict=True):
        across = (x - (box.left + box.right) / 2) / (box.width / 2)
        down = (y - (box.top + box.bottom) / 2) / (box.height / 2)
        picture = torch.where(across**2 + down**2 < 1, SKIN + own * grain, picture)
    return picture[None].clamp(0, 1)


def masked(picture: Tensor, box: Box) -> Tensor:
    """Return the picture with a loud print in the box: four colours far from their middle, all of one brightness."""
    turns = torch.randint(4, picture.shape[-2:], generator=torch.Generator().manual_seed(4)) * torch.pi / 2
    red, blue = 0.5 + 0.2 * turns.sin() / 0.713, 0.5 + 0.2 * turns.cos() / 0.564
    green = (0.5 - 0.299 * red - 0.114 * blue) / 0.587
    cut = (..., *box.pixels(*picture.shape[-2:]))
    result = picture.clone()
    result[cut] = torch.stack((red, green, blue))[cut]
    return result


def region_of(size: tuple[int, int], *boxes: Box, reach: float = 0.4) -> Region:
    """Return the one region that holds these faces."""
    (region,) = regions([Face(box, 0.9) for box in boxes], *size, reach=reach, context=0.2)
    return region


def whole(size: tuple[int, int], *boxes: Box, reach: float = 0.4) -> Region:
    """Return a region whose window is the whole picture."""
    return Region(Box(0, 0, size[1], size[0]), tuple(Face(box, 0.9) for box in boxes), reach)


def signs(*shape: int, seed: int = 5) -> Tensor:
    """Return a change of -1 and 1 by chance."""
    return 2.0 * torch.randint(2, shape, generator=torch.Generator().manual_seed(seed)) - 1
