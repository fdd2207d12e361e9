"""Which detectors still find which faces: as delivered, after posting, and by an attacker who tries again."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.prove.survey import recognised
from deepguard.types import Box, Face, Images, Progress, Watch, ignore

RETRY_THRESHOLD = 0.3
LARGEST_ENLARGED = 512.0
"""Longer side in pixels of the largest face that an attacker enlarges: no detector here has larger priors."""
RETRY_CONTEXT = 1.0
"""An attacker who enlarges the picture looks at a window of three face sizes around each face: what lies further away
does not change a detector's answer, and the whole picture enlarged would take minutes."""


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
    names = list(detectors)
    watch(Progress("verifying", 0, 1 + len(versions)))
    known = in_parallel([partial(detectors[name].detect, original) for name in names])
    after: list[dict[str, Sighting]] = [{} for _ in names]
    for step, (version, images) in enumerate(versions.items(), start=1):
        watch(Progress(f"verifying ({version})", step, 1 + len(versions)))
        fitted = _fitted(faces, original, images)
        look = _sighting if retry is None or version in retry else _glance
        sightings = in_parallel([partial(look, detectors[name], images, fitted) for name in names])
        for found, sighting in zip(after, sightings, strict=True):
            found[version] = sighting
    watch(Progress("verifying", 1 + len(versions), 1 + len(versions)))
    return tuple(
        Judgement(name, recognised(faces, seen[0]), found)
        for name, seen, found in zip(names, known, after, strict=True)
    )


def _fitted(faces: Sequence[Face], original: Images, version: Images) -> tuple[Face, ...]:
    """Return the faces in pixels of a version that posting made smaller."""
    factor = math.sqrt(version.shape[-1] * version.shape[-2] / (original.shape[-1] * original.shape[-2]))
    return tuple(Face(face.box.scaled(factor), face.score) for face in faces)


def _glance(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Sighting:
    return Sighting(recognised(faces, detector.detect(images)[0]), None)


def _sighting(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> Sighting:
    scales = detector.scales(*images.shape[-2:])
    half, twofold = tuple(scale / 2 for scale in scales), tuple(scale * 2 for scale in scales)
    seen = detector.detect(images, threshold=RETRY_THRESHOLD)[0]
    found = recognised(faces, [face for face in seen if face.score > detector.threshold])
    if not all(recognised(faces, seen)):
        seen += detector.detect(images, threshold=RETRY_THRESHOLD, scales=half)[0]
    retry = tuple(
        known or _enlarged(detector, images, face, twofold)
        for known, face in zip(recognised(faces, seen), faces, strict=True)
    )
    return Sighting(found, retry)


def _enlarged(detector: FaceDetector, images: Images, face: Face, scales: tuple[float, ...]) -> bool:
    height, width = images.shape[-2:]
    wide = face.box.grown(RETRY_CONTEXT).intersection(Box(0, 0, width, height))
    left, top = math.floor(wide.left), math.floor(wide.top)
    window = images[..., top : math.ceil(wide.bottom), left : math.ceil(wide.right)]
    moved = Face(face.box.moved(-left, -top), face.score)
    side = max(face.box.width, face.box.height)
    useful = tuple(scale for scale in scales if scale * side <= LARGEST_ENLARGED) or scales[:1]
    return recognised([moved], detector.detect(window, threshold=RETRY_THRESHOLD, scales=useful)[0])[0]
