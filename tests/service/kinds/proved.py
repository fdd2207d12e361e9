"""Proofs that are made up, packed by the real kind: what the service and the page make of one needs no model."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from PIL import Image

from deepguard import api
from deepguard.media.sample import sample_file
from deepguard.prove.proof import (
    ARMS,
    COMBINED,
    DELIVERED,
    NOISE,
    ORIGINAL,
    PROTECTED,
    Check,
    Detection,
    Proof,
    Recognition,
    Share,
    Statement,
    Swap,
)
from deepguard.prove.report import FileFacts, Quality
from deepguard.service.kinds import prove
from deepguard.service.kinds.roles import Done, Work
from deepguard.types import Box, Face, Note, Watch, ignore
from deepguard.weights.shelf import Shelf

COLUMNS = (DELIVERED, "jpeg95", "jpeg75", "jpeg50", "half", "crop", "screenshot", "instagram", "kakaotalk", "reposted")
CONTROLLED = (DELIVERED, "jpeg75", "half")
FACES = (Face(Box(188.0, 62.0, 270.0, 170.0), 0.99), Face(Box(300.0, 60.0, 390.0, 170.0), 0.97))
ATTACKED = ("retinaface", "yolo5face", "s3fd", "dsfd", "pyramidbox", "scrfd", "yunet", "ultralight")
JUDGES = ("mtcnn",)
STILL_SEEN = {"jpeg50": 2, "half": 3, "screenshot": 1, "instagram": 2, "kakaotalk": 1, "reposted": 4}
"""Column -> how many of the detectors that were attacked find the first face there again."""
PIXELS = 50_000_000


@dataclasses.dataclass(frozen=True)
class _Made:
    """What the kind needs of a report of protecting."""

    output: FileFacts


def proof(faces: int = 1, *, judges: bool = True, known: bool = True, statement: str = "") -> Proof:
    """A proof of so many faces; the second face is found by all.

    Without `judges`, only attacked models took part; where it is not `known`, nobody knows which were attacked.
    """
    attacked = True if known else None
    rows = [_detection(name, attacked, place, faces) for place, name in enumerate(ATTACKED)]
    likenesses = [_recognition("mobilefacenet-ms1m", "mobilefacenet", attacked, 0.11, faces)]
    likenesses += [_recognition("mobilefacenet-casia", "mobilefacenet", attacked, 0.18, faces)]
    if judges:
        aside = False if known else None
        rows += [_detection(name, aside, 99, faces) for name in JUDGES]
        likenesses += [_recognition("face-api-resnet", "dlib-resnet", aside, 0.47, faces)]
        likenesses += [_recognition("mobilefacenet-litert", "mobilefacenet", aside, 0.21, faces)]
    rows.append(_detection(COMBINED, None, 99, faces))
    quality = Quality(0.962, 38.1, 0.031, 0.9, 0.2)
    return Proof(
        version="0.3.0", created="2026-11-22T05:30:00+00:00", device="cpu", seed=0, seconds={"attacking": 21.4},
        original=FileFacts("할머니 생신.png", "PNG", "ab" * 32, 791_555, 512, 512),
        protected=FileFacts("할머니 생신.protected.png", "PNG", "cd" * 32, 801_002, 512, 512),
        defence="shield", preset="balanced", arms=ARMS, columns=COLUMNS, faces=FACES[:faces],
        detections=tuple(rows), likenesses=tuple(likenesses), swaps=(_swap(faces),),
        picture_quality=quality, face_quality=(quality,) * faces,
        checks=(
            Check("original_found", True, "every detector finds a face in the original"),
            Check("noise", True, "random noise of the same size hides 0 of 9, as it should"),
            Check("judge_encoders", None, "nobody knows which encoders were attacked"),
            Check("black_box", False, "encoders that were not attacked are fooled more than those that were"),
        ),
        models={name: {f"{name}.safetensors": "ef" * 32} for name in (*ATTACKED, *JUDGES)},
        missing=("arcface-w600k-r50",),
        statement=Statement("self", "2026-11-22T05:29:00+00:00") if statement else None,
        notes=(Note("odd", "something that has no words yet"),),
    )  # fmt: skip


def worked(
    found: Proof,
    *,
    options: Mapping[str, Any] | None = None,
    earlier: Mapping[str, Path] | None = None,
    file: Path | None = None,
    watch: Watch = ignore,
) -> Done:
    """Run the kind on the sample photo, of which this is proved."""
    values = dict(options or {})
    facts = {"id": "an id", "attempt": 1, "created": "2026-11-22T05:29:00+00:00"}
    work = Work(
        file or sample_file(), found.original.name, values, PIXELS, Shelf(Path("nowhere"), offline=True),
        torch.device("cpu"), watch, facts=facts, earlier=earlier or {},
    )  # fmt: skip
    sheets = {name: sheet(name) for name in ("ko", "en")} if values.get("sheet") else {}
    clip = b"a clip" if values.get("clip") else None
    proved = SimpleNamespace(report=found, sheets=sheets, clip=clip)
    protected = SimpleNamespace(data=sample_file().read_bytes(), report=_Made(found.protected))
    with (
        mock.patch.object(prove, "models"),
        mock.patch.object(api, "protect", return_value=protected),
        mock.patch.object(api, "prove", return_value=proved) as asked,
    ):
        done = prove.Prove().run(work)
    assert asked.call_count == 1
    return done


@functools.cache
def sheet(language: str) -> bytes:
    """A picture where the sheet would be: two tiles beside each other, no swap."""
    side = 512
    drawn = Image.new("RGB", (2 * side + 48, side + 160), "white")
    with Image.open(sample_file()) as opened:
        face = opened.convert("RGB").crop((150, 20, 310, 180)).resize((side, side))
    for place in range(2):
        drawn.paste(face, (16 + place * (side + 16), 16))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def report_of(done: Done) -> dict[str, Any]:
    """The report among what a job made."""
    body: dict[str, Any] = json.loads(done.made[0].data)
    return body


def _columns(arm: str) -> Sequence[str]:
    return COLUMNS if arm == PROTECTED else CONTROLLED


def _detection(name: str, attacked: bool | None, place: int, faces: int) -> Detection:
    def finds(arm: str, column: str) -> tuple[bool, ...]:
        first = arm != PROTECTED or place >= len(ATTACKED) or place < STILL_SEEN.get(column, 0)
        return (first, True)[:faces]

    found = {arm: {column: finds(arm, column) for column in _columns(arm)} for arm in ARMS}
    again = {arm: (finds(arm, DELIVERED)[0] or place % 4 == 0, True)[:faces] for arm in ARMS}
    return Detection(name, attacked, found, again)


def _recognition(name: str, family: str, attacked: bool | None, cosine: float, faces: int) -> Recognition:
    def cosines(arm: str, column: str) -> tuple[float | None, ...]:
        worn = 0.02 * COLUMNS.index(column)
        first = {ORIGINAL: 1.0 - worn, PROTECTED: cosine + worn, NOISE: 0.98 - worn}[arm]
        return (first, 0.9 - worn)[:faces]

    kept = {arm: {column: cosines(arm, column) for column in COLUMNS} for arm in ARMS}
    threshold = None if name == "mobilefacenet-litert" else 0.36
    return Recognition(name, family, attacked, threshold, 0.44 if threshold else None, kept, kept)


def _swap(faces: int) -> Swap:
    judges = ("mobilefacenet-ms1m", "face-api-resnet")
    first = {ORIGINAL: 0.62, PROTECTED: 0.18, NOISE: 0.6}
    kept = {arm: {DELIVERED: dict.fromkeys(judges, (first[arm], 0.6)[:faces])} for arm in ARMS}
    cidr = {arm: {DELIVERED: dict.fromkeys(judges, (0.0 if arm == NOISE else 0.51, 0.02)[:faces])} for arm in ARMS[1:]}
    lost = {
        arm: {DELIVERED: {name: Share(int(arm == PROTECTED), faces, 0.1, 0.9) for name in judges}} for arm in ARMS[1:]
    }
    unseen = {arm: {DELIVERED: (False,) * faces} for arm in ARMS}
    return Swap("warp", "astronaut", 0, unseen, kept, cidr, lost)
