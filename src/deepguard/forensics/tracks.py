"""Faces of sampled frames joined to persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from deepguard.types import Face


@dataclass(frozen=True, slots=True)
class Seen:
    """What one sampled frame shows.

    Attributes:
        time: seconds from the clip's first frame.
        scene: which scene the frame belongs to, from 0.
        faces: in pixels of the frame, all frames of one size.
        looks: one row for each face: `looks` of their crops.
    """

    time: Fraction
    scene: int
    faces: tuple[Face, ...]
    looks: Float[Tensor, "n d"]


class Place(NamedTuple):
    """Where a person is seen: the index of the frame among those given, and of the face among the frame's."""

    frame: int
    face: int


@dataclass(frozen=True, slots=True)
class Track:
    """One person of a clip: `number` from 1, by first appearance, then from left to right; places by time."""

    number: int
    places: tuple[Place, ...]


def tracked(frames: Sequence[Seen]) -> tuple[Track, ...]:
    """Return each person of the frames, which are in order of time; every face belongs to exactly one track."""
    order = [
        Place(frame, face)
        for frame, seen in enumerate(frames)
        for face in sorted(range(len(seen.faces)), key=lambda face: seen.faces[face].box.left)
    ]
    return tuple(Track(number, (place,)) for number, place in enumerate(order, 1))
