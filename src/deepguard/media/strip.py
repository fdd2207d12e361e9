"""Small pictures side by side in one JPEG, which one request brings, and single ones of the same kind."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from deepguard.media.picture import to_pixels
from deepguard.types import Box, Images

WIDEST = 65_500
"""Pixels across that a JPEG can have at most (65,535 in the format; decoders stop a little before)."""

Tile = Images | bytes
"""The first image of a batch, or a picture file."""


def small(tile: Tile, longest: int, *, quality: int = 80) -> bytes:
    """Return a JPEG of which neither side is longer than so many pixels."""
    image = _image(tile)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return _saved(image, quality)


def close_up(images: Images, box: Box, side: int) -> bytes:
    """Return the square around a box of the first image as a JPEG of `side` pixels; what lies outside is grey."""
    image = _image(images)
    reach = max(box.width, box.height, 1.0) * 0.7
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    square = tuple(round(edge) for edge in (across - reach, down - reach, across + reach, down + reach))
    inside = (max(0, square[0]), max(0, square[1]), min(image.width, square[2]), min(image.height, square[3]))
    canvas = Image.new("RGB", (square[2] - square[0], square[3] - square[1]), "#808080")
    if inside[0] < inside[2] and inside[1] < inside[3]:
        canvas.paste(image.crop(inside), (inside[0] - square[0], inside[1] - square[1]))
    return _saved(canvas.resize((side, side), Image.Resampling.LANCZOS), quality=85)


def strip(tiles: Sequence[Tile], width: int, height: int, *, quality: int = 75) -> bytes:
    """Return a JPEG of the tiles in one row, each scaled into a cell of that size and centred on black.

    At most `WIDEST // width` tiles are shown; ValueError for none.
    """
    shown = list(tiles)[: WIDEST // width]
    if not shown:
        raise ValueError("a strip needs a tile")
    row = Image.new("RGB", (width * len(shown), height))
    for place, tile in enumerate(shown):
        image = _image(tile)
        image.thumbnail((width, height), Image.Resampling.LANCZOS)
        row.paste(image, (place * width + (width - image.width) // 2, (height - image.height) // 2))
    return _saved(row, quality)


def _image(tile: Tile) -> Image.Image:
    if isinstance(tile, bytes):
        with Image.open(io.BytesIO(tile)) as opened:
            return opened.convert("RGB")
    return Image.fromarray(to_pixels(tile[0]))


def _saved(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
