"""Letters in the font of this project, as how much of each pixel they cover."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

FONT_FILE = Path(__file__).parent / "fonts" / "deepguard-hangul.ttf"


def lettered(text: str, size: int) -> Float[Tensor, "h w"]:
    """Return one line of text at `size` pixels: how much of each pixel the letters cover, in [0, 1]."""
    font = font_of(size)
    ascent, descent = font.getmetrics()
    sheet = Image.new("L", (max(1, math.ceil(font.getlength(text))), ascent + descent))
    ImageDraw.Draw(sheet).text((0, ascent), text, fill=255, font=font, anchor="ls")
    return _cover(sheet)


def strewn(text: str, size: int, area: tuple[int, int], *, angle: float = 30.0) -> Float[Tensor, "2 h w"]:
    """Return rows of the text repeated all over an area of (height, width), turned by `angle` degrees.

    First what the letters cover, then the letters with their outline, both in [0, 1]. Every second row is shifted by
    half, so that no column stays free.
    """
    height, width = area
    font = font_of(size)
    line, step = round(2.6 * size), math.ceil(font.getlength(text)) + 2 * size
    reach = math.ceil(math.hypot(height, width))
    covers = []
    for outline in (0, max(1, size // 12)):
        sheet = Image.new("L", (reach, reach))
        draw = ImageDraw.Draw(sheet)
        for row, top in enumerate(range(0, reach, line)):
            for left in range(-(row % 2) * step // 2, reach, step):
                draw.text((left, top), text, fill=255, font=font, stroke_width=outline)
        turned = sheet.rotate(angle, Image.Resampling.BICUBIC)
        left, top = (reach - width) // 2, (reach - height) // 2
        covers.append(_cover(turned.crop((left, top, left + width, top + height))))
    return torch.stack(covers)


def fitting(text: str, width: int, largest: int) -> int:
    """Return the largest size in pixels, at most `largest`, at which a line of the text is not wider than `width`."""
    return next((size for size in range(largest, 1, -1) if font_of(size).getlength(text) <= width), 1)


def broken(text: str, size: int, width: int) -> list[str]:
    """Return the text in lines of at most `width` pixels, broken between words; a longer word stays whole."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font_of(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@functools.lru_cache(maxsize=64)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Return the font at `size` pixels."""
    return ImageFont.truetype(FONT_FILE, size)


def _cover(sheet: Image.Image) -> Float[Tensor, "h w"]:
    return torch.from_numpy(np.asarray(sheet).astype(np.float32) / 255)
