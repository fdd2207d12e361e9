"""What an attacker's detectors make of one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deepguard.models.roles import SAME, FaceDetector
from deepguard.prove.survey import recognised
from deepguard.prove.turns import turned
from deepguard.prove.verify import RETRY_THRESHOLD, each_of, looked, missed, retried
from deepguard.types import Face, Images


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one detector sees: which faces at its own threshold, which on trying again (None: not tried), and where."""

    found: tuple[bool, ...]
    retried: tuple[bool, ...] | None
    seen: tuple[Face, ...]


def glimpses(
    images: Images, faces: Sequence[Face], detectors: Mapping[str, FaceDetector], *, again: bool
) -> dict[str, Glimpse]:
    """Return what each detector sees of the faces of one picture; `again` lets it try with other sizes and turns."""
    look = _insisting if again else _glancing
    seen = each_of(partial(look, images=images, faces=faces), detectors, images)
    return dict(zip(detectors, seen, strict=True))


def marked(faces: Sequence[Face], seen: Mapping[str, Glimpse]) -> tuple[Face | None, ...]:
    """Return of each face the surest sighting that names landmarks; None where no detector has one."""
    sightings = [face for glimpse in seen.values() for face in glimpse.seen if face.landmarks]
    return tuple(_surest(face, sightings) for face in faces)


def _surest(face: Face, sightings: Sequence[Face]) -> Face | None:
    same = [seen for seen in sightings if face.box.overlap(seen.box) >= SAME]
    return max(same, key=lambda seen: seen.score, default=None)


def _glancing(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Glimpse:
    seen = looked(detector, images, faces)
    return Glimpse(recognised(faces, seen), None, tuple(seen))


def _insisting(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Glimpse:
    seen = looked(detector, images, faces, threshold=RETRY_THRESHOLD)
    found = recognised(faces, [face for face in seen if face.score > detector.threshold])
    seen += retried(detector, images, missed(faces, seen))
    upright = recognised(faces, seen)
    hidden = [face for face, known in zip(faces, upright, strict=True) if not known]
    answers = iter(turned(detector, images, hidden))
    return Glimpse(found, tuple(known or next(answers) for known in upright), tuple(seen))
