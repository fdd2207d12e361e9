"""What was done to one picture and what it achieved; its JSON schema is docs/reference/report.schema.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deepguard.filters.photo import Filters
from deepguard.prove.likeness import Likeness
from deepguard.prove.verify import Judgement
from deepguard.types import Face, Note

SCHEMA = "deepguard/protect-report/1"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A picture file: its name, container, SHA-256, bytes, and its pixels' width and height as seen upright."""

    name: str
    format: str
    sha256: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How close the delivered picture is to the one before, after its filters.

    SSIM in [-1, 1] and PSNR in dB (None: identical), higher is closer; LPIPS from 0, lower is closer (None where
    its weights are not on the shelf). Marbling and chroma of a face's smooth skin in levels of 255, lower is closer
    (0 where none is seen, None for a whole picture).
    """

    ssim: float
    psnr: float | None
    lpips: float | None
    marbling: float | None = None
    chroma: float | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A detector or encoder that took part: the files it was made of, by SHA-256, and whether it was attacked."""

    name: str
    attacked: bool
    files: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """Everything about one protected picture, measured on the encoded file, read back.

    `before` everywhere is the picture after its `filters`: what is measured is the protection alone.
    `seconds` names each part of the work; `options` are the defence's; `missing` are chosen models whose weights
    are not here; `notes` are what a user should know; as JSON, their sentences.
    """

    version: str
    created: str
    input: FileFacts
    output: FileFacts
    device: str
    seed: int
    seconds: Mapping[str, float]
    preset: str
    defence: str
    through: str
    options: Mapping[str, float | int | bool]
    faces: tuple[Face, ...]
    chosen: tuple[int, ...]
    judgements: tuple[Judgement, ...]
    models: tuple[ModelFacts, ...]
    missing: tuple[str, ...]
    picture_quality: Quality
    face_quality: tuple[Quality, ...]
    likenesses: tuple[Likeness, ...] = ()
    filters: Filters = field(default_factory=Filters)
    notes: tuple[Note, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        body = dataclasses.asdict(self)
        return {"schema": SCHEMA, **body, "notes": [note.text for note in self.notes]}
