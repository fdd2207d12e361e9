"""Faces of sampled frames joined to persons, by where they are and what they look like.

No encoder that knows people again is shipped here, so a face is compared by its brightness pattern and its colours.
That follows a person through a scene, and finds one again who comes back into the same light. After a cut to another
side or another light the same person may become a second track: it is better to judge somebody twice than to mix the
verdicts of two people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.crop import cut
from deepguard.models.roles import CropSpec
from deepguard.types import Box, Face, Images

_SEEN = CropSpec(side=24, margin=0.25)
_PATTERN = 12
_PATCHES = 4
_PATTERNED = _PATTERN * _PATTERN

_SURE = 0.8
"""Likeness from which two faces count as one person wherever they are. Of 80,000 pairs of faces of different people in
LFW photos, one in 10,000 reaches it; of pairs of one person in a clip, half and more."""

_NEAR = 0.3
"""Likeness that is enough at the very place where a person was last seen. Successive faces of one person have more in
99 of 100 cases, those of two people side by side in one frame in 1 of 4."""

_REACH = 1.0
"""Face widths that a person may have moved at once, and again so many in each second, up to `_LONGEST`; as far as that
the likeness that is needed rises from `_NEAR` to `_SURE`."""

_ABSENT = 0.5
"""The least way, as a share of what is possible, of somebody whom the frame before did not show: another person may
have stepped there."""

_LONGEST = 1.0
"""Seconds after which where somebody was says no less than after more."""


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


def looks(images: Images, faces: Sequence[Face]) -> Float[Tensor, "n d"]:
    """Return what each face of a frame (1x3xhxw) looks like: its pattern of brightness, of length 1, and its tints."""
    crops = cut(images, faces, _SEEN)
    brightness = crops.mean(1, keepdim=True)
    pattern = functional.adaptive_avg_pool2d(brightness, _PATTERN).flatten(1)
    pattern = pattern - pattern.mean(1, keepdim=True)
    # a constant keeps the noise of plain faces from becoming a pattern
    pattern = pattern / (pattern.norm(dim=1, keepdim=True) + 0.05)
    red, green, blue = crops[:, 0:1], crops[:, 1:2], crops[:, 2:3]
    tints = torch.cat([red - green, (red + green) / 2 - blue], dim=1) / (brightness.mean((2, 3), keepdim=True) + 0.1)
    return torch.cat([pattern, functional.adaptive_avg_pool2d(tints, _PATCHES).flatten(1)], dim=1)


def likeness(one: Float[Tensor, "n d"], other: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Return how alike `looks` are: the correlation of their patterns less the difference of their tints; 1 is same."""
    patterns = one[:, :_PATTERNED] @ other[:, :_PATTERNED].T
    tints = torch.cdist(one[:, _PATTERNED:], other[:, _PATTERNED:], compute_mode="donot_use_mm_for_euclid_dist")
    return patterns - tints / math.sqrt(max(1, one.shape[1] - _PATTERNED))


def tracked(frames: Sequence[Seen]) -> tuple[Track, ...]:
    """Return each person of the frames, which are in order of time; every face belongs to exactly one track.

    Frame by frame the faces are given to the persons seen before, the most certain pair first; a face that is given to
    nobody begins a track. Nobody is twice in one frame.
    """
    persons: list[_Person] = []
    memory = _Memory(frames)
    for number, seen in enumerate(frames):
        taken = _given(persons, memory.alike(len(persons), seen), number, seen)
        for face in range(len(seen.faces)):
            which = taken.get(face, len(persons))
            if which == len(persons):
                persons.append(_Person())
            persons[which].add(Place(number, face), seen)
            memory.add(which, seen.looks[face])
    persons.sort(key=lambda person: (person.places[0].frame, person.first.left, person.places[0].face))
    return tuple(Track(number, tuple(person.places)) for number, person in enumerate(persons, 1))


class _Memory:
    """What every face looked like that was seen so far, and whose it was: all persons are compared at once."""

    def __init__(self, frames: Sequence[Seen]) -> None:
        total = sum(len(seen.faces) for seen in frames)
        self._looks = torch.empty((total, max((seen.looks.shape[1] for seen in frames), default=0)))
        self._whose = torch.empty(total, dtype=torch.long)
        self._count = 0

    def add(self, which: int, looks: Float[Tensor, " d"]) -> None:
        self._looks[self._count], self._whose[self._count] = looks, which
        self._count += 1

    def alike(self, persons: int, seen: Seen) -> Float[Tensor, "persons n"]:
        """Return how alike each face of a frame is to each person as they ever looked."""
        best = torch.full((persons, len(seen.faces)), -math.inf)
        if not best.numel():
            return best
        each = likeness(self._looks[: self._count], seen.looks)
        return best.scatter_reduce_(0, self._whose[: self._count, None].expand_as(each), each, "amax")


class _Person:
    """A track as it grows."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._boxes: list[Box] = []
        self._last: Seen | None = None

    @property
    def first(self) -> Box:
        return self._boxes[0]

    def add(self, place: Place, seen: Seen) -> None:
        self.places.append(place)
        self._boxes.append(seen.faces[place.face].box)
        self._last = seen

    def doubt(self, like: float, number: int, seen: Seen, box: Box) -> float:
        """Return how doubtful it is that a face of a frame is this person; infinite where it counts as not."""
        least = _ABSENT if self.places[-1].frame < number - 1 else 0.0
        return _doubt(like, max(least, self._way(seen, box)))

    def _way(self, seen: Seen, box: Box) -> float:
        """Return how far the box is from where the person was, as a share of what is possible; 1 after a cut."""
        if self._last is None or self._last.scene != seen.scene:
            return 1.0
        was = self._boxes[-1]
        width, before = math.sqrt(max(1.0, box.area)), math.sqrt(max(1.0, was.area))
        across = (box.left + box.right - was.left - was.right) / 2
        down = (box.top + box.bottom - was.top - was.bottom) / 2
        moved = math.hypot(across, down) / math.sqrt(width * before) + abs(math.log2(width / before))
        seconds = min(_LONGEST, float(seen.time - self._last.time))
        return min(1.0, moved / (_REACH + _REACH * seconds))


def _doubt(like: float, way: float) -> float:
    return 1 - like + way if like >= _NEAR + (_SURE - _NEAR) * way else math.inf


def _given(persons: Sequence[_Person], alike: Float[Tensor, "persons n"], number: int, seen: Seen) -> dict[int, int]:
    """Return which of the persons each face is, as far as it is one."""
    likely = [(*pair, float(alike[tuple(pair)])) for pair in torch.nonzero(alike >= _NEAR).tolist()]
    pairs = [
        (persons[which].doubt(like, number, seen, seen.faces[face].box), which, face) for which, face, like in likely
    ]
    taken: dict[int, int] = {}
    found = set()
    for doubt, which, face in sorted(pairs):
        if doubt < math.inf and which not in found and face not in taken:
            taken[face] = which
            found.add(which)
    return taken
