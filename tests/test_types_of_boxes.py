from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from deepguard.types import Box

edges = st.floats(-50, 150)
boxes = st.tuples(edges, edges, st.floats(0.1, 90), st.floats(0.1, 90)).map(
    lambda four: Box(four[0], four[1], four[0] + four[2], four[1] + four[3])
)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        (Box(2, 3, 5, 7), (3, 7), (2, 5)),
        (Box(2.9, 3.1, 5.1, 6.9), (3, 7), (2, 6)),
        (Box(-4, -9.5, 2.5, 1), (0, 1), (0, 3)),
        (Box(15, 5, 99, 99), (5, 10), (15, 20)),
        (Box(-1, -1, 21, 11), (0, 10), (0, 20)),
    ],
)
def test_a_boxs_pixels_are_those_that_it_touches_inside_the_picture(
    box: Box, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    assert box.pixels(10, 20) == (slice(*rows), slice(*columns))


@given(boxes)
def test_pixels_are_the_fewest_that_hold_what_is_inside_the_picture(box: Box) -> None:
    inside = box.intersection(Box(0, 0, 100, 60))
    assume(inside.width > 0 and inside.height > 0)
    cut = torch.zeros(60, 100)[box.pixels(60, 100)]
    assert cut.shape == (
        math.ceil(inside.bottom) - math.floor(inside.top),
        math.ceil(inside.right) - math.floor(inside.left),
    )
    assert cut.numel() >= inside.area
