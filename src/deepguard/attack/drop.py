"""Detail taken out of a picture, as by a JPEG whose table of steps is learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.attack.spectrum import cosines, pixels
from deepguard.transforms.jpeg import TO_RGB, TO_YCC, mixed
from deepguard.types import Images

BLOCK = 8
"""Pixels of a block's side."""

COARSEST = 40.0
"""Largest step of the table, in levels of 255: that of JPEG at a quality of about 30 in the middle frequencies."""

Table = Float[Tensor, "3 8 8"]
"""How coarse each frequency of each of Y, Cb, Cr is, in [0, 1]: 0 leaves it as it is."""


class Drop:
    """Quantises the cosines of a picture's blocks by a table (AdvDrop, Duan et al. 2021).

    It takes detail away rather than adding any, so that compression has less left to take.
    """

    def __init__(self, clean: Images, mask: Float[Tensor, "1 1 h w"]) -> None:
        """Take the picture (1x3xhxw in [0, 1]) and how much of it may change where, in [0, 1]."""
        self.clean = clean
        self.mask = mask
        height, width = clean.shape[-2:]
        room = functional.pad(clean, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
        self._shape = room.shape[-2:]
        self._cosines = cosines(_blocks(255 * mixed(room, TO_YCC)))

    def over(self, table: Table) -> Images:
        """Return the picture with what the table drops; differentiable in the table.

        Rounding passes the gradient straight through, so that a step of size q moves a cosine c by its rounding error:
        d(q round(c / q)) / dq = round(c / q) - c / q.
        """
        size = 1 + table[:, None, None] * (COARSEST - 1)
        ratio = self._cosines / size
        whole = ratio + (ratio.round() - ratio).detach()
        kept = torch.where(table[:, None, None] > 0, whole * size, self._cosines)
        height, width = self.clean.shape[-2:]
        images = mixed(_joined(pixels(kept), self._shape) / 255, TO_RGB)[..., :height, :width]
        return (self.clean + self.mask * (images - self.clean)).clamp(0, 1)


def _blocks(planes: Tensor) -> Tensor:
    """Return the planes (1x3xhxw) as 3 x rows x columns x 8 x 8."""
    _, channels, height, width = planes.shape
    return planes.view(channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(2, 3)


def _joined(blocks: Tensor, shape: torch.Size) -> Tensor:
    return blocks.transpose(2, 3).reshape(1, blocks.shape[0], *shape)
