"""How close the delivered picture is to the original, on the whole and on each face."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from deepguard.measures.ceilings import FACE, PICTURE
from deepguard.measures.roles import Measure
from deepguard.prove.report import Quality
from deepguard.types import Face, Images


def compare(
    original: Images, delivered: Images, faces: Sequence[Face], measures: Mapping[str, Measure]
) -> tuple[Quality, tuple[Quality, ...]]:
    """Return the quality of the picture and of each face's box, by the measures that are at hand and made for it."""
    of_any = {name: measure for name, measure in measures.items() if measure.of == "any"}
    places = [face.box.pixels(*original.shape[-2:]) for face in faces]
    of_faces = [
        _quality(original[..., rows, columns], delivered[..., rows, columns], measures) for rows, columns in places
    ]
    return _quality(original, delivered, of_any), tuple(of_faces)


def excess(picture: Quality, faces: Sequence[Quality]) -> float:
    """Return the worst share of a ceiling of visibility that is used: 1 at the ceiling, more above it.

    The ceilings of the whole picture and of faces are those of `deepguard.measures.ceilings`; what was not measured
    is ignored, so the true share may be larger.
    """
    shares = [FACE.used(dataclasses.asdict(face)) for face in faces]
    return max([PICTURE.used(dataclasses.asdict(picture)), *shares])


def _quality(original: Images, delivered: Images, measures: Mapping[str, Measure]) -> Quality:
    values = {name: float(measure(original, delivered)) for name, measure in measures.items()}
    psnr = values["psnr"]
    return Quality(
        values["ssim"],
        psnr if math.isfinite(psnr) else None,
        values.get("lpips"),
        values.get("marbling"),
        values.get("chroma"),
    )
