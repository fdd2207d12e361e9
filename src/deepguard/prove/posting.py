"""What posting does to a picture, with the real codecs, and where its faces lie then."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from deepguard.media.codec import recompress, resample
from deepguard.transforms.blur import blurred
from deepguard.transforms.noise import Noise
from deepguard.transforms.posting import Cap, Compress, Posting, Scale, Step
from deepguard.transforms.resize import Kernel
from deepguard.transforms.steps import Grain, Median, Restore, Salt, Soften, Tone, Trial, Trim
from deepguard.types import Box, Face, Images, Rng

STRIP = 128
"""Rows of a picture that a median looks at in one go."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pixel of a picture lies after posting: x * `across` + `left`, y * `down` + `top`, of pixels' edges."""

    across: float = 1.0
    down: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def face(self, face: Face) -> Face:
        """Return the face as it lies after posting."""
        box = face.box
        there = Box(*self.point(box.left, box.top), *self.point(box.right, box.bottom))
        # landmarks name pixel centres, boxes edges
        points = [self.point(x + 0.5, y + 0.5) for x, y in face.landmarks]
        return Face(there, face.score, tuple((x - 0.5, y - 0.5) for x, y in points))

    def faces(self, faces: Sequence[Face]) -> tuple[Face, ...]:
        """Return the faces as they lie after posting."""
        return tuple(self.face(each) for each in faces)

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies after posting."""
        return x * self.across + self.left, y * self.down + self.top


@dataclass(frozen=True, slots=True)
class Sent:
    """Pictures as they come back, and where their pixels lie now."""

    images: Images
    place: Place = Place()


def posted(images: Images, chain: Posting, rng: Rng) -> Images:
    """Return the pictures as they come back from a platform; qualities within the chain's ranges come from `rng`."""
    return sent(images, chain, rng).images


def sent(images: Images, chain: Posting, rng: Rng) -> Sent:
    """Return the pictures as they come back, and where; what is random in the chain comes from `rng`."""
    first = int(images.shape[-2]), int(images.shape[-1])
    now = Sent(images)
    for step in chain.steps:
        now = _taken(now, step, rng) if isinstance(step, Step) else _tried(now, step, first, rng)
    return now


def _taken(now: Sent, step: Step, rng: Rng) -> Sent:
    height, width = now.images.shape[-2:]
    match step:
        case Cap(long_side, kernel):
            return _scaled(now, min(1.0, long_side / max(height, width)), kernel)
        case Scale(factor, kernel):
            return _scaled(now, factor, kernel)
        case Compress(kind, lowest, highest):
            quality = int(torch.randint(lowest, highest + 1, (), generator=rng))
            return dataclasses.replace(now, images=recompress(now.images, kind, quality))


def _tried(now: Sent, step: Trial, first: tuple[int, int], rng: Rng) -> Sent:
    match step:
        case Restore(kernel):
            return _resized(now, first, kernel)
        case Trim(share):
            return _trimmed(now, share)
        case _:
            return dataclasses.replace(now, images=eight_bits(_changed(now.images, step, rng)))


def _changed(images: Images, step: Tone | Soften | Median | Grain | Salt, rng: Rng) -> Images:
    match step:
        case Tone(gamma):
            return images.pow(gamma)
        case Soften(sigma):
            return blurred(images, sigma)
        case Median(side):
            return medians(images, side)
        case Grain(level):
            return Noise(level, level)(images, rng)
        case Salt(share):
            drawn = torch.rand((len(images), 1, *images.shape[-2:]), generator=rng).to(images.device)
            return torch.where(drawn < share / 2, 0.0, torch.where(drawn < share, 1.0, images))


def medians(images: Images, side: int) -> Images:
    """Return the median of the `side` x `side` values around each value; borders are repeated outwards.

    In strips of rows: all neighbours of a large picture at once would not fit into memory.
    """
    height, width = images.shape[-2:]
    half = side // 2
    padded = functional.pad(images, (half, side - 1 - half, half, side - 1 - half), mode="replicate")
    strips = []
    for top in range(0, height, STRIP):
        rows = min(STRIP, height - top)
        shifted = [
            padded[..., top + down : top + down + rows, across : across + width]
            for down in range(side)
            for across in range(side)
        ]
        strips.append(torch.stack(shifted).median(dim=0).values)
    return torch.cat(strips, dim=-2)


def eight_bits(images: Images) -> Images:
    """Return the images as a file holds them."""
    return images.mul(255).round_().div_(255)


def _scaled(now: Sent, factor: float, kernel: Kernel) -> Sent:
    height, width = now.images.shape[-2:]
    return _resized(now, (max(1, round(height * factor)), max(1, round(width * factor))), kernel)


def _resized(now: Sent, size: tuple[int, int], kernel: Kernel) -> Sent:
    height, width = now.images.shape[-2:]
    if size == (height, width):
        return now
    down, across = size[0] / height, size[1] / width
    place = now.place
    there = Place(place.across * across, place.down * down, place.left * across, place.top * down)
    return Sent(resample(now.images, size, _PILLOW[kernel]), there)


def _trimmed(now: Sent, share: float) -> Sent:
    height, width = now.images.shape[-2:]
    rows, columns = max(1, round(height * share)), max(1, round(width * share))
    top, left = (height - rows) // 2, (width - columns) // 2
    place = dataclasses.replace(now.place, left=now.place.left - left, top=now.place.top - top)
    return Sent(now.images[..., top : top + rows, left : left + columns], place)


_PILLOW: dict[Kernel, Literal["lanczos", "bicubic", "bilinear", "box"]] = {
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "area": "box",
    "antialiased-bilinear": "bilinear",
    "antialiased-bicubic": "bicubic",
    "antialiased-lanczos": "lanczos",
}
"""The real resampler that stands for each differentiable one."""
