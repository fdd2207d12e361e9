"""Made-up proofs, and an encoder that is a toy: what tables, checks and comparisons are tested with."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.roles import Template
from deepguard.prove.intervals import share_of
from deepguard.prove.proof import ARMS, Check, Detection, Proof, Recognition, Statement, Swap
from deepguard.prove.report import FileFacts, Quality
from deepguard.types import Box, Face, Note

COLUMNS = ("delivered", "jpeg75")
POINTS = ((38.0, 51.0), (74.0, 51.0), (56.0, 72.0), (41.0, 92.0), (71.0, 92.0))
QUALITY = Quality(0.97, 40.0, 0.03)


@dataclass(frozen=True)
class Grey:
    """Sees the coarse brightness of a crop, mean taken out; one that is a judge has no gradient."""

    family: str = "toy"
    gradient: bool = True

    @property
    def template(self) -> Template:
        return Template(112, 112, POINTS)

    def embed(self, crops: Tensor) -> Tensor:
        small = functional.adaptive_avg_pool2d(crops.mean(dim=1, keepdim=True), 8).flatten(1)
        return functional.normalize(small - small.mean(dim=1, keepdim=True))


def face(left: float = 10, top: float = 10, side: float = 100, *, marks: bool = True) -> Face:
    """A face whose landmarks lie in its box as on the toy's template."""
    points = tuple((left + x * side / 112, top + y * side / 112) for x, y in POINTS) if marks else ()
    return Face(Box(left, top, left + side, top + side), 0.9, points)


def everywhere(value: Any, **others: Any) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Arm -> column -> one value for the one face; other values for arms by name."""
    return {arm: dict.fromkeys(COLUMNS, (others.get(arm, value),)) for arm in ARMS}


def detection(name: str = "one", *, attacked: bool | None = True, **found: bool) -> Detection:
    """A detector that finds the face but where it is said otherwise."""
    return Detection(name, attacked, everywhere(True, **found), dict.fromkeys(ARMS, (True,)))


def recognition(
    name: str = "who",
    *,
    attacked: bool | None = True,
    threshold: float | None = 0.4,
    family: str = "toy",
    **cosines: float,
) -> Recognition:
    """An encoder that takes the protected face for a stranger, but where it is said otherwise."""
    values = everywhere(0.9, **{"protected": 0.1, **cosines})
    strict = None if threshold is None else threshold + 0.1
    return Recognition(name, family, attacked, threshold, strict, values, values)


def swap(name: str = "warp", **cosines: float) -> Swap:
    """A swap that matches from the original, and not from the protected picture."""
    kept = {arm: {"delivered": {"who": (cosines.get(arm, 0.6),)}} for arm in ARMS}
    lost = {"protected": {"delivered": {"who": (0.5,)}}, "noise": {"delivered": {"who": (0.0,)}}}
    failures = {"protected": {"delivered": {"who": share_of([True])}}, "noise": {"delivered": {"who": None}}}
    failed = {arm: {"delivered": (arm == "protected",)} for arm in ARMS}
    return Swap(name, "astronaut", 0, failed, kept, lost, failures)


def facts(name: str) -> FileFacts:
    return FileFacts(name, "JPEG", "a" * 64, 1000, 200, 220)


def proof(**changes: Any) -> Proof:
    """A proof of one face by one detector, one encoder and one swapper."""
    plain = Proof(
        version="1",
        created="2026-01-01T00:00:00+00:00",
        device="cpu",
        seed=0,
        seconds={"finding": 1.0, "attacking": 2.0},
        original=facts("a.jpg"),
        protected=facts("a.protected.jpg"),
        defence="shield",
        preset="balanced",
        arms=ARMS,
        columns=COLUMNS,
        faces=(face(),),
        detections=(detection(protected=False), detection("combined", attacked=None, protected=False)),
        likenesses=(recognition(),),
        swaps=(swap(),),
        picture_quality=QUALITY,
        face_quality=(QUALITY,),
        checks=(Check("noise", True, "random noise hides nothing"), Check("gradients", None, "nobody knows")),
        models={"one": {"one.onnx": "b" * 64}, "who": {"who.onnx": "c" * 64}},
        missing=("other",),
        statement=Statement("self", "2026-01-01T00:00:00+00:00"),
        notes=(Note("no_encoder", "something to know"),),
    )
    return dataclasses.replace(plain, **changes)


def bright(*places: tuple[int, int], size: tuple[int, int] = (240, 260)) -> Tensor:
    """A grey picture with a few pixels of 2 x 2 that are white."""
    picture = torch.full((1, 3, *size), 0.25)
    for x, y in places:
        picture[..., y : y + 2, x : x + 2] = 1
    return picture
