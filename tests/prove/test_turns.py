from __future__ import annotations

import pytest
import torch
from tests.attack.toys import drawn, faces_at, toy
from tests.prove.proofs import bright

from deepguard.prove.turns import TURNS, _View, turned
from deepguard.types import Box


@pytest.mark.parametrize("angle", TURNS)
def test_a_place_is_known_in_a_turned_picture(angle: float) -> None:
    view = _View.around(Box(60, 40, 160, 140), bright((130, 60)), angle)
    light = (view.images.mean(dim=1)[0] - 0.3).clamp(min=0)
    rows, columns = (torch.arange(side) + 0.5 for side in light.shape)
    box = view.box(Box(130, 60, 132, 62))
    assert (box.left + box.right) / 2 == pytest.approx(float((light.sum(0) * columns).sum() / light.sum()), abs=0.3)
    assert (box.top + box.bottom) / 2 == pytest.approx(float((light.sum(1) * rows).sum() / light.sum()), abs=0.3)


def test_a_box_stands_up_when_it_is_turned_by_a_right_angle() -> None:
    box = _View.around(Box(60, 40, 160, 140), bright(), 90.0).box(Box(100, 80, 120, 110))
    assert (box.width, box.height) == pytest.approx((30, 20))


def test_who_turns_the_picture_finds_a_face_that_lies_on_its_side() -> None:
    picture = drawn((192, 192), (80, 80))
    lying = torch.rot90(picture, 1, dims=(-2, -1))
    faces = faces_at((80, 80))
    assert turned(toy(192), lying, faces) == (True,)
    assert turned(toy(192), drawn((192, 192)), faces) == (False,)


def test_each_face_is_told_and_no_face_is_nothing() -> None:
    picture = torch.rot90(drawn((192, 192), (32, 32)), 1, dims=(-2, -1))
    assert turned(toy(192), picture, faces_at((128, 128), (32, 128))) == (False, True)
    assert turned(toy(192), picture, []) == ()
