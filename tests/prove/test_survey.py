from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from deepguard.prove.survey import recognised, survey
from deepguard.types import Box, Face, Progress

PICTURE = torch.zeros(1, 3, 100, 200)
MARKS = ((1.0, 1.0),) * 5


@dataclass(frozen=True)
class Says:
    """A detector that says what it was told to say."""

    faces: tuple[Face, ...]
    cost: float = 1.0

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        return (1.0,)

    def detect(self, images: Tensor, **options: object) -> list[list[Face]]:
        return [list(self.faces) for _ in images]


def face(left: float, score: float = 0.9, side: float = 20, marks: tuple[tuple[float, float], ...] = ()) -> Face:
    return Face(Box(left, 40, left + side, 40 + side), score, marks)


def seen(*detectors: tuple[Face, ...]) -> tuple[Face, ...]:
    return survey(PICTURE, {f"d{number}": Says(faces) for number, faces in enumerate(detectors)})


def test_faces_are_numbered_from_left_to_right() -> None:
    faces = seen((face(150), face(20)), (face(80), face(20), face(150)))
    assert [each.box.left for each in faces] == [20, 80, 150]


@pytest.mark.parametrize(("count", "votes"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_from_three_detectors_on_two_of_them_must_see_a_face(count: int, votes: int) -> None:
    nothing: tuple[Face, ...] = ()
    lonely = [(face(20),) if index < votes - 1 else nothing for index in range(count)]
    enough = [(face(20),) if index < votes else nothing for index in range(count)]
    assert len(seen(*lonely)) == 0
    assert len(seen(*enough)) == 1


def test_the_box_is_the_mean_and_the_landmarks_are_the_surest_ones_that_are_named() -> None:
    (each,) = seen((face(20, 0.99),), (face(24, 0.7, marks=MARKS),), (face(22, 0.8, marks=((2.0, 2.0),) * 5),))
    assert each.box.left == pytest.approx(22)
    assert each.box.right == pytest.approx(42)
    assert each.score == 0.8
    assert each.landmarks == ((2.0, 2.0),) * 5


def test_neighbours_are_not_taken_for_one_face() -> None:
    assert len(seen((face(20), face(36)), (face(20), face(36)), ())) == 2


def test_no_detector_that_sees_anything_means_no_face() -> None:
    assert seen((), (), ()) == ()


def test_the_order_of_the_detectors_does_not_matter() -> None:
    one, other, third = (face(20, 0.9), face(90, 0.6)), (face(23, 0.8),), (face(88, 0.7), face(150, 0.95))
    assert seen(one, other, third) == seen(third, one, other)


def test_watching_ends_with_all_detectors_done() -> None:
    told: list[Progress] = []
    survey(PICTURE, {"a": Says(()), "b": Says(())}, told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[-1].done, told[-1].total) == (2, 2)


def test_raising_while_watching_cancels_the_survey() -> None:
    def stop(progress: Progress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        survey(PICTURE, {"a": Says((face(20),))}, stop)


def test_a_face_is_recognised_where_a_sighting_overlaps_it_enough() -> None:
    faces = [face(20), face(60), face(100)]
    sightings = [face(22), face(75), face(100, side=30)]
    assert recognised(faces, sightings) == (True, False, True)
    assert recognised(faces, []) == (False, False, False)
    assert recognised([], sightings) == ()
