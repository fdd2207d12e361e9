"""How close the delivered picture is to the original, on the whole and on each face."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from deepguard.measures.roles import Measure
from deepguard.prove.report import Quality
from deepguard.types import Box, Face, Images


def compare(
    original: Images, delivered: Images, faces: Sequence[Face], measures: Mapping[str, Measure]
) -> tuple[Quality, tuple[Quality, ...]]:
    """Return the quality of the picture and of each face's box, by the measures that are at hand."""
    cut = [(_cut(original, face.box), _cut(delivered, face.box)) for face in faces]
    whole, *each = [_quality(one, other, measures) for one, other in [(original, delivered), *cut]]
    return whole, tuple(each)


def _cut(images: Images, box: Box) -> Images:
    height, width = images.shape[-2:]
    inside = box.intersection(Box(0, 0, width, height))
    left, top = math.floor(inside.left), math.floor(inside.top)
    return images[..., top : math.ceil(inside.bottom), left : math.ceil(inside.right)]


def _quality(original: Images, delivered: Images, measures: Mapping[str, Measure]) -> Quality:
    values = {name: float(measure(original, delivered)) for name, measure in measures.items()}
    psnr = values["psnr"]
    return Quality(values["ssim"], psnr if math.isfinite(psnr) else None, values.get("lpips"))
