"""A panel of text and pictures, written from top to bottom, two columns side by side where two things are compared."""

from __future__ import annotations

import io
from typing import TypeAlias

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from deepguard.media.lettering import broken, font_of
from deepguard.media.picture import to_pixels
from deepguard.types import Images

Colour: TypeAlias = tuple[int, int, int]

PAPER: Colour = (252, 252, 250)
INK: Colour = (22, 26, 34)
SOFT: Colour = (86, 94, 112)
LINE: Colour = (213, 218, 228)
BLANK: Colour = (232, 235, 241)

COLUMN, MARGIN, GAP = 512, 22, 12
WIDTH = 2 * COLUMN + 2 * MARGIN + GAP
"""Pixels: two columns as wide as a tile, and what is around and between them; 1080, as wide as a phone's picture."""
LEADING = 1.4


class Panel:
    """What has been written so far."""

    def __init__(self) -> None:
        self._rows: list[Image.Image] = []

    def write(self, text: str, size: int, colour: Colour = INK) -> None:
        """Write a paragraph across the panel, at `size` pixels."""
        self._rows.append(_row(_paragraph(text, size, colour, WIDTH - 2 * MARGIN)))

    def compare(self, left: str, right: str, size: int, colour: Colour = INK) -> None:
        """Write two paragraphs side by side."""
        self._rows.append(_row(*(_paragraph(text, size, colour, COLUMN) for text in (left, right))))

    def show(self, left: Images | None, right: Images | None, missing: str) -> None:
        """Show the first picture of each batch, fitted into the columns; `missing` says why one is not there."""
        self._rows.append(_row(*(_tile(images, missing) for images in (left, right))))

    def rule(self) -> None:
        """Draw a line."""
        line = Image.new("RGB", (WIDTH, 25), PAPER)
        ImageDraw.Draw(line).line((MARGIN, 12, WIDTH - MARGIN, 12), fill=LINE, width=2)
        self._rows.append(line)

    def space(self, height: int) -> None:
        """Leave so many pixels free."""
        self._rows.append(Image.new("RGB", (WIDTH, height), PAPER))

    def png(self, packet: bytes) -> bytes:
        """Return the panel as a PNG with an XMP packet."""
        sheet = Image.new("RGB", (WIDTH, sum(row.height for row in self._rows)), PAPER)
        top = 0
        for row in self._rows:
            sheet.paste(row, (0, top))
            top += row.height
        notes = PngInfo()
        notes.add_itxt("XML:com.adobe.xmp", packet.decode())
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG", pnginfo=notes, optimize=True)
        return buffer.getvalue()


def _row(*columns: Image.Image) -> Image.Image:
    row = Image.new("RGB", (WIDTH, max(column.height for column in columns)), PAPER)
    for place, column in enumerate(columns):
        row.paste(column, (MARGIN + place * (COLUMN + GAP), 0))
    return row


def _paragraph(text: str, size: int, colour: Colour, width: int, paper: Colour = PAPER) -> Image.Image:
    lines = broken(text, size, width)
    paragraph = Image.new("RGB", (width, max(1, round(LEADING * size * len(lines)))), paper)
    draw = ImageDraw.Draw(paragraph)
    for place, line in enumerate(lines):
        draw.text((0, round((place + 0.5) * LEADING * size)), line, fill=colour, font=font_of(size), anchor="lm")
    return paragraph


def _tile(images: Images | None, missing: str) -> Image.Image:
    if images is not None:
        picture = Image.fromarray(to_pixels(images[0]))
        picture.thumbnail((COLUMN, COLUMN), Image.Resampling.LANCZOS)
        return picture
    blank = Image.new("RGB", (COLUMN, COLUMN), BLANK)
    words = _paragraph(missing, 30, SOFT, COLUMN - 80, BLANK)
    blank.paste(words, (40, (COLUMN - words.height) // 2))
    return blank
