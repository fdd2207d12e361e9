"""How well encoders tell people apart: their vectors of many photos, and from which cosine on two are one person."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from deepguard.errors import InputError
from deepguard.media.read import read_picture
from deepguard.models.align import aligned
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Images, Landmarks, Progress, Watch, ignore

TOGETHER = 32
"""Photos that are looked at in one go."""
ROWS = 512
"""Vectors that are compared with all others in one go."""
RATES = (1e-3, 1e-4)
"""The false-accept rates whose thresholds are kept."""

Vectors = Float[Tensor, "n d"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What encoders say of the faces of some photos.

    Attributes:
        seen: places of the photos in which a face with landmarks was found.
        vectors: encoder -> one unit vector for each of these.
        seconds: encoder -> seconds of the processor for one face.
    """

    seen: tuple[int, ...]
    vectors: Mapping[str, Vectors]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Level:
    """A cosine, and what lies above it: shares of the pairs of different people, and of those of one."""

    cosine: float
    accepted: float
    matched: float


def encoded(
    photos: Sequence[Path],
    encoders: Mapping[str, Encoder],
    detector: FaceDetector,
    device: torch.device,
    watch: Watch = ignore,
) -> Encoded:
    """Return each encoder's vectors of the photos' faces; of several in one photo, the one nearest to its middle.

    A photo that cannot be read, or without landmarks, is passed over. InputError where all are.
    """
    seen: list[int] = []
    vectors: dict[str, list[Vectors]] = {name: [] for name in encoders}
    seconds = dict.fromkeys(encoders, 0.0)
    for start in range(0, len(photos), TOGETHER):
        watch(Progress("looking at the faces", start, len(photos)))
        found = list(_found(photos[start : start + TOGETHER], detector, device))
        seen += [start + place for place, _, _ in found]
        for name, encoder in encoders.items() if found else ():
            crops = torch.cat([aligned(images, marks, encoder.template) for _, images, marks in found]).to(device)
            begun = time.process_time()
            with torch.inference_mode():
                vectors[name].append(encoder.embed(crops).cpu())
            seconds[name] += time.process_time() - begun
    if not seen:
        raise InputError(
            "no photo shows a face whose landmarks the detector names; choose another --detector or folder"
        )
    return Encoded(
        tuple(seen),
        {name: torch.cat(each) for name, each in vectors.items()},
        {name: spent / len(seen) for name, spent in seconds.items()},
    )


def among(seen: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of photos of which both were seen, as places among the vectors."""
    places = {photo: place for place, photo in enumerate(seen)}
    return [(places[one], places[two]) for one, two in pairs if one in places and two in places]


def levels(vectors: Vectors, persons: Sequence[str], genuine: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
    """Return the cosine for each of `RATES` that no more than this share of all pairs of different people exceed.

    `genuine` are the pairs of one person whose share above is told. InputError where there are too few pairs to tell.
    """
    numbers = {person: number for number, person in enumerate(dict.fromkeys(persons))}
    labels = torch.tensor([numbers[person] for person in persons])
    count = impostors(persons)
    if count * min(RATES) < 1 or not genuine:
        raise InputError(f"{count:,} pairs of different people and {len(genuine)} of one are too few; name more photos")
    highest = _highest(vectors, labels, math.floor(count * max(RATES)) + 1)
    one, two = torch.tensor(genuine).unbind(dim=1)
    alike = (vectors[one] * vectors[two]).sum(dim=1)
    made = []
    for rate in RATES:
        # rounded upwards, so that the rate is kept; float32 holds four digits exactly enough
        cosine = math.ceil(float(highest[math.floor(count * rate)]) * 1e4) / 1e4
        accepted = int((highest > cosine).sum()) / count
        made.append(Level(cosine, accepted, float((alike > cosine).float().mean())))
    return tuple(made)


def impostors(persons: Sequence[str]) -> int:
    """Return how many pairs of different people the photos make, given who is on each."""
    return math.comb(len(persons), 2) - sum(math.comb(count, 2) for count in Counter(persons).values())


def by_group(vectors: Vectors, groups: Sequence[str], cosine: float) -> dict[str, float]:
    """Return for each group the share of its pairs above the cosine, where every photo shows another person."""
    rates = {}
    for group in sorted(set(groups)):
        inside = vectors[[place for place, each in enumerate(groups) if each == group]]
        above = int((inside @ inside.T > cosine).triu(1).sum())
        rates[group] = above / max(1, math.comb(len(inside), 2))
    return rates


def _found(
    photos: Sequence[Path], detector: FaceDetector, device: torch.device
) -> Iterator[tuple[int, Images, Landmarks]]:
    """Yield place, picture and landmarks of each photo with a face; photos of one size are searched together."""
    read = [(place, images) for place, photo in enumerate(photos) if (images := _read(photo)) is not None]
    for _, alike in groupby(read, key=lambda each: each[1].shape):
        batch = list(alike)
        faces = detector.detect(torch.cat([images for _, images in batch]).to(device))
        for (place, images), seen in zip(batch, faces, strict=True):
            marked = [face for face in seen if face.landmarks]
            if marked:
                yield place, images, min(marked, key=lambda face: _aside(face, images)).landmarks


def _read(photo: Path) -> Images | None:
    try:
        return read_picture(photo).images
    except (OSError, InputError):
        return None


def _aside(face: Face, images: Images) -> float:
    """Return how far the face's middle lies from the picture's, in pixels."""
    height, width = images.shape[-2:]
    box = face.box
    return math.hypot((box.left + box.right - width) / 2, (box.top + box.bottom - height) / 2)


def _highest(vectors: Vectors, labels: Tensor, count: int) -> Float[Tensor, " n"]:
    """Return the `count` highest cosines of different people, highest first."""
    highest = vectors.new_zeros(0)
    for start in range(0, len(vectors), ROWS):
        rows = slice(start, start + ROWS)
        cosines = vectors[rows] @ vectors[start:].T
        different: Bool[Tensor, "r n"] = (labels[rows, None] != labels[None, start:]).triu(1)
        merged = torch.cat((highest, cosines[different]))
        highest = merged.topk(min(count, len(merged))).values
    return highest
