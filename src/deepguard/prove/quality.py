"""How close the delivered picture is to the original, on the whole and on each face."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from deepguard.measures.ceilings import FACE, PICTURE, used
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
    is ignored, so that the share can only be larger than told.
    """
    shares = [used(dataclasses.asdict(face), FACE) for face in faces]
    return max(used(dataclasses.asdict(picture), PICTURE), *shares, 0.0)


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
