"""What posting does to a picture, with the real codecs."""

from __future__ import annotations

from typing import Literal

import torch

from deepguard.media.codec import recompress, resample
from deepguard.transforms.posting import Cap, Posting, Scale
from deepguard.transforms.resize import Kernel
from deepguard.types import Images, Rng


def posted(images: Images, chain: Posting, rng: Rng) -> Images:
    """Return the pictures as they come back from a platform; qualities within the chain's ranges come from `rng`."""
    for step in chain.steps:
        if isinstance(step, Cap):
            images = _resized(images, min(1.0, step.long_side / max(images.shape[-2:])), step.kernel)
        elif isinstance(step, Scale):
            images = _resized(images, step.factor, step.kernel)
        else:
            quality = int(torch.randint(step.lowest, step.highest + 1, (), generator=rng))
            images = recompress(images, step.kind, quality)
    return images


def _resized(images: Images, factor: float, kernel: Kernel) -> Images:
    height, width = images.shape[-2:]
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return images if size == (height, width) else resample(images, size, _PILLOW[kernel])


_PILLOW: dict[Kernel, Literal["lanczos", "bicubic", "bilinear", "box"]] = {
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "area": "box",
    "antialiased-bilinear": "bilinear",
    "antialiased-bicubic": "bicubic",
    "antialiased-lanczos": "lanczos",
}
"""The real resampler that stands for each differentiable one."""
