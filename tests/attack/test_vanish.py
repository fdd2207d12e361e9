from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.attack.toys import drawn, faces_at, toy
from torch import Tensor

from deepguard.attack.objectives import slope
from deepguard.attack.vanish import GRID, Vanish, View
from deepguard.models.anchors import AnchorDetector, resized
from deepguard.models.roles import Evidence
from deepguard.types import Box

SIZE = (96, 160)
CORNER = (64, 32)


def silencing(detector: AnchorDetector, picture: Tensor, *corners: tuple[int, int], jitter: float = 1.0) -> Vanish:
    """The objective over a whole picture as it is."""
    height, width = picture.shape[-2:]
    faces = tuple(
        Box(face.box.left / width, face.box.top / height, face.box.right / width, face.box.bottom / height)
        for face in faces_at(*corners)
    )
    view = View.of(Box(0, 0, width, height), height, width, 1.0)
    return Vanish(detector, faces, view, picture, torch.zeros_like(picture), (height, width), jitter=jitter)


def unmoved(vanish: Vanish, picture: Tensor) -> torch.Generator:
    """Return chance by which the view is not shifted: then the pattern lies on the anchors and is loudest."""

    def value(seed: int) -> float:
        return float(vanish(picture, torch.Generator().manual_seed(seed)).sum())

    return torch.Generator().manual_seed(min(range(12), key=value))


def painted(height: int, width: int, seed: int) -> Tensor:
    """A picture in which every pixel differs from its neighbours."""
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(seed))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Box, int, int, float]:
    """A window at any place, also at the edges, with the picture's height and width and a detector's scale."""
    height, width = draw(st.integers(40, 150)), draw(st.integers(40, 150))
    left, top = draw(st.integers(0, width - 24)), draw(st.integers(0, height - 24))
    right = draw(st.one_of(st.just(width), st.integers(left + 24, width)))
    bottom = draw(st.one_of(st.just(height), st.integers(top + 24, height)))
    side = draw(st.integers(30, 260))
    return Box(left, top, right, bottom), height, width, side / max(height, width)


def test_a_picture_that_is_silent_everywhere_has_the_value_zero_and_no_slope(rng: torch.Generator) -> None:
    picture = drawn(SIZE)
    value, gradient = slope(silencing(toy(160), picture, CORNER), picture, rng)
    assert (value == 0).all()
    assert (gradient == 0).all()


@pytest.mark.parametrize("contrast", [0.0, 0.005, 0.01, 0.0155, 0.0160, 0.02, 0.03])
def test_above_minus_one_no_anchor_on_the_face_reaches_the_detectors_threshold(contrast: float) -> None:
    picture = drawn(SIZE, CORNER, contrast=contrast)
    detector = toy(160)
    vanish = silencing(detector, picture, CORNER)
    value = float(vanish(picture, unmoved(vanish, picture)))
    loudest = float(detector.evidence(picture).logits.max().sigmoid())
    torch.testing.assert_close(float(vanish.share(picture)) * vanish.detector.threshold, loudest)
    assert value <= 0
    assert loudest < detector.threshold or value <= -1
    assert value > -1 or contrast > 0.005


def test_the_value_falls_the_louder_the_face_is() -> None:
    pictures = [drawn(SIZE, CORNER, contrast=contrast) for contrast in (0.005, 0.01, 0.02, 0.03)]
    vanish = silencing(toy(160), pictures[0], CORNER)
    values = [float(vanish(picture, unmoved(vanish, pictures[-1]))) for picture in pictures]
    assert values == sorted(values, reverse=True)
    assert values[0] > -1 > values[-1]


def test_climbing_the_slope_makes_the_face_less_loud() -> None:
    picture = drawn(SIZE, CORNER)
    vanish = silencing(toy(160), picture, CORNER)
    _, gradient = slope(vanish, picture, unmoved(vanish, picture))
    assert (
        float(vanish.share(picture + 0.03 * gradient.sign())) * vanish.detector.threshold
        < 0.3
        < float(vanish.share(picture)) * vanish.detector.threshold
    )


def test_anchors_away_from_the_faces_do_not_count() -> None:
    both, elsewhere = drawn(SIZE, (0, 0), CORNER), drawn(SIZE, (0, 0))
    vanish = silencing(toy(160), both, CORNER)
    value, gradient = slope(vanish, elsewhere, unmoved(vanish, both))
    assert float(value) == 0
    assert (gradient == 0).all()
    assert float(vanish.share(elsewhere)) * vanish.detector.threshold < 0.05
    loud = float(vanish(both, unmoved(vanish, both)))
    assert loud < -1
    assert loud == pytest.approx(float(vanish(drawn(SIZE, CORNER), unmoved(vanish, both))))
    assert float(silencing(toy(160), both, (0, 0), CORNER)(both, unmoved(vanish, both))) < 1.5 * loud


def test_each_image_of_a_batch_has_its_own_value() -> None:
    batch = torch.cat((drawn(SIZE), drawn(SIZE, CORNER)))
    vanish = silencing(toy(160), batch[:1], CORNER)
    silent, loud = vanish(batch, unmoved(vanish, batch)).tolist()
    assert silent == 0
    assert loud < -1


