from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deepguard.defences.regions import USUAL, Region, regions
from deepguard.types import Box, Face

HEIGHT, WIDTH = 120, 160
REACH, CONTEXT = 0.3, 0.2


@st.composite
def crowds(draw: st.DrawFn) -> list[Face]:
    """Faces whose middles lie in the picture; some stick out of it."""
    faces = []
    for _ in range(draw(st.integers(1, 5))):
        x, y = draw(st.floats(0, WIDTH)), draw(st.floats(0, HEIGHT))
        across, down = draw(st.floats(16, 90)) / 2, draw(st.floats(16, 90)) / 2
        faces.append(Face(Box(x - across, y - down, x + across, y + down), 0.9))
    return faces


def found(faces: list[Face], reach: float = REACH) -> tuple[Region, ...]:
    return regions(faces, HEIGHT, WIDTH, reach=reach, context=CONTEXT)


def test_no_face_makes_no_window() -> None:
    assert found([]) == ()


@given(crowds())
@settings(deadline=None)
def test_every_face_is_in_exactly_one_window(faces: list[Face]) -> None:
    held = [face for region in found(faces) for face in region.faces]
    assert sorted(held, key=repr) == sorted(faces, key=repr)


@given(crowds())
@settings(deadline=None)
def test_a_window_is_whole_pixels_inside_the_picture_and_covers_its_grown_faces(faces: list[Face]) -> None:
    picture = Box(0, 0, WIDTH, HEIGHT)
    for region in found(faces):
        window = region.window
        assert all(float(edge).is_integer() for edge in (window.left, window.top, window.right, window.bottom))
        assert window.intersection(picture) == window
        assert window.area > 0
        for face in region.faces:
            changed = face.box.grown(REACH + CONTEXT).intersection(picture)
            assert changed.intersection(window) == changed


@given(crowds())
@settings(deadline=None)
def test_what_changes_for_faces_of_two_windows_never_meets(faces: list[Face]) -> None:
    for one, other in itertools.combinations(found(faces), 2):
        for near, far in itertools.product(one.faces, other.faces):
            assert near.box.grown(REACH).intersection(far.box.grown(REACH)).area == 0


def test_faces_that_stand_close_share_a_window_even_through_a_third() -> None:
    left, right = Face(Box(0, 40, 20, 60), 0.9), Face(Box(50, 40, 70, 60), 0.9)
    between = Face(Box(25, 40, 45, 60), 0.9)
    assert len(found([left, right])) == 2
    assert len(found([left, right, between])) == 1
    assert len(found([left, right, between], reach=0.05)) == 3


@given(crowds(), st.floats(0.05, 0.6))
@settings(deadline=None)
def test_a_mask_is_one_on_every_face_and_nothing_beyond_reach(faces: list[Face], reach: float) -> None:
    for region in found(faces, reach):
        height, width = int(region.window.height), int(region.window.width)
        mask = region.mask(height, width)
        assert mask.shape == (1, 1, height, width)
        assert float(mask.min()) >= 0
        assert float(mask.max()) <= 1
        x = (region.window.left + torch.arange(width) + 0.5).expand(height, -1)
        y = (region.window.top + torch.arange(height) + 0.5)[:, None].expand(-1, width)
        within = torch.zeros(height, width, dtype=torch.bool)
        for face in region.faces:
            box, wide = face.box, face.box.grown(reach)
            inside = (x > box.left) & (x < box.right) & (y > box.top) & (y < box.bottom)
            assert (mask[0, 0][inside] > 1 - 1e-4).all()
            within |= (
                (x > wide.left - 1e-3) & (x < wide.right + 1e-3) & (y > wide.top - 1e-3) & (y < wide.bottom + 1e-3)
            )
        assert float(mask[0, 0][~within].amax() if (~within).any() else 0) < 1e-6  # rounding at the very edge


