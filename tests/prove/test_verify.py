from __future__ import annotations

import json

import pytest
import torch
from tests.attack.toys import SIDE, drawn, faces_at, toy
from torch import Tensor
from torch.nn import functional

from deepguard.models.anchors import AnchorDetector
from deepguard.prove.verify import Judgement, Sighting, judge
from deepguard.types import Box, Face, Progress

SIZE = (128, 192)
CORNER = (96, 64)
EMPTY = drawn(SIZE)


def sighting(picture: Tensor, faces: list[Face], detector: AnchorDetector, original: Tensor | None = None) -> Sighting:
    (judgement,) = judge(picture if original is None else original, {"delivered": picture}, faces, {"toy": detector})
    return judgement.after["delivered"]


def test_a_face_that_is_found_is_found_before_and_after() -> None:
    picture = drawn(SIZE, CORNER)
    (judgement,) = judge(picture, {"delivered": picture, "gone": EMPTY}, faces_at(CORNER), {"toy": toy(192)})
    assert judgement == Judgement(
        "toy",
        (True,),
        {"delivered": Sighting((True,), (True,)), "gone": Sighting((False,), (False,))},
    )


def test_each_face_is_told_in_order() -> None:
    picture = drawn(SIZE, CORNER, (16, 16))
    faces = faces_at((16, 16), (48, 80), CORNER)
    assert sighting(picture, faces, toy(192)).found == (True, False, True)


def test_a_face_at_another_place_does_not_count() -> None:
    assert sighting(drawn(SIZE, (16, 16)), faces_at(CORNER), toy(192)) == Sighting((False,), (False,))


def test_who_lowers_the_threshold_finds_what_scores_between_both() -> None:
    # a contrast that scores 0.35 to 0.45
    faint = drawn(SIZE, CORNER, contrast=0.018)
    assert sighting(faint, faces_at(CORNER), toy(192)) == Sighting((False,), (True,))
    assert sighting(drawn(SIZE, CORNER, contrast=0.01), faces_at(CORNER), toy(192)) == Sighting((False,), (False,))


@pytest.mark.parametrize("corner", [(64, 48), (0, 0), (168, 104), (37, 51)])
def test_who_enlarges_twofold_finds_faces_too_small_for_the_detector(corner: tuple[int, int]) -> None:
    side = SIDE // 2
    picture = functional.interpolate(
        drawn((256, 384), (2 * corner[0], 2 * corner[1]), contrast=0.06), scale_factor=0.5, mode="area"
    )
    face = [Face(Box(corner[0], corner[1], corner[0] + side, corner[1] + side), 0.9)]
    assert sighting(picture, face, toy(192)) == Sighting((False,), (True,))


def test_who_halves_the_picture_finds_faces_too_large_for_the_detector() -> None:
    picture = drawn(SIZE, (64, 32), side=2 * SIDE)
    face = [Face(Box(64, 32, 128, 96), 0.9)]
    assert sighting(picture, face, toy(192)) == Sighting((False,), (True,))


def test_faces_are_looked_for_where_they_are_in_a_smaller_version() -> None:
    original = drawn(SIZE, CORNER, contrast=0.06)
    smaller = functional.interpolate(original, scale_factor=0.5, mode="area")
    # this one looks at every picture at the size at which the original's faces are seen
    always = AnchorDetector(toy(192).network, sides=(192,), threshold=0.5, overlap=0.3, stride=1)
    assert sighting(smaller, faces_at(CORNER), always, original).found == (True,)
    assert sighting(smaller, faces_at((16, 16)), always, original).found == (False,)


def test_without_faces_there_is_nothing_to_tell() -> None:
    assert sighting(EMPTY, [], toy(192)) == Sighting((), ())


def test_every_detector_judges_and_those_that_never_saw_the_face_say_so() -> None:
    picture = drawn(SIZE, CORNER)
    first, second = judge(picture, {"delivered": EMPTY}, faces_at(CORNER), {"sees": toy(192), "blind": toy(48)})
    assert (first.detector, first.before) == ("sees", (True,))
    assert (second.detector, second.before) == ("blind", (False,))


def test_watching_grows_to_its_end_and_raising_cancels() -> None:
    told: list[Progress] = []
    judge(EMPTY, {"a": EMPTY, "b": EMPTY}, faces_at(CORNER), {"x": toy(192), "y": toy(96)}, told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1].done == told[-1].total

    def stop(progress: Progress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        judge(EMPTY, {"a": EMPTY}, faces_at(CORNER), {"x": toy(192)}, stop)


def test_pictures_are_left_as_they_were() -> None:
    picture = drawn(SIZE, CORNER)
    before = picture.clone()
    judge(picture, {"delivered": picture}, faces_at(CORNER), {"toy": toy(192)})
    assert torch.equal(picture, before)
    assert json.dumps(judge(picture, {}, [], {"toy": toy(192)})[0].before) == "[]"
