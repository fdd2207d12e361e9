from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch.nn import functional

from deepguard.models.windows import Window, looks, shown, size_at, widened, windows
from deepguard.types import Box

PICTURE = torch.zeros(1, 3, 1000, 2000)


@dataclass(frozen=True)
class Twice:
    """A detector that looks at half size for all faces, and at full size for those of up to 100 pixels."""

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        return 0.5, 1.0

    def limits(self, height: int, width: int) -> tuple[tuple[float, float], ...]:
        return (60.0, math.inf), (0.0, 100.0)


def square(left: float, top: float, side: float) -> Box:
    return Box(left, top, left + side, top + side)


@pytest.mark.parametrize("size", [(90, 133), (40, 53), (31, 200), (60, 80)])
@pytest.mark.parametrize("window", [Window(0, 0, 17, 9), Window(11, 5, 53, 31), Window(20, 3, 21, 29)])
def test_a_window_is_what_the_whole_resized_picture_shows_there(
    rng: torch.Generator, size: tuple[int, int], window: Window
) -> None:
    images = torch.rand(2, 3, 60, 80, generator=rng)
    whole = functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    part = whole[..., window.top : window.bottom, window.left : window.right]
    assert torch.allclose(shown(images, size, window), part, atol=1e-5)
    assert torch.equal(shown(images, size, Window.all_of(size)), whole)


def test_windows_begin_and_end_on_the_grid_or_at_the_pictures_edges() -> None:
    (window,) = windows([widened(square(300, 200, 50), 40)], (500, 1000), 32)
    assert window == Window(256, 160, 416, 320)
    (corner,) = windows([widened(square(960, 470, 50), 40)], (500, 1000), 32)
    assert corner == Window(896, 416, 1000, 500)


def test_faces_far_apart_have_windows_of_their_own_and_neighbours_share_one() -> None:
    left, right = square(64, 64, 64), square(1800, 800, 64)
    assert len(windows([left, right], (1000, 2000), 32)) == 2
    (shared,) = windows([left, square(112, 64, 64)], (1000, 2000), 32)
    assert shared == Window(64, 64, 192, 128)


def test_windows_that_hold_nearly_everything_are_the_whole_picture() -> None:
    assert windows([Box(10, 10, 95, 95)], (100, 100), 1) == (Window(10, 10, 95, 95),)
    assert windows([Box(3, 3, 97, 97)], (100, 100), 1) == (Window(0, 0, 100, 100),)


def test_a_view_that_takes_no_face_of_like_size_is_left_out() -> None:
    large, small, tiny = square(0, 0, 300), square(500, 500, 90), square(900, 900, 15)
    first, second = looks(Twice(), PICTURE, None, [large, small, tiny])
    assert (first.scale, first.near) == (0.5, (large, small))
    assert (second.scale, second.near) == (1.0, (small, tiny))
    (only,) = looks(Twice(), PICTURE, None, [large])
    assert only.scale == 0.5
    assert list(looks(Twice(), PICTURE, None, [])) == []


def test_at_given_scales_faces_of_every_size_count_and_without_a_question_all_is_looked_at() -> None:
    (given,) = looks(Twice(), PICTURE, (2.0,), [square(0, 0, 300)])
    assert (given.scale, given.limits) == (2.0, (0.0, math.inf))
    assert [look.near for look in looks(Twice(), PICTURE, None, None)] == [None, None]


def test_a_resized_picture_has_at_least_one_pixel_each_way() -> None:
    assert size_at(PICTURE, 0.1234) == (123, 247)
    assert size_at(PICTURE, 1e-6) == (1, 1)
