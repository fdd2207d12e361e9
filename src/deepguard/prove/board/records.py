"""What a board holds: every photo with every change that was tried on it, as values and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from deepguard.prove.report import Quality
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Box, Face

SCHEMA = "deepguard/protect-board/1"

LARGE, MOST = 100.0, 3
"""Shorter side in pixels of the faces, and their most, of photos that are counted apart from groups and small faces."""

Kind: TypeAlias = Literal["ours", "without", "paper", "scaled", "noise"]
"""Where a change came from.

"ours": a defence with a preset, attacking every detector. "without": the same, attacking all but one. "paper": the
published recipe, attacking one. "scaled": that change made as faint as ours. "noise": ours with random signs.
"""


@dataclass(frozen=True, slots=True)
class Arm:
    """One change of one photo, and what was measured on the encoded file, read back.

    Attributes:
        name: unique in the photo; the same for all photos.
        kind: where the change came from.
        attacked: the detectors that it was made against; none for noise.
        judgements: of every detector at hand.
        picture_quality: of the whole picture.
        face_quality: of each face that is counted.
        excess: the worst share of a ceiling of visibility, 1 at the ceiling.
        seconds: of each part of the work; empty where the change was made from another.
        settings: the options of the defence, or the factor by which a change was made fainter.
    """

    name: str
    kind: Kind
    attacked: tuple[str, ...]
    judgements: tuple[Judgement, ...]
    picture_quality: Quality
    face_quality: tuple[Quality, ...]
    excess: float
    seconds: Mapping[str, float]
    settings: Mapping[str, float | int | bool]


@dataclass(frozen=True, slots=True)
class Photo:
    """One measured photo: its name and SHA-256, its size in pixels upright, the faces that are counted, the changes.

    `small` is how many more faces are too small to be protected; they are not counted. `memory` is the largest
    resident memory of the process in bytes up to the end of the photo.
    """

    name: str
    sha256: str
    width: int
    height: int
    faces: tuple[Face, ...]
    small: int
    arms: tuple[Arm, ...]
    memory: int = 0

    @property
    def few_and_large(self) -> bool:
        """Whether all its faces are large and few; the others are groups and small faces."""
        large = all(min(face.box.width, face.box.height) >= LARGE for face in self.faces)
        return large and not self.small and len(self.faces) <= MOST

    @property
    def megapixels(self) -> float:
        """Its size in millions of pixels."""
        return self.width * self.height / 1e6


@dataclass(frozen=True, slots=True)
class Absent:
    """A photo that is not counted, and why in one sentence; its SHA-256 where it could be read."""

    name: str
    reason: str
    sha256: str = ""


@dataclass(frozen=True)
class Board:
    """Everything that one run measured, enough to draw its tables.

    Attributes:
        version: of this program.
        created: when the tables were made, ISO 8601 in UTC.
        complete: whether the run came to its end.
        machine: device, cores and versions in words.
        options: what the run was told; among them `seed`.
        detectors: those at hand, in the order of the tables.
        missing: usual ones whose weights are not here.
        photos: in the order in which they were measured.
        left_out: photos without a face to protect, or with too many.
        failed: photos that could not be measured.
    """

    version: str
    created: str
    complete: bool
    machine: str
    options: Mapping[str, Any]
    detectors: tuple[str, ...]
    missing: tuple[str, ...]
    photos: tuple[Photo, ...]
    left_out: tuple[Absent, ...]
    failed: tuple[Absent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the board as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def board_of(body: Mapping[str, Any]) -> Board:
    """Return the board of what `Board.as_json` gave; ValueError where it is of another kind."""
    if body.get("schema") != SCHEMA:
        raise ValueError(f"this is no board of the schema {SCHEMA}")
    plain = {name: body[name] for name in ("version", "created", "complete", "machine", "options")}
    return Board(
        **plain,
        detectors=tuple(body["detectors"]),
        missing=tuple(body["missing"]),
        photos=tuple(photo_of(each) for each in body["photos"]),
        left_out=tuple(Absent(**each) for each in body["left_out"]),
        failed=tuple(Absent(**each) for each in body["failed"]),
    )


def photo_of(body: Mapping[str, Any]) -> Photo:
    """Return the photo of its JSON values."""
    faces = tuple(_face(each) for each in body["faces"])
    return Photo(**{**body, "faces": faces, "arms": tuple(_arm(each) for each in body["arms"])})


def _face(body: Mapping[str, Any]) -> Face:
    return Face(Box(**body["box"]), body["score"], tuple((x, y) for x, y in body["landmarks"]))


def _arm(body: Mapping[str, Any]) -> Arm:
    own = {
        "attacked": tuple(body["attacked"]),
        "judgements": tuple(_judgement(each) for each in body["judgements"]),
        "picture_quality": Quality(**body["picture_quality"]),
        "face_quality": tuple(Quality(**each) for each in body["face_quality"]),
    }
    return Arm(**{**body, **own})


def _judgement(body: Mapping[str, Any]) -> Judgement:
    after = {version: _sighting(each) for version, each in body["after"].items()}
    return Judgement(body["detector"], tuple(body["before"]), after)


def _sighting(body: Mapping[str, Any]) -> Sighting:
    retry = body["retry"]
    return Sighting(tuple(body["found"]), None if retry is None else tuple(retry))
