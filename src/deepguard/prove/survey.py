"""Which faces a picture has, by the agreement of several detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from deepguard.models.roles import SAME, FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Box, Face, Images, Progress, Watch, ignore


def survey(images: Images, detectors: Mapping[str, FaceDetector], watch: Watch = ignore) -> tuple[Face, ...]:
    """Return the faces of one picture from left to right, as several detectors agree on them; see `agreed`."""
    return agreed(look(images, detectors, watch))


def look(images: Images, detectors: Mapping[str, FaceDetector], watch: Watch = ignore) -> dict[str, list[Face]]:
    """Return what each detector finds in one picture, best first."""
    watch(Progress("looking for faces", 0, len(detectors)))
    costs = [cost(detector, images) for detector in detectors.values()]
    looks = in_parallel([partial(detector.detect, images) for detector in detectors.values()], costs)
    watch(Progress("looking for faces", len(detectors), len(detectors)))
    return {name: faces for name, (faces,) in zip(detectors, looks, strict=True)}


def cost(detector: FaceDetector, images: Images) -> float:
    """Return roughly the processor seconds of a detector's look at a picture."""
    megapixels = images.shape[-2] * images.shape[-1] / 1e6
    return detector.cost * megapixels * sum(scale**2 for scale in detector.scales(*images.shape[-2:]))


def agreed(looks: Mapping[str, Sequence[Face]]) -> tuple[Face, ...]:
    """Return the faces from left to right that follow from what each detector found.

    With three or more detectors, a face is one that at least two of them see: a single detector's slip would cost
    visible change for nothing. Its box is the mean of theirs; landmarks and score come from the surest that names
    landmarks.
    """
    seen = [face for faces in looks.values() for face in faces]
    votes = 2 if len(looks) >= 3 else 1
    groups = [group for group in _grouped(seen) if len(group) >= votes]
    return tuple(sorted((_mean(group) for group in groups), key=lambda face: face.box.left))


def recognised(faces: Sequence[Face], sightings: Sequence[Face]) -> tuple[bool, ...]:
    """Tell for each face whether one of the sightings is of it."""
    return tuple(any(face.box.overlap(seen.box) >= SAME for seen in sightings) for face in faces)


def _grouped(seen: list[Face]) -> list[list[Face]]:
    """Group sightings around the surest ones; one detector's two boxes of a face do not count twice here."""
    groups: list[list[Face]] = []
    for face in sorted(seen, key=lambda each: -each.score):
        home = next((group for group in groups if _agreed(group).overlap(face.box) >= SAME), None)
        if home is None:
            groups.append([face])
        else:
            home.append(face)
    return groups


def _agreed(group: list[Face]) -> Box:
    count = len(group)
    return Box(
        sum(face.box.left for face in group) / count,
        sum(face.box.top for face in group) / count,
        sum(face.box.right for face in group) / count,
        sum(face.box.bottom for face in group) / count,
    )


def _mean(group: list[Face]) -> Face:
    surest = max(group, key=lambda face: (bool(face.landmarks), face.score))
    return Face(_agreed(group), surest.score, surest.landmarks)
