"""A detector and an encoder, both linear, and pictures for them: what an attack can be judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.models.align import aligned
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import Evidence, Template
from deepguard.types import Box, Face, Landmarks

BLOCK = 8
"""Pixels of one block of the pattern in the view of a detector that finds it."""

STEP = 2
"""Pixels between two anchors: few enough that a shifted picture is seen nearly alike."""

SIDE = 4 * BLOCK
"""Pixels along a face's side in that view."""

PATTERN = torch.tensor([[1.0, -1, 1, 1], [-1, -1, 1, -1], [1, 1, -1, 1], [-1, 1, -1, -1]])
"""As many bright as dark blocks, so that a plain picture is silent, and unlike itself when it is shifted."""


@dataclass(frozen=True)
class Pattern:
    """Measures the pattern's contrast in one colour; a contrast of 0.02 is a score of one half."""

    colour: int | None = None

    def __call__(self, images: Tensor) -> Evidence:
        seen = images.mean(dim=1, keepdim=True) if self.colour is None else images[:, self.colour, None]
        height, width = seen.shape[-2:]
        room = functional.pad(seen, (0, max(0, SIDE - width), 0, max(0, SIDE - height)))
        blocks = functional.avg_pool2d(room, BLOCK, STEP)
        responses = functional.conv2d(blocks, PATTERN.to(images)[None, None] / 16, dilation=BLOCK // STEP)
        rows, columns = (torch.arange(side) * float(STEP) for side in responses.shape[-2:])
        corners = torch.cartesian_prod(rows, columns).flip(-1)
        boxes = torch.cat((corners, corners + SIDE), dim=-1).to(images)
        return Evidence(200 * (responses.flatten(1) - 0.02), boxes.expand(len(images), -1, -1))


def toy(side: int, colour: int | None = None, *, whole: bool = False) -> AnchorDetector:
    """Return a detector that looks at pictures once, with a long side of `side` pixels.

    It pads nothing: a border of another tone is like a pattern to it.
    """
    return AnchorDetector(Pattern(colour), sides=(side,), threshold=0.5, overlap=0.3, stride=1, whole=whole)


def drawn(size: tuple[int, int], *corners: tuple[int, int], contrast: float = 0.03, side: int = SIDE) -> Tensor:
    """Return a grey picture of (height, width) with a face's left upper corner at each (x, y)."""
    picture = torch.full((1, 3, *size), 0.5)
    block = side // 4
    face = contrast * PATTERN.repeat_interleave(block, dim=0).repeat_interleave(block, dim=1)
    for x, y in corners:
        picture[..., y : y + side, x : x + side] += face
    return picture


def faces_at(*corners: tuple[int, int], side: int = SIDE) -> list[Face]:
    """Return the faces that `drawn` puts there."""
    return [Face(Box(x, y, x + side, y + side), 0.9) for x, y in corners]


def noise_like(change: Tensor, seed: int = 0) -> Tensor:
    """Return a change of the same size in each pixel whose signs are drawn."""
    signs = torch.randint(2, change.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return change.abs() * signs


def boxes_of(faces: Sequence[Face]) -> list[tuple[int, ...]]:
    """Return the faces' edges, rounded."""
    return [
        tuple(round(edge) for edge in (face.box.left, face.box.top, face.box.right, face.box.bottom)) for face in faces
    ]


EYES: Landmarks = ((8.0, 9.0), (15.0, 9.0), (11.5, 13.0), (9.0, 17.0), (14.0, 17.0))
"""Where the landmarks lie in the encoder's crop."""

TEMPLATE = Template(24, 24, EYES)


@dataclass(frozen=True)
class Linear:
    """An encoder whose unit vector is a fixed linear map of the crop, another one for each seed."""

    template: Template = TEMPLATE
    family: str = "toy"
    gradient: bool = True
    seed: int = 2

    def embed(self, crops: Tensor) -> Tensor:
        weights = torch.randn(3 * 24 * 24, 16, generator=torch.Generator().manual_seed(self.seed))
        return functional.normalize((crops - 0.5).flatten(1) @ weights, dim=1)


def marked(face: Face) -> Face:
    """Return the face with landmarks, placed in its box as in the encoder's crop."""
    across, down = face.box.width / 24, face.box.height / 24
    return replace(face, landmarks=tuple((face.box.left + x * across, face.box.top + y * down) for x, y in EYES))


def alike(encoder: Linear, before: Tensor, after: Tensor, landmarks: Landmarks) -> float:
    """Return the cosine of what the encoder says of a face before and after."""
    first, second = (encoder.embed(aligned(each, landmarks, encoder.template)) for each in (before, after))
    return float((first * second).sum())
