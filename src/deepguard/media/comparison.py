"""One picture that shows what was changed: before, after, and the difference at a fixed scale."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deepguard.media.heatmap import SCALE, coloured, difference
from deepguard.media.picture import Pixels, to_pixels
from deepguard.types import Box, Images

LONG_SIDE = 1200
"""Pixels of a panel's longer side at most."""

_GAP = 24
_NARROWEST = 280
_PAPER = (250, 250, 248)
_INK = (30, 30, 34)
_QUIET = (110, 110, 116)
_AROUND_FACE = 0.35


@dataclass(frozen=True, slots=True)
class _Row:
    """Three panels of one size, side by side, with a line of text above each."""

    captions: tuple[str, str, str]
    panels: tuple[Image.Image, Image.Image, Image.Image]


def comparison(before: Images, after: Images, faces: Sequence[Box] = ()) -> bytes:
    """Return a PNG of the first image of each batch: before, after and difference side by side.

    The difference is the greatest of the three channels' absolute differences in 8-bit levels, coloured from black
    (0) to white (`SCALE` or more), never stretched to its own maximum. Panels are at most `LONG_SIDE` pixels long;
    below them the first of `faces` is shown at 100 %.
    """
    clean, changed = to_pixels(before[0]), to_pixels(after[0])
    distance = difference(clean, changed)
    rows = [_whole(clean, changed, distance)]
    if faces:
        rows.append(_closely(clean, changed, distance, faces[0]))
    buffer = io.BytesIO()
    _sheet(rows).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _whole(clean: Pixels, changed: Pixels, distance: NDArray[np.float32]) -> _Row:
    height, width = distance.shape
    shrunk = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * shrunk)), max(1, round(height * shrunk)))
    pictures = [Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS) for pixels in (clean, changed)]
    # the mean over each area: a thin pattern is shown as weak as it looks
    reduced = np.asarray(Image.fromarray(distance).resize(size, Image.Resampling.BOX))
    note = f"{width} x {height} px" + (f", shown at {round(100 * shrunk)} %" if shrunk < 1 else "")
    return _Row(
        (f"before, {note}", "after", f"difference, 0-{SCALE} of 255"), (pictures[0], pictures[1], coloured(reduced))
    )


def _closely(clean: Pixels, changed: Pixels, distance: NDArray[np.float32], face: Box) -> _Row:
    height, width = distance.shape
    around = face.grown(_AROUND_FACE)
    left, right = _span(around.left, around.right, width)
    top, bottom = _span(around.top, around.bottom, height)
    part = (slice(top, bottom), slice(left, right))
    return _Row(
        ("before, face at 100 %", "after, face at 100 %", f"difference, 0-{SCALE} of 255"),
        (Image.fromarray(clean[part]), Image.fromarray(changed[part]), coloured(distance[part])),
    )


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    """Return whole pixels inside the picture: at least one, at most `LONG_SIDE` around the middle."""
    longest = min(length, LONG_SIDE)
    wanted = min(max(1, math.ceil(end) - math.floor(start)), longest)
    first = min(max(0, round((start + end - wanted) / 2)), length - wanted)
    return first, first + wanted


def _sheet(rows: Sequence[_Row]) -> Image.Image:
    column = max(_NARROWEST, *(row.panels[0].width for row in rows))
    text = max(16, column // 40)
    line = 2 * text
    width = 3 * column + 4 * _GAP
    height = _GAP + sum(line + row.panels[0].height + _GAP for row in rows) + 2 * text
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    top = _GAP
    for row in rows:
        for at, (caption, panel) in enumerate(zip(row.captions, row.panels, strict=True)):
            left = _GAP + at * (column + _GAP)
            draw.text((left, top + line - text // 2), caption, fill=_INK, font=font, anchor="ls")
            sheet.paste(panel, (left, top + line))
        top += line + row.panels[0].height + _GAP
    _legend(sheet, (2 * column + 3 * _GAP, top - _GAP // 2), text)
    return sheet


def _legend(sheet: Image.Image, place: tuple[int, int], text: int) -> None:
    left, top = place
    width, height = 12 * text, text * 3 // 4
    ramp = np.linspace(0, SCALE, width, dtype=np.float32)[None].repeat(height, axis=0)
    sheet.paste(coloured(ramp), (left, top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_QUIET)
    font = ImageFont.load_default(text * 3 // 4)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        level = f"{SCALE * share:g}" + ("+" if share == 1 else "")
        draw.text((left + share * width, top + height + text // 3), level, fill=_QUIET, font=font, anchor="mt")
