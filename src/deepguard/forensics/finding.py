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


def found(images: Images, detectors: Sequence[FaceDetector], longest: int = LONGEST) -> tuple[Face, ...]:
    """Return the faces of one picture (1x3xhxw) from left to right, in its pixels.

    The first detector's boxes count, as the classifiers were trained on them; the others add what it missed. One that
    sees a face is enough: a picture without faces costs one verdict at most.
    """
    factor = min(1.0, longest / max(images.shape[-2:]))
    small = images if factor == 1 else _scaled(images, factor)
    faces: list[Face] = []
    for detector in detectors:
        with torch.inference_mode():
            seen = detector.detect(small)[0]
        faces += [face for face in seen if not any(face.box.overlap(each.box) >= SAME for each in faces)]
    return tuple(sorted((_grown(face, 1 / factor) for face in faces), key=lambda face: face.box.left))


def _scaled(images: Images, factor: float) -> Images:
    height, width = images.shape[-2:]
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def _grown(face: Face, factor: float) -> Face:
    points = tuple((x * factor, y * factor) for x, y in face.landmarks)
    return Face(face.box.scaled(factor), face.score, points)
