"""An attacker who turns the picture: detectors were trained on upright faces, and so were the attacks on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from deepguard.models.roles import FaceDetector
from deepguard.prove.survey import recognised
from deepguard.prove.verify import RETRY_THRESHOLD
from deepguard.types import Box, Face, Images

TURNS = (15.0, -15.0, 30.0, -30.0, 90.0, -90.0)
"""Degrees, counterclockwise where above 0."""

AROUND = 0.6
"""What is turned beyond a face's box, as a share of its size on each side: more would only cost time."""


def turned(detector: FaceDetector, images: Images, faces: Sequence[Face]) -> tuple[bool, ...]:
    """Tell of each face of one picture whether the detector finds it in one of the turned pictures, at threshold 0.3.

    Only the surroundings of each face are turned, and looked at by the scales that the whole picture is.
    """
    scales = detector.scales(*images.shape[-2:])
    return tuple(any(_found(detector, images, face, angle, scales) for angle in TURNS) for face in faces)


def _found(detector: FaceDetector, images: Images, face: Face, angle: float, scales: tuple[float, ...]) -> bool:
    view = _View.around(face.box, images, angle)
    there = Face(view.box(face.box), face.score)
    seen = detector.detect(view.images, threshold=RETRY_THRESHOLD, scales=scales, near=[there.box])[0]
    return any(recognised([there], seen))


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A part of a picture, turned about its middle at `x`, `y` of the picture; as large as what it shows."""

    images: Images
    x: float
    y: float
    angle: float

    @classmethod
    def around(cls, box: Box, images: Images, angle: float) -> _View:
        rows, columns = box.grown(AROUND).pixels(*images.shape[-2:])
        part = images[..., rows, columns]
        x, y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
        if angle in {90.0, -90.0}:
            return cls(torch.rot90(part, int(angle) // 90, dims=(-2, -1)), x, y, angle)
        return cls(_rotated(part, angle), x, y, angle)

    def box(self, box: Box) -> Box:
        """Return the upright box around an ellipse that fills a box of the picture, as it lies here."""
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        x, y = (box.left + box.right) / 2 - self.x, (box.top + box.bottom) / 2 - self.y
        # rows count downwards, so that counterclockwise turns x towards smaller y
        across, down = x * cosine + y * sine, y * cosine - x * sine
        half = (
            math.hypot(box.width * cosine, box.height * sine) / 2,
            math.hypot(box.width * sine, box.height * cosine) / 2,
        )
        middle = self.images.shape[-1] / 2 + across, self.images.shape[-2] / 2 + down
        return Box(middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])


def _rotated(images: Images, angle: float) -> Images:
    """Return the images turned about their middle, as large as before; black where nothing was."""
    height, width = images.shape[-2:]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    place = torch.tensor(
        [[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]],
        dtype=images.dtype,
        device=images.device,
    )
    grid = functional.affine_grid(place[None].expand(len(images), -1, -1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
