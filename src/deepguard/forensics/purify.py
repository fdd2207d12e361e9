"""Copies of a crop that lost what an attacker may have hidden in it: the image-processing defence.

Resizing, JPEG and the median throw faint patterns away and keep the face. Their mean with the plain crop is harder to
move than the plain crop alone, and where the copies disagree somebody may have tampered with the pixels. An attacker
who knows of it attacks through it (Athalye et al. 2018), for which `soft_copies` is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.media.codec import recompress
from deepguard.transforms.jpeg import compressed
from deepguard.transforms.resize import Kernel, resized
from deepguard.types import Images

PLAIN = "plain"
COPIES = (PLAIN, "small", "jpeg15", "jpeg75", "median")
"""Names of the copies, in the order of a verdict."""

SMALL = 74
"""Pixels of the side through which `small` goes."""

_SORTING = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)
"""Exchanges after which the middle of nine values is their median (Smith 1996, after Paeth 1990)."""


def copies(crops: Images) -> Mapping[str, Images]:
    """Return every copy of the crops by its name, of the same shape, with libjpeg itself; not differentiable."""
    return _made(crops, lambda images, quality: recompress(images, "jpeg", quality))


def soft_copies(crops: Images) -> Mapping[str, Images]:
    """Return every copy of the crops by its name with gradients: JPEG is `transforms.jpeg`, straight through."""
    return _made(crops, lambda images, quality: compressed(images, [quality] * len(images)))


def median(images: Images) -> Images:
    """Return the median of each channel's 3x3 pixels; the edge goes on beyond the picture. Differentiable."""
    height, width = images.shape[-2:]
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    nine: list[Tensor] = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    for first, second in _SORTING:
        nine[first], nine[second] = (
            torch.minimum(nine[first], nine[second]),
            torch.maximum(nine[first], nine[second]),
        )
    return nine[4]


def _made(crops: Images, jpeg: Callable[[Images, int], Images]) -> dict[str, Images]:
    if not len(crops):
        return dict.fromkeys(COPIES, crops)
    return {
        PLAIN: crops,
        "small": _through(crops, SMALL),
        "jpeg15": jpeg(crops, 15),
        "jpeg75": jpeg(crops, 75),
        "median": median(crops),
    }


def _through(images: Images, side: int) -> Images:
    height, width = images.shape[-2:]
    kernel: Kernel = "antialiased-bilinear"
    return resized(resized(images, (min(side, height), min(side, width)), kernel), (height, width), kernel)
