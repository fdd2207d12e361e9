"""What a proof measured: pictures under attack, side by side; its JSON schema is docs/reference/proof.schema.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from deepguard.prove.reading import read
from deepguard.prove.report import FileFacts, Quality
from deepguard.types import Face, Note

SCHEMA = "deepguard/prove-report/1"

ORIGINAL, PROTECTED, NOISE = "original", "protected", "noise"
ARMS = (ORIGINAL, PROTECTED, NOISE)
"""What is attacked side by side: the untouched photo, the protected one, and the photo with noise of that size."""

DELIVERED = "delivered"
"""The first column: the file as it is. The others are posting chains by name."""

COMBINED = "combined"
"""The row of an attacker who asks every detector."""

Seen: TypeAlias = Mapping[str, Mapping[str, tuple[bool, ...]]]
"""Arm -> column -> each face of the original. An arm lacks the columns that were not measured of it."""

Cosines: TypeAlias = Mapping[str, Mapping[str, tuple[float | None, ...]]]
"""Arm -> column -> each face's cosine with the same face in the original as delivered; None where there was no crop."""

Kept: TypeAlias = Mapping[str, Mapping[str, Mapping[str, tuple[float | None, ...]]]]
"""Arm -> column -> encoder -> each face's figure; None where nothing could be measured."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and the 95 % interval of the share (Wilson); all but the counts in [0, 1]."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The share; None of nothing."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Detection:
    """What one detector finds, or, as `COMBINED`, what any of them does.

    Attributes:
        detector: its name.
        attacked: whether the protection was made against it; None where nobody knows, and for `COMBINED`.
        found: which faces it finds at its own threshold.
        retried: arm -> which faces of the file as delivered are found by an attacker who tries again: threshold 0.3,
            half and twofold size, turned by 15, 30 and 90 degrees both ways.
    """

    detector: str
    attacked: bool | None
    found: Seen
    retried: Mapping[str, tuple[bool, ...]]


@dataclass(frozen=True, slots=True)
class Recognition:
    """Whether one encoder still takes each face for the person of the original.

    Attributes:
        encoder: its name.
        family: the kind of network and of training.
        attacked: whether the protection was made against it; None where nobody knows.
        threshold: cosine above which it counts two crops as one person, at a false-accept rate of 1e-3; None where it
            was never calibrated: then cosines are told, and no match.
        strict: the same at 1e-4.
        cosines: of crops cut at the original's landmarks, as by an attacker who found the face.
        found: of crops cut where an attacker's own detectors find the landmarks; None for a face that none finds.
    """

    encoder: str
    family: str
    attacked: bool | None
    threshold: float | None
    strict: float | None
    cosines: Cosines
    found: Cosines

    def matched(self, arm: str, column: str, *, strict: bool = False) -> tuple[bool | None, ...]:
        """Tell for each face whether it counts as the original's person; None where that is not known."""
        limit = self.strict if strict else self.threshold
        cosines = self.cosines.get(arm, {}).get(column, ())
        return tuple(None if limit is None or cosine is None else cosine > limit for cosine in cosines)


@dataclass(frozen=True, slots=True)
class Swap:
    """What one face swapper makes of each face, by the encoders that judge.

    Attributes:
        swapper: its name.
        counterpart: id of the bundled picture on the other side.
        steps: of training on the spot; 0 where nothing is trained.
        failed_extraction: faces that none of the attacker's detectors finds; the rest is of an attacker who then marks
            the face by hand.
        cosines: of the swap with the victim's original face.
        cidr: 1 - ID(x, swap(x)) / ID(x, swap(x')) with ID the distance 1 - cosine, at least 0: how much of the
            identity is lost beyond what the swapper loses by itself; of every arm but the original.
        failures: arm -> column -> encoder -> of the faces where the original's swap matched the victim, those where
            this arm's does not; None where no threshold is known.
    """

    swapper: str
    counterpart: str
    steps: int
    failed_extraction: Seen
    cosines: Kept
    cidr: Kept
    failures: Mapping[str, Mapping[str, Mapping[str, Share | None]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One question of whether the result can be trusted: passed, failed, or (None) not to be answered here."""

    code: str
    passed: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Whose face it is, as the user stated: their own, or of somebody who agreed; and when, ISO 8601 in UTC."""

    by: Literal["self", "agreed"]
    at: str


@dataclass(frozen=True)
class Proof:
    """Everything that was measured of one pair of pictures.

    Attributes:
        version: of this program.
        created: ISO 8601 in UTC.
        device: where the models were.
        seed: of all chance.
        seconds: of each part of the work.
        original, protected: the two files.
        defence, preset: how the protection was made; None where nobody knows.
        arms: what was attacked, of `ARMS`.
        columns: `DELIVERED`, then posting chains.
        faces: of the original from left to right, as several detectors agree on them; all rows count these.
        detections: by detector, then `COMBINED`.
        likenesses: by encoder; see `Recognition`.
        swaps: by swapper.
        picture_quality: how close the protected picture is to the original.
        face_quality: the same of each face's box.
        checks: whether the result can be trusted.
        models: name -> file -> SHA-256 of every model that took part.
        missing: usual models whose weights are not here.
        statement: whose face it is, where viewable sheets were asked for.
        notes: what a user should know.
    """

    version: str
    created: str
    device: str
    seed: int
    seconds: Mapping[str, float]
    original: FileFacts
    protected: FileFacts
    defence: str | None
    preset: str | None
    arms: tuple[str, ...]
    columns: tuple[str, ...]
    faces: tuple[Face, ...]
    detections: tuple[Detection, ...]
    likenesses: tuple[Recognition, ...]
    swaps: tuple[Swap, ...]
    picture_quality: Quality
    face_quality: tuple[Quality, ...]
    checks: tuple[Check, ...]
    models: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...] = ()
    statement: Statement | None = None
    notes: tuple[Note, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the proof as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, body: Any) -> Proof:
        """Return the proof of what `as_json` gave, whatever else is there; InputError for anything else."""
        return read(cls, body, SCHEMA, "deepguard prove --out")
