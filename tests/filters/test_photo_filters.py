"""Photo filters: what each does, worked out by hand, and what holds for all."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepguard.errors import OptionError
from deepguard.filters.photo import RANGES, Filters, apply, matrix

SIGNED = st.floats(-1, 1)
ANY = st.builds(Filters, SIGNED, SIGNED, SIGNED, SIGNED, st.floats(0, 1))
COLOURS = st.builds(Filters, SIGNED, SIGNED, SIGNED, SIGNED)
LEVEL = 1 / 255


def one_colour(red: float, green: float, blue: float) -> torch.Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, 5, 7).contiguous()


def photo(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (1, 3, 9, 11), generator=torch.Generator().manual_seed(seed)) / 255


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(brightness=1), (0.3, 0.6, 0.9)),
        (Filters(brightness=-0.5), (0.15, 0.3, 0.45)),
        (Filters(contrast=0.5), (0.08, 0.36, 0.64)),
        (Filters(contrast=-1), (0.44, 0.48, 0.52)),
        # luma is 0.2126 * 0.2 + 0.7152 * 0.4 + 0.0722 * 0.6 = 0.37192
        (Filters(saturation=-1), (0.37192, 0.37192, 0.37192)),
        (Filters(saturation=1), (0.02808, 0.42808, 0.82808)),
        (Filters(warmth=1), (0.23, 0.4, 0.51)),
        (Filters(warmth=-1), (0.17, 0.4, 0.69)),
        # 0.3 0.6 0.9 by brightness, 0.14 0.68 1.22 by contrast; only the end is cut
        (Filters(brightness=1, contrast=1), (0.14, 0.68, 1.0)),
        # and, with its luma of 0.604184, 0.372092 0.642092 0.912092, and red and blue by warmth
        (Filters(1, 1, -0.5, 1), (0.4279058, 0.642092, 0.7752782)),
    ],
)
def test_a_colour_filter_does_what_one_works_out_by_hand(filters: Filters, wanted: tuple[float, ...]) -> None:
    found = apply(one_colour(0.2, 0.4, 0.6), filters)
    assert found.shape == (1, 3, 5, 7)
    assert found[0, :, 2, 3].tolist() == pytest.approx(wanted, abs=LEVEL / 2 + 1e-6)


def test_the_matrix_is_what_is_applied() -> None:
    filters = Filters(0.3, -0.2, 0.6, -0.8)
    source = photo()
    colours = matrix(filters)
    assert colours.shape == (3, 4)
    moved = torch.einsum("cd,bdhw->bchw", colours[:, :3], source.double()) + colours[:, 3].view(1, 3, 1, 1)
    assert (apply(source, filters) - moved.clamp(0, 1)).abs().max() <= LEVEL / 2 + 1e-6


def test_the_matrix_of_each_filter_alone_is_that_of_its_formula() -> None:
    assert torch.allclose(matrix(Filters(brightness=1)), torch.eye(3, 4, dtype=torch.float64) * 1.5)
    halves = torch.full((3,), 0.5 - 0.5 * 1.4, dtype=torch.float64)
    assert torch.allclose(matrix(Filters(contrast=0.5))[:, 3], halves)
    assert matrix(Filters(warmth=-1)).diagonal().tolist() == pytest.approx([0.85, 1, 1.15])
    assert matrix(Filters(saturation=-1))[1].tolist() == pytest.approx([0.2126, 0.7152, 0.0722, 0])


def test_sharpening_lifts_a_point_from_its_four_neighbours() -> None:
    source = torch.full((1, 3, 5, 5), 0.4)
    source[..., 2, 2] = 0.5
    found = apply(source, Filters(sharpen=0.5))[0, 0]
    assert found[2, 2].item() == pytest.approx(0.5 + 0.5 * 4 * 0.1, abs=LEVEL)
    assert found[2, 1].item() == pytest.approx(0.4 - 0.5 * 0.1, abs=LEVEL)
    assert found[1, 1].item() == pytest.approx(0.4, abs=LEVEL)


@given(st.integers(0, 10))
def test_nothing_asked_for_changes_nothing(seed: int) -> None:
    source = photo(seed)
    assert apply(source, Filters()) is source
    assert apply(source, Filters(blur_others=True)) is source


@given(ANY, st.integers(0, 10))
def test_every_photo_stays_one_of_whole_levels(filters: Filters, seed: int) -> None:
    source = photo(seed)
    kept = source.clone()
    found = apply(source, filters)
    assert torch.equal(source, kept)
    assert found.shape == source.shape
    assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(found, torch.round(found * 255) / 255)


@given(ANY)
def test_a_grey_photo_stays_grey(filters: Filters) -> None:
    source = photo()[:, :1].expand(1, 3, 9, 11).contiguous()
    found = apply(source, filters, grey=True)
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 1], found[:, 2])


def test_a_grey_photo_is_neither_warmed_nor_coloured() -> None:
    source = photo()[:, :1].expand(1, 3, 9, 11).contiguous()
    assert apply(source, Filters(saturation=1, warmth=1), grey=True) is source


@given(COLOURS, st.floats(0, 1))
def test_one_colour_has_no_edge_to_sharpen(filters: Filters, sharpen: float) -> None:
    source = one_colour(0.2, 0.4, 0.6)
    sharpened = Filters(filters.brightness, filters.contrast, filters.saturation, filters.warmth, sharpen)
    assert (apply(source, sharpened) - apply(source, filters)).abs().max() <= LEVEL + 1e-6


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_more_brightness_is_never_darker(one: float, other: float) -> None:
    darker, brighter = sorted((one, other))
    source = photo()
    assert (apply(source, Filters(brightness=darker)) <= apply(source, Filters(brightness=brighter)) + 1e-6).all()


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", [-1.01, 1.01, math.nan, math.inf])
def test_a_filter_out_of_its_range_is_refused_with_the_range(name: str, value: float) -> None:
    wrong: dict[str, Any] = {name: value}
    least = "0" if name == "sharpen" else "-1"
    with pytest.raises(OptionError, match=f"^{name} goes from {least} to 1, and {value:g} lies outside$"):
        Filters(**wrong)
