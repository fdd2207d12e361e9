"""What is said of a face, of a person in a clip, and of a frame: one word, a probability, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from deepguard.types import Face, Note


class Word(StrEnum):
    """The verdict in one word. None of them is a proof."""

    LIKELY_REAL = "likely_real"
    UNCERTAIN = "uncertain"
    LIKELY_FAKE = "likely_fake"
    CANNOT_JUDGE = "cannot_judge"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where the words begin, and what they cost on real pictures.

    Attributes:
        fake_from: probability from which a face is called likely fake.
        real_to: probability up to which a face is called likely real.
        false_positive_rate: share of the validation set's real faces that are called likely fake.
        false_negative_rate: share of its fake faces that are called likely real.
        validation: a sentence that names the set on which both were measured.
    """

    fake_from: float
    real_to: float
    false_positive_rate: float
    false_negative_rate: float
    validation: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one classifier says: by the name of each copy of the crop, the calibrated probability of fake in [0, 1]."""

    classifier: str
    copies: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FaceVerdict:
    """One face of a picture.

    Attributes:
        number: from 1, from left to right.
        face: where it is, in pixels of the upright picture.
        word: the verdict.
        probability: of fake, calibrated, in [0, 1]; None where the face cannot be judged, as for the next three.
        low: the lowest that any classifier says of any copy.
        high: the highest.
        spread: the most by which one classifier's copies differ; large where somebody tampered with the pixels.
        opinions: what each classifier says.
        reasons: why the face cannot be judged, and what else speaks for or against the verdict.
    """

    number: int
    face: Face
    word: Word
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    opinions: tuple[Opinion, ...] = ()
    reasons: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tracked person in one frame: seconds from the clip's start, and the probability there (None: not judged)."""

    time: float
    face: Face
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """One person of a clip; figures as in `FaceVerdict`, over all frames in which the person was judged.

    Attributes:
        number: from 1, by first appearance, then from left to right.
        first: seconds from the clip's start to the first sighting.
        last: seconds to the last one.
        sightings: the frames in which the person was seen, in order of time.
        loudest: times of the frames that speak most for what was found, loudest first.
    """

    number: int
    first: float
    last: float
    word: Word
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    opinions: tuple[Opinion, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    loudest: tuple[float, ...] = ()
    reasons: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameVerdict:
    """One sampled frame: seconds from the start, how many faces, and the highest probability among them."""

    time: float
    faces: int
    probability: float | None = None
