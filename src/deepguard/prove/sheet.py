"""The report sheet of a proof: what an attacker gets from the original and from the protected photo, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from deepguard.media.codec import resample
from deepguard.media.metadata import COMPOSITE, packet
from deepguard.media.panel import COLUMN, SOFT, Panel
from deepguard.prove import sheet_words as words
from deepguard.prove.proof import ORIGINAL, PROTECTED, Proof, Swap
from deepguard.prove.sheet_words import Language
from deepguard.types import Face, Images

SHOWN = (ORIGINAL, PROTECTED)
"""The arms of a sheet, from the left; random noise is a control among the figures and not shown."""
AROUND = 2.0
"""Side of the square that is shown of a photo, in lengths of the face's box."""


def closeup(images: Images, face: Face) -> Images:
    """Return the square around a face of one picture, 1x3x512x512: what stands at the top of a sheet."""
    height, width = images.shape[-2:]
    side = min(height, width, round(AROUND * max(face.box.width, face.box.height)))
    left = min(max(0, round((face.box.left + face.box.right - side) / 2)), width - side)
    top = min(max(0, round((face.box.top + face.box.bottom - side) / 2)), height - side)
    return resample(images[..., top : top + side, left : left + side], (COLUMN, COLUMN))


def sheet(
    proof: Proof,
    tiles: Mapping[tuple[str, str], Images | None],
    crops: Mapping[str, Images],
    language: Language,
    *,
    face: int = 0,
) -> bytes:
    """Return a PNG of one face's part of a proof, 1080 pixels wide, as a phone shows it.

    Args:
        proof: what was measured.
        tiles: (arm, swapper) -> what `prove.bench.attempt` shows of the swap, with the band in its pixels; None
            where there was nothing to swap.
        crops: arm -> the photo's face, as `closeup` gives it.
        language: of all sentences.
        face: which of the proof's faces.
    """
    panel = Panel()
    panel.space(20)
    panel.write(words.TITLE[language], 44)
    panel.write(words.LEAD[language], 28, SOFT)
    panel.write(words.which_face(proof, face, language), 28, SOFT)
    panel.space(14)
    panel.compare(*words.ARMS[language], 36)
    panel.show(crops.get(ORIGINAL), crops.get(PROTECTED), words.NOTHING[language])
    for tell in (words.finding, words.recognising):
        left, right = (tell(proof, arm, face, language) for arm in SHOWN)
        panel.compare(left, right, 28)
    for swap in proof.swaps:
        _swap(panel, proof, swap, tiles, language, face)
    _foot(panel, proof, language)
    return panel.png(packet(COMPOSITE))


def _swap(
    panel: Panel,
    proof: Proof,
    swap: Swap,
    tiles: Mapping[tuple[str, str], Images | None],
    language: Language,
    face: int,
) -> None:
    panel.rule()
    panel.write(words.swapping(swap, language), 32)
    panel.space(6)
    before, after = (tiles.get((arm, swap.swapper)) for arm in SHOWN)
    panel.show(before, after, words.NOTHING[language])
    left, right = (words.outcome(proof, swap, arm, face, language) for arm in SHOWN)
    panel.compare(left, right, 28)
    lines = (words.figures(proof, swap, arm, face, language) for arm in SHOWN)
    for left, right in itertools.zip_longest(*lines, fillvalue=""):
        panel.compare(left, right, 22, SOFT)


def _foot(panel: Panel, proof: Proof, language: Language) -> None:
    panel.rule()
    panel.write(words.MEANING[language], 26, SOFT)
    panel.write(words.LIMITS[language].format(date=proof.created[:10]), 26, SOFT)
    if proof.statement is not None:
        panel.write(words.STATED[proof.statement.by][language], 26, SOFT)
    panel.write(words.MADE[language].format(version=proof.version), 26, SOFT)
    panel.space(20)
