"""What platforms do to a posted picture, with the real codecs and resamplers: 8 bits between all steps."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from PIL import Image

from deepguard.media.picture import to_images, to_pixels
from deepguard.types import Images

Subsampling: TypeAlias = Literal["4:4:4", "4:2:2", "4:2:0"]
Kernel: TypeAlias = Literal["lanczos", "bicubic", "bilinear", "box"]

_KERNELS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}


def recompress(
    images: Images, kind: Literal["jpeg", "webp"], quality: int, subsampling: Subsampling = "4:2:0"
) -> Images:
    """Return what is left of 8-bit `images` after one round through a codec; not differentiable.

    `quality` is libjpeg's or libwebp's, 1 to 100; WebP is always 4:2:0.
    """
    return _each(images, lambda image: _coded(image, kind, quality, subsampling))


def resample(images: Images, size: tuple[int, int], kernel: Kernel = "lanczos") -> Images:
    """Return `images` at (height, width), with Pillow's antialiasing kernels on 8 bits; not differentiable."""
    height, width = size
    return _each(images, lambda image: image.resize((width, height), _KERNELS[kernel]))


def _each(images: Images, change: Callable[[Image.Image], Image.Image]) -> Images:
    changed = [to_images(np.asarray(change(Image.fromarray(to_pixels(image))))) for image in images]
    return torch.cat(changed).to(images.device)


def _coded(image: Image.Image, kind: str, quality: int, subsampling: Subsampling) -> Image.Image:
    buffer = io.BytesIO()
    options = {"subsampling": subsampling} if kind == "jpeg" else {}
    image.save(buffer, kind, quality=quality, **options)
    with Image.open(buffer, formats=[kind]) as decoded:
        return decoded.convert("RGB")