@pytest.mark.parametrize(("across", "down"), [(20, 20), (24.5, 41), (60, 33.3)])
def test_a_mask_fades_from_the_face_outwards(across: float, down: float) -> None:
    face = Face(Box(80 - across / 2, 60 - down / 2, 80 + across / 2, 60 + down / 2), 0.9)
    (region,) = found([face])
    mask = region.mask(int(region.window.height), int(region.window.width))[0, 0]
    for line in (mask[len(mask) // 2], mask[:, mask.shape[1] // 2]):
        half = len(line) // 2
        assert line[half] == 1
        assert (line[: half + 1].diff() >= 0).all()
        assert (line[half:].diff() <= 0).all()
        assert ((line > 0) & (line < 1)).any()


@given(crowds())
@settings(max_examples=30, deadline=None)
def test_a_coarser_grid_shows_the_same_mask(faces: list[Face]) -> None:
    for region in found(faces):
        height, width = int(region.window.height), int(region.window.width)
        assume(min(height, width) > 8)
        fine, coarse = region.mask(2 * height, 2 * width), region.mask(height, width)
        halved = torch.nn.functional.avg_pool2d(fine, 2)
        assert float((halved - coarse).abs().mean()) < 0.05


@given(crowds())
@settings(deadline=None)
def test_shares_place_the_faces_in_the_window(faces: list[Face]) -> None:
    for region in found(faces):
        for share, face in zip(region.shares(), region.faces, strict=True):
            width, height = region.window.width, region.window.height
            assert share.left * width + region.window.left == pytest.approx(face.box.left)
            assert share.bottom * height + region.window.top == pytest.approx(face.box.bottom)


def test_the_smallest_face_is_measured_by_the_root_of_its_area() -> None:
    region = Region(Box(0, 0, 100, 100), (Face(Box(0, 0, 40, 40), 1), Face(Box(50, 50, 59, 66), 1)), REACH)
    assert region.smallest() == 12


def test_a_cut_is_a_view_of_the_picture() -> None:
    picture = torch.zeros(1, 3, HEIGHT, WIDTH)
    region = Region(Box(10, 20, 30, 50), (Face(Box(12, 22, 28, 48), 1),), REACH)
    region.cut(picture).fill_(1)
    assert region.cut(picture).shape == (1, 3, 30, 20)
    assert float(picture.sum()) == 3 * 30 * 20
    assert (picture[..., 20:50, 10:30] == 1).all()


MARKED = Face(Box(20, 30, 60, 80), 0.9, ((30, 50), (50, 51), (41, 60), (32, 70), (49, 71)))
BARE = Face(Box(100, 20, 140, 70), 0.9)


def test_landmarks_are_told_as_shares_of_the_window() -> None:
    region = Region(Box(10, 20, 110, 70), (MARKED,), REACH)
    (marks,) = region.marks()
    assert marks[0] == pytest.approx((0.2, 0.6))
    assert region.guessed() == region.marks()


def test_of_a_face_without_landmarks_those_of_a_usual_one_are_guessed() -> None:
    region = Region(Box(0, 0, WIDTH, HEIGHT), (MARKED, BARE), REACH)
    assert region.marks() == ()
    marked, bare = region.guessed()
    assert marked == Region(region.window, (MARKED,), REACH).marks()[0]
    for (x, y), (across, down) in zip(bare, USUAL, strict=True):
        assert (x * WIDTH, y * HEIGHT) == pytest.approx((100 + 40 * across, 20 + 50 * down))
    assert region.faces == (MARKED, BARE)


def test_a_usual_face_is_symmetrical_and_its_parts_are_where_they_belong() -> None:
    (left, eye), (right, other), (nose, middle), (corner, mouth), (end, same) = USUAL
    assert (eye, mouth) == (other, same)
    assert left + right == corner + end == pytest.approx(1)
    assert nose == 0.5
    assert 0 < eye < middle < mouth < 1
    assert left < corner < nose < end < right
