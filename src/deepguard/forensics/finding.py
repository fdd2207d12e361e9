"""Where the faces are, by one or two fast detectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from deepguard.models.roles import SAME, FaceDetector
from deepguard.types import Face, Images

FAST = ("yunet", "scrfd", "mtcnn")
"""Detectors for judging, in the order of preference; the last comes with the installation."""

LONGEST = 1280
"""Pixels of the longer side at which pictures are searched: a face that is judged has 16 pixels there in a photo of
20 megapixels, and these detectors find it."""

LONGEST_OF_CLIPS = 640
"""The same for the frames of clips: a fifth of the time, and a face of 64 pixels in 1080p has 21 there."""


def found(images: Images, detectors: Sequence[FaceDetector], longest: int = LONGEST) -> tuple[Face, ...]:
    """Return the faces of one picture (1x3xhxw) from left to right, in its pixels.

    A face is what two detectors see, or one that is sure: whose score lies in the upper half of those that it reports.
    The first detector's box counts where it has one, as the classifiers were trained on its boxes.
    """
    factor = min(1.0, longest / max(images.shape[-2:]))
    small = images if factor == 1 else _scaled(images, factor)
    seen: list[tuple[Face, bool]] = []
    for detector in detectors:
        with torch.inference_mode():
            faces = detector.detect(small)[0]
        sure = (1 + detector.threshold) / 2
        seen = [(face, fixed or _among(face, faces)) for face, fixed in seen]
        known = [face for face, _ in seen]
        seen += [(face, face.score >= sure) for face in faces if not _among(face, known)]
    return tuple(sorted((_grown(face, 1 / factor) for face, fixed in seen if fixed), key=lambda face: face.box.left))


def _among(face: Face, others: Sequence[Face]) -> bool:
    return any(face.box.overlap(each.box) >= SAME for each in others)


def largest(faces: Sequence[Face], most: int) -> tuple[Face, ...]:
    """Return the `most` largest faces at most, in the order in which they are given."""
    kept = set(sorted(range(len(faces)), key=lambda index: -faces[index].box.area)[:most])
    return tuple(face for index, face in enumerate(faces) if index in kept)


def _scaled(images: Images, factor: float) -> Images:
    height, width = images.shape[-2:]
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def _grown(face: Face, factor: float) -> Face:
    points = tuple((x * factor, y * factor) for x, y in face.landmarks)
    return Face(face.box.scaled(factor), face.score, points)