def test_the_view_is_sometimes_met_as_it_is_and_otherwise_each_time_differently() -> None:
    picture = drawn(SIZE, CORNER)
    rng = torch.Generator().manual_seed(0)
    vanish = silencing(toy(160), picture, CORNER, jitter=1.5)
    still = float(vanish(picture, unmoved(vanish, picture)))
    values = [float(vanish(picture, rng)) for _ in range(60)]
    met = sum(value == still for value in values)
    assert 10 <= met <= 50
    assert len({value for value in values if value != still}) > (60 - met) / 2


def test_a_detector_without_an_anchor_is_silent(rng: torch.Generator) -> None:
    def blind(images: Tensor) -> Evidence:
        return Evidence(images.new_zeros(len(images), 0), images.new_zeros(len(images), 0, 4))

    picture = drawn(SIZE)
    vanish = silencing(AnchorDetector(blind, sides=(160,), threshold=0.5, overlap=0.3), picture, CORNER)
    assert float(vanish(picture, rng)) == 0
    assert float(vanish.share(picture)) * vanish.detector.threshold == 0


@given(windows(), st.booleans(), st.integers(0, 99))
@settings(deadline=None, max_examples=80)
def test_a_part_is_met_just_as_the_detector_meets_it_in_the_whole_picture(
    case: tuple[Box, int, int, float], whole: bool, seed: int
) -> None:
    window, height, width, scale = case
    picture = painted(height, width, seed)
    view = View.of(window, height, width, scale, whole=whole)
    left, top, right, bottom = (int(edge) for edge in (window.left, window.top, window.right, window.bottom))
    row, column = view.start
    rows, columns = slice(row, row + view.size[0]), slice(column, column + view.size[1])
    part = picture[..., top:bottom, left:right]
    residue = resized(picture, scale)[0][..., rows, columns] - view.take(part, picture)

    # changed inside, as a window shows more than may change, but up to the picture's own edges
    inner = [top and top + 3, left and left + 3, bottom if bottom == height else bottom - 3]
    inner.append(right if right == width else right - 3)
    changed = picture.clone()
    changed[..., inner[0] : inner[2], inner[1] : inner[3]] = painted(height, width, seed + 1)[
        ..., inner[0] : inner[2], inner[1] : inner[3]
    ]
    seen = view.take(changed[..., top:bottom, left:right], picture) + residue
    torch.testing.assert_close(seen, resized(changed, scale)[0][..., rows, columns], atol=3e-5, rtol=0)


@given(windows(), st.booleans())
@settings(deadline=None)
def test_a_view_covers_its_part_begins_on_the_grid_and_stays_in_the_picture(
    case: tuple[Box, int, int, float], whole: bool
) -> None:
    window, height, width, scale = case
    view = View.of(window, height, width, scale, whole=whole)
    row, column = view.start
    across, down = round(width * scale) / width, round(height * scale) / height
    assert row % GRID == 0
    assert column % GRID == 0
    assert 0 <= row <= window.top * down + 1e-6
    assert 0 <= column <= window.left * across + 1e-6
    assert window.bottom * down - 1e-6 <= row + view.size[0] <= max(1, round(height * scale))
    assert window.right * across - 1e-6 <= column + view.size[1] <= max(1, round(width * scale))


def test_a_detector_that_looks_at_the_whole_meets_all_of_a_picture_that_is_small_enough() -> None:
    window = Box(100, 100, 200, 200)
    assert View.of(window, 240, 240, 1.0, whole=True).size == (240, 240)
    assert View.of(window, 240, 240, 1.0, whole=True).start == (0, 0)
    assert View.of(window, 2400, 2400, 1.0, whole=True) == View.of(window, 2400, 2400, 1.0)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.6])
def test_a_moved_view_keeps_its_size_and_its_middle_moves_by_the_shift(factor: float) -> None:
    view = View.of(Box(37, 21, 101, 85), 130, 150, 0.8)
    moved = view.moved(factor, 3.0, -5.0)
    assert moved.size == view.size
    assert moved.part == (view.part[0] * factor, view.part[1] * factor)
    # the middle of the part, in view pixels
    x, y = view.part[0] / 2 - view.corner[0], view.part[1] / 2 - view.corner[1]
    share = torch.tensor(x - 3.0), torch.tensor(y + 5.0)
    torch.testing.assert_close(torch.stack(moved.shares(*share)), torch.tensor([0.5, 0.5]))
    assert view.moved(1.0, 0.0, 0.0) == view


def test_a_view_is_differentiable_in_its_part_and_shows_what_lies_around() -> None:
    picture = painted(90, 110, 3)
    view = View.of(Box(41, 37, 90, 80), 90, 110, 1.0)
    part = torch.zeros(1, 3, 43, 49, requires_grad=True)
    seen = view.take(part, picture)
    assert seen.shape[-2:] == view.size
    (gradient,) = torch.autograd.grad(seen.sum(), part)
    torch.testing.assert_close(gradient, torch.ones_like(gradient))
    row, column = view.start
    torch.testing.assert_close(seen[..., 0, :], picture[..., row, column : column + view.size[1]])


def test_a_part_may_come_at_another_size() -> None:
    picture = drawn(SIZE, CORNER)
    view = View.of(Box(40, 8, 120, 88), *SIZE, 1.0)
    part = picture[..., 8:88, 40:120]
    half = torch.nn.functional.interpolate(part, scale_factor=0.5, mode="area")
    assert view.take(half, picture).shape == view.take(part, picture).shape
    assert float((view.take(half, picture) - view.take(part, picture)).abs().mean()) < 0.01
