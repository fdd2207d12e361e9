"""Which faces are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.forensics.finding import found, largest
from deepguard.models.roles import Evidence
from deepguard.types import Box, Face

NEAR, FAR = Box(10, 10, 110, 110), Box(300, 10, 400, 110)


@dataclass
class Fixed:
    """A detector that sees the same faces in every picture, and notes what it was shown."""

    faces: Sequence[Face]
    threshold: float = 0.6
    floor: float = -5.0
    whole: bool = False
    cost: float = 0.1
    shown: tuple[int, ...] = ()

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        return (1.0,)

    def limits(self, height: int, width: int) -> tuple[tuple[float, float], ...]:
        return ((0.0, 1e9),)

    def detect(self, images: Tensor, **_: object) -> list[list[Face]]:
        self.shown = tuple(images.shape)
        return [list(self.faces)]

    def evidence(self, images: Tensor) -> Evidence:
        raise AssertionError("nothing is attacked here")


def picture(height: int = 200, width: int = 500) -> Tensor:
    return torch.zeros(1, 3, height, width)


def test_a_face_that_one_detector_is_sure_of_is_enough() -> None:
    faces = found(picture(), [Fixed([Face(FAR, 0.9), Face(NEAR, 0.85)]), Fixed([])])
    assert [face.box for face in faces] == [NEAR, FAR]


def test_a_face_that_nobody_is_sure_of_must_be_seen_by_two() -> None:
    unsure = Face(NEAR, 0.65)
    assert found(picture(), [Fixed([unsure])]) == ()
    assert found(picture(), [Fixed([unsure]), Fixed([])]) == ()
    assert found(picture(), [Fixed([unsure]), Fixed([Face(NEAR.moved(10, 0), 0.61)])]) == (unsure,)


def test_the_first_detectors_box_counts_and_the_second_adds_what_it_missed() -> None:
    first, second = Face(NEAR, 0.9), Face(NEAR.moved(8, 0), 0.99)
    added = Face(FAR, 0.95)
    assert found(picture(), [Fixed([first]), Fixed([second, added])]) == (first, added)


def test_a_large_picture_is_searched_small_and_answered_in_its_own_pixels() -> None:
    detector = Fixed([Face(Box(10, 10, 60, 60), 0.9, ((20.0, 30.0),))])
    (face,) = found(picture(1000, 2560), [detector])
    assert detector.shown == (1, 3, 500, 1280)
    assert face.box == Box(20, 20, 120, 120)
    assert face.landmarks == ((40.0, 60.0),)


def test_the_largest_faces_stay_in_their_order() -> None:
    faces = [Face(Box(0, 0, side, side), 1.0) for side in (30, 90, 10, 60)]
    assert largest(faces, 2) == (faces[1], faces[3])
    assert largest(faces, 9) == tuple(faces)
