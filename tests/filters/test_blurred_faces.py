"""Faces that nobody is to recognise."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deepguard.filters.faces import blurred
from deepguard.types import Box, Face

FACE = Face(Box(40, 30, 80, 80), 0.9)


def photo(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (1, 3, 110, 130), generator=torch.Generator().manual_seed(seed)) / 255


def inside(box: Box, factor: float) -> torch.Tensor:
    """Return which pixels lie in the ellipse of `factor` times the box's width and height around its middle."""
    x = (torch.arange(130) + 0.5 - (box.left + box.right) / 2) / box.width
    y = (torch.arange(110) + 0.5 - (box.top + box.bottom) / 2) / box.height
    return x[None] ** 2 + y[:, None] ** 2 < factor**2


def test_without_faces_the_very_same_photo_comes_back() -> None:
    source = photo()
    assert blurred(source, []) is source


def test_a_face_loses_its_detail_and_what_is_far_from_it_keeps_every_level() -> None:
    source = photo()
    kept = source.clone()
    found = blurred(source, [FACE])
    assert torch.equal(source, kept)
    outside = ~inside(FACE.box, 1.0)
    assert torch.equal(found[..., outside], source[..., outside])
    face = inside(FACE.box, 0.7)
    assert found[..., face].std() < source[..., face].std() / 5
    assert torch.equal(found, torch.round(found * 255) / 255)


def test_the_edge_is_soft() -> None:
    white_face = torch.where(inside(FACE.box, 0.85), 1.0, 0.0).expand(1, 3, 110, 130).contiguous()
    row = blurred(white_face, [FACE])[0, 0, 55]
    assert (row[1:] - row[:-1]).abs().max() < 0.6
    assert len(row.unique()) > 8


def test_what_differs_only_within_cells_cannot_be_told_apart() -> None:
    # cells of ten pixels from the window's corner at (20, 5): a fine checkerboard leaves their means alone
    rows, columns = torch.meshgrid(torch.arange(110), torch.arange(130), indexing="ij")
    checkers = ((rows + columns) % 2 * 2 - 1) * 0.3
    one = torch.full((1, 3, 110, 130), 0.5)
    other = one + checkers
    face = inside(FACE.box, 0.75)
    assert torch.equal(blurred(one, [FACE])[..., face], blurred(other, [FACE])[..., face])
    assert not torch.equal(one[..., face], other[..., face])


def test_a_kept_face_beside_keeps_what_is_nearer_to_it() -> None:
    source = photo()
    neighbour = Face(Box(75, 30, 115, 80), 0.9)
    found = blurred(source, [FACE], kept=[neighbour])
    assert torch.equal(found[..., 95:], source[..., 95:])
    assert not torch.equal(blurred(source, [FACE])[..., 78:95], found[..., 78:95])
    assert not torch.equal(found[..., 45:70], source[..., 45:70])
    assert torch.equal(blurred(source, [FACE], kept=[FACE]), blurred(source, [FACE]))


def test_a_grey_photo_stays_grey() -> None:
    source = photo()[:, :1].expand(1, 3, 110, 130).contiguous()
    found = blurred(source, [FACE])
    assert torch.equal(found[:, 0], found[:, 2])


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(1, 400), st.floats(1, 400), st.integers(0, 3))
def test_a_face_may_lie_anywhere(left: float, top: float, width: float, height: float, seed: int) -> None:
    source = photo(seed)
    found = blurred(source, [Face(Box(left, top, left + width, top + height), 0.5)])
    assert found.shape == source.shape
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("side", [4, 12, 24])
def test_a_small_face_is_changed_too(side: int) -> None:
    source = photo()
    small = Box(50, 50, 50 + side, 50 + side)
    face = inside(small, 0.7)
    assert not torch.equal(blurred(source, [Face(small, 0.5)])[..., face], source[..., face])
