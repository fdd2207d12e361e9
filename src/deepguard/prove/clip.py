"""The clip of a proof: both swaps moving through the driving sequence, side by side, the band in each frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from deepguard.media.film_writer import film
from deepguard.media.lettering import fitting, lettered
from deepguard.media.metadata import COMPOSITE, packet
from deepguard.prove.bench import CLIP_SIDE
from deepguard.prove.driving import COUNT, RATE
from deepguard.prove.proof import ORIGINAL, PROTECTED
from deepguard.types import Images

HEADS = {ORIGINAL: "원본 · Original", PROTECTED: "보호본 · Protected"}
NOTHING = "얼굴을 찾지 못함 · no face found"
HEAD, GAP = 44, 8
"""Pixels above and between the two."""
GROUND, BLANK = 0.08, 0.2


def clip(frames: Mapping[str, Images | None]) -> bytes:
    """Return an MP4 of four seconds, marked in its metadata as composite; MP4 players repeat it where asked.

    `frames` are arm -> `prove.bench.Attempt.frames`; None where there was nothing to swap.
    """
    return film(_frames([_column(HEADS[arm], frames.get(arm)) for arm in HEADS]), RATE, packet(COMPOSITE))


def _frames(columns: list[Images]) -> Iterator[Images]:
    gap = torch.full((1, 3, HEAD + CLIP_SIDE, GAP), GROUND)
    for place in range(COUNT):
        left, right = (column[place % len(column)][None] for column in columns)
        yield torch.cat((left, gap, right), dim=-1)


def _column(head: str, frames: Images | None) -> Images:
    """Return one arm's frames with its name above; a single one where there was nothing to swap."""
    shown = _written(NOTHING, CLIP_SIDE, BLANK) if frames is None else frames
    return torch.cat((_written(head, HEAD, GROUND).expand(len(shown), -1, -1, -1), shown), dim=-2)


def _written(text: str, height: int, ground: float) -> Images:
    """Return a line of white text in the middle of a grey field as wide as a frame."""
    letters = lettered(text, fitting(text, CLIP_SIDE - 24, 26))
    field = torch.full((1, 3, height, CLIP_SIDE), ground)
    top, left = (height - letters.shape[0]) // 2, (CLIP_SIDE - letters.shape[1]) // 2
    field[..., top : top + letters.shape[0], left : left + letters.shape[1]] += letters * (1 - ground)
    return field
