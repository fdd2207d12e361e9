"""What was found out about one picture or clip; its JSON schema is docs/reference/detection.schema.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepguard.forensics.verdict import FaceVerdict, FrameVerdict, Threshold, TrackVerdict, Word
from deepguard.types import Note

SCHEMA = "deepguard/detect-report/1"


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """A picture or clip: name, container, SHA-256, bytes, its pixels' width and height as seen upright.

    `duration` in seconds and `frames` of a clip or an animation; None of a picture, and where the file does not say.
    """

    name: str
    format: str
    sha256: str
    bytes: int
    width: int
    height: int
    duration: float | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class ClassifierFacts:
    """A classifier that took part: its files by name and SHA-256, and whether its figures are calibrated."""

    name: str
    files: Mapping[str, str]
    calibrated: bool


@dataclass(frozen=True)
class Detection:
    """Everything about one picture or clip.

    Attributes:
        version: of the program.
        created: UTC, ISO 8601.
        input: the file.
        device: on which it was judged.
        seconds: wall time of each part of the work.
        classifiers: those that took part.
        missing: names of usual classifiers whose weights are not here; they say nothing.
        threshold: where the words begin; None where no classifier that took part is calibrated.
        word: the verdict of the whole: that of its face or track with the highest probability.
        probability: of fake, calibrated, in [0, 1]; None where nothing could be judged, as for the next two.
        low: the lowest that any classifier says of any copy of that face.
        high: the highest.
        faces: of a picture, from left to right; empty for a clip.
        tracks: of a clip, one for each person; empty for a picture.
        frames: of a clip, each frame that was looked at; empty for a picture.
        detectors: names of those that looked for faces.
        notes: what a user should know.
    """

    version: str
    created: str
    input: MediaFacts
    device: str
    seconds: Mapping[str, float]
    classifiers: tuple[ClassifierFacts, ...]
    missing: tuple[str, ...]
    threshold: Threshold | None
    word: Word
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    faces: tuple[FaceVerdict, ...] = ()
    tracks: tuple[TrackVerdict, ...] = ()
    frames: tuple[FrameVerdict, ...] = ()
    detectors: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; notes and reasons as objects of code, text and count."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}
