"""Which detectors still find which faces: as delivered, after posting, and by an attacker who tries again."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.prove.survey import cost, recognised
from deepguard.types import Face, Images, Progress, Watch, ignore

T = TypeVar("T")

RETRY_THRESHOLD = 0.3
LARGEST_ENLARGED = 512.0
"""Longer side in pixels of the largest face that an attacker enlarges: no detector here has larger priors."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one detector sees in one version of a picture, for each face in order.

    `found`: at the detector's own threshold and scales. `retry`: by an attacker with threshold 0.3 at half, full and
    twofold scale; None where that was not tried.
    """

    found: tuple[bool, ...]
    retry: tuple[bool, ...] | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One detector's sightings: of the original, and of each later version by name ("delivered" first)."""

    detector: str
    before: tuple[bool, ...]
    after: Mapping[str, Sighting]


def judge(
    original: Images,
    versions: Mapping[str, Images],
    faces: Sequence[Face],
    detectors: Mapping[str, FaceDetector],
    watch: Watch = ignore,
    *,
    retry: Collection[str] | None = None,
) -> tuple[Judgement, ...]:
    """Return every detector's judgement; `faces` are in pixels of the original, versions may have other sizes.

    `retry` names the versions at which an attacker tries again; None means all.
    """
    watch(Progress("verifying", 0, 1 + len(versions)))
    known = each_of(partial(_glance, images=original, faces=faces), detectors, original)
    after: list[dict[str, Sighting]] = [{} for _ in detectors]
    for step, (version, images) in enumerate(versions.items(), start=1):
        watch(Progress(f"verifying ({version})", step, 1 + len(versions)))
        look = _sighting if retry is None or version in retry else _glance
        sightings = each_of(partial(look, images=images, faces=_fitted(faces, original, images)), detectors, images)
        for found, sighting in zip(after, sightings, strict=True):
            found[version] = sighting
    watch(Progress("verifying", 1 + len(versions), 1 + len(versions)))
    return tuple(Judgement(name, seen.found, found) for name, seen, found in zip(detectors, known, after, strict=True))


def each_of(look: Callable[[FaceDetector], T], detectors: Mapping[str, FaceDetector], images: Images) -> list[T]:
    """Return what each detector's look at the picture gives, in order; side by side on several cores."""
    costs = [cost(detector, images) for detector in detectors.values()]
    return in_parallel([partial(look, detector) for detector in detectors.values()], costs)


def _fitted(faces: Sequence[Face], original: Images, version: Images) -> tuple[Face, ...]:
    """Return the faces in pixels of a version that posting made smaller."""
    factor = math.sqrt(version.shape[-1] * version.shape[-2] / (original.shape[-1] * original.shape[-2]))
    return tuple(Face(face.box.scaled(factor), face.score) for face in faces)


def _glance(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Sighting:
    return Sighting(recognised(faces, looked(detector, images, faces)), None)


def _sighting(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Sighting:
    seen = looked(detector, images, faces, threshold=RETRY_THRESHOLD)
    found = recognised(faces, [face for face in seen if face.score > detector.threshold])
    return Sighting(found, recognised(faces, seen + retried(detector, images, missed(faces, seen))))


def retried(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> list[Face]:
    """Return what an attacker sees who halves the picture, and enlarges it twofold where a face is missed still."""
    scales = detector.scales(*images.shape[-2:])
    half, twofold = tuple(scale / 2 for scale in scales), tuple(scale * 2 for scale in scales)
    seen = looked(detector, images, faces, threshold=RETRY_THRESHOLD, scales=half)
    alike: dict[tuple[float, ...], list[Face]] = {}
    for face in missed(faces, seen):
        side = max(face.box.width, face.box.height)
        useful = tuple(scale for scale in twofold if scale * side <= LARGEST_ENLARGED) or twofold[:1]
        alike.setdefault(useful, []).append(face)
    for useful, group in alike.items():
        seen += looked(detector, images, group, threshold=RETRY_THRESHOLD, scales=useful)
    return seen


def looked(
    detector: FaceDetector,
    images: Images,
    faces: Sequence[Face],
    *,
    threshold: float | None = None,
    scales: tuple[float, ...] | None = None,
) -> list[Face]:
    """Return what a detector sees of the faces."""
    return detector.detect(images, threshold=threshold, scales=scales, near=[face.box for face in faces])[0]


def missed(faces: Sequence[Face], seen: Sequence[Face]) -> list[Face]:
    """Return the faces of which no sighting is."""
    return [face for face, known in zip(faces, recognised(faces, seen), strict=True) if not known]
