"""From a picture and its faces to a verdict on each face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.forensics.heat import can_localise, pictured
from deepguard.forensics.judgeable import doubts
from deepguard.forensics.loading import Judge, leading, scores, specs
from deepguard.forensics.purify import COPIES
from deepguard.forensics.verdict import FaceVerdict, Word
from deepguard.forensics.weighing import Figures, weighed
from deepguard.models.crop import cut
from deepguard.models.roles import CropSpec
from deepguard.types import Face, Images, Note, Progress, Watch, ignore

Crops = Mapping[CropSpec, Images]
"""The same faces as every judge wants them."""


@dataclass(frozen=True)
class Judged:
    """The verdicts on the faces of one picture, in their order, and heat maps (PNG) by the numbers of the faces."""

    faces: tuple[FaceVerdict, ...]
    heat: Mapping[int, bytes]


def judge_faces(
    images: Images, faces: Sequence[Face], judges: Sequence[Judge], *, heat: bool = False, watch: Watch = ignore
) -> Judged:
    """Judge each of one picture's (1x3xhxw) faces; `judges` are at least one."""
    why = [doubts(images, face) for face in faces]
    clear = [index for index, notes in enumerate(why) if not notes]
    watch(Progress("judging", 0, len(clear)))
    crops = crops_of(images, [faces[index] for index in clear], judges)
    figures = iter([weighed(each, judges) for each in logits_of(crops, judges)])
    verdicts = tuple(
        _verdict(number, face, notes, Figures() if notes else next(figures))
        for number, (face, notes) in enumerate(zip(faces, why, strict=True), start=1)
    )
    maps = heat_maps(crops, judges) if heat else ()
    watch(Progress("judging", len(clear), len(clear)))
    return Judged(verdicts, dict(zip([index + 1 for index in clear], maps, strict=False)))


def crops_of(images: Images, faces: Sequence[Face], judges: Sequence[Judge]) -> Crops:
    """Cut the faces of one picture as each of the judges wants them."""
    return {spec: cut(images, faces, spec).clamp(0, 1) for spec in specs(judges)}


def logits_of(crops: Crops, judges: Sequence[Judge]) -> list[dict[str, dict[str, float]]]:
    """Return, for each face, every judge's logit of each copy by its name."""
    tables = {judge.name: scores(crops[judge.classifier.crop], judge) for judge in judges}
    count = len(next(iter(crops.values())))
    return [{name: _named(table[index]) for name, table in tables.items()} for index in range(count)]


def heat_maps(crops: Crops, judges: Sequence[Judge]) -> tuple[bytes, ...]:
    """Return a heat map (PNG) of each face by the deciding judge; none where it cannot tell where it looks."""
    judge = leading(judges) or judges[0]
    mine = crops[judge.classifier.crop]
    return pictured(mine, judge) if can_localise(judge.classifier) and len(mine) else ()


def _verdict(number: int, face: Face, why: tuple[Note, ...], figures: Figures) -> FaceVerdict:
    word = Word.CANNOT_JUDGE if why else figures.word
    return FaceVerdict(
        number=number,
        face=face,
        word=word,
        probability=figures.probability,
        low=figures.low,
        high=figures.high,
        spread=figures.spread,
        opinions=figures.opinions,
        reasons=(*why, *figures.reasons),
    )


def _named(row: Float[Tensor, " copies"]) -> dict[str, float]:
    return dict(zip(COPIES, torch.as_tensor(row).tolist(), strict=True))
