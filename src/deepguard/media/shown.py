"""Pictures as every browser shows them: JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from deepguard.media.picture import Picture, Pixels, to_pixels
from deepguard.types import Images

SHOWN = ("JPEG", "PNG", "WEBP", "BMP")
"""Containers that browsers show themselves."""

_PAPER = 255


def shown(picture: Picture, images: Images, *, quality: int, longest: int | None = None) -> bytes:
    """Return `images`, a version of `picture.images`, as a JPEG with its colour profile and no other metadata.

    Without `longest` it keeps its size and has chroma in full; with it, neither side is longer than so many pixels.
    What is transparent is shown on white.
    """
    image = Image.fromarray(_on_paper(picture, to_pixels(images[0])))
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    if picture.coding.single:
        # the file's profile is one of grey
        image = image.convert("L")
    buffer = io.BytesIO()
    profile = {"icc_profile": picture.coding.icc} if picture.coding.icc else {}
    image.save(buffer, "JPEG", quality=quality, subsampling="4:4:4" if longest is None else "4:2:0", **profile)
    return buffer.getvalue()


def _on_paper(picture: Picture, pixels: Pixels) -> Pixels:
    if picture.alpha is None:
        return pixels
    opacity = picture.alpha.numpy()[..., None] / np.float32(255)
    laid: Pixels = np.rint(pixels * opacity + _PAPER * (1 - opacity)).astype(np.uint8)
    return laid
