"""The band that every shown swap bears in its pixels, so that it is worth nothing to anybody but its owner."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.media.lettering import fitting, lettered, strewn
from deepguard.types import Images

TEXT = "딥페이크 시험 결과 · TEST / AI 합성"
OPACITY = 0.25
"""Of the repeats across the picture; the band at the foot hides what is below it wholly."""
FOOT = 0.1
"""The foot's share of the height."""
COLOUR = (0.62, 0.07, 0.07)


def banded(images: Images) -> Images:
    """Return the pictures with the text across all of them, and once more on a band at the foot.

    The repeats lie on the face, so that cutting the foot off does not help.
    """
    height, width = images.shape[-2:]
    letters, outlined = _strewn(height, width).to(images)
    marked: Images = images + OPACITY * outlined * (letters - images)
    tall = max(1, round(FOOT * height))
    marked[..., height - tall :, :] = _foot(tall, width).to(images)
    return marked


@functools.lru_cache(maxsize=8)
def _strewn(height: int, width: int) -> Float[Tensor, "2 h w"]:
    return strewn(TEXT, max(8, min(height, width) // 22), (height, width))


@functools.lru_cache(maxsize=8)
def _foot(height: int, width: int) -> Float[Tensor, "3 h w"]:
    letters = lettered(TEXT, fitting(TEXT, round(0.94 * width), round(0.72 * height)))[:height, :width]
    cover = torch.zeros(height, width)
    top, left = (height - letters.shape[0]) // 2, (width - letters.shape[1]) // 2
    cover[top : top + letters.shape[0], left : left + letters.shape[1]] = letters
    colour = torch.tensor(COLOUR)[:, None, None]
    return colour + cover * (1 - colour)
