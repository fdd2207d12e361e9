"""The picture that shows what was changed."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from deepguard.media.comparison import LONG_SIDE, SCALE, comparison
from deepguard.types import Box


def shown(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def panels(sheet, height, width):
    """The three panels of the first row, found by the layout's own gap."""
    column = max(280, width)
    top = next(row for row in range(200) if (sheet[row : row + height, 24 : 24 + width] != sheet[0, 0]).any(-1).all())
    return [sheet[top : top + height, 24 + at * (column + 24) :][:, :width] for at in range(3)]


def flat(level, side=300):
    return torch.full((1, 3, side, side), level / 255)


def test_before_and_after_are_shown_unchanged():
    before, after, _ = panels(shown(comparison(flat(100), flat(108))), 300, 300)
    assert (before == 100).all()
    assert (after == 108).all()


def test_no_change_is_black_and_the_scales_end_is_white():
    _, _, none = panels(shown(comparison(flat(100), flat(100))), 300, 300)
    _, _, full = panels(shown(comparison(flat(100), flat(100 + SCALE))), 300, 300)
    assert (none == 0).all()
    assert (full == 255).all()


def test_brightness_rises_with_the_difference_at_a_fixed_scale():
    levels = []
    for step in range(0, SCALE + 1, 2):
        _, _, difference = panels(shown(comparison(flat(100), flat(100 - step))), 300, 300)
        levels.append(difference[150, 150] @ (0.2126, 0.7152, 0.0722))
    assert all(later > earlier for earlier, later in itertools.pairwise(levels))


def test_a_weak_difference_is_not_stretched_by_being_the_greatest():
    weak = flat(100)
    weak[..., :10, :10] = 102 / 255
    strong = weak.clone()
    strong[..., -10:, -10:] = 116 / 255
    _, _, alone = panels(shown(comparison(flat(100), weak)), 300, 300)
    _, _, beside = panels(shown(comparison(flat(100), strong)), 300, 300)
    assert (alone[5, 5] == beside[5, 5]).all()


def test_a_large_picture_is_shrunk_and_the_face_is_shown_at_its_own_size():
    large = torch.zeros(1, 3, 1500, 3000)
    large[..., 700:800, 1400:1500] = 1
    sheet = shown(comparison(large, large, [Box(1400, 700, 1500, 800)]))
    assert sheet.shape[1] == 3 * LONG_SIDE + 4 * 24
    crop = sheet[24 + LONG_SIDE // 2 + 60 :, 24 : 24 + 200]
    white = (crop == 255).all(-1)
    rows, columns = np.flatnonzero(white.sum(1) >= 100), np.flatnonzero(white.sum(0) >= 100)
    assert len(rows) == len(columns) == 100


@pytest.mark.parametrize("box", [Box(-50, -50, 40, 40), Box(280, 280, 500, 500), Box(10, 10, 10.2, 10.2)])
def test_a_face_at_the_edge_or_of_no_size_is_still_shown(box):
    plain = shown(comparison(flat(100), flat(100)))
    assert shown(comparison(flat(100), flat(100), [box])).shape[0] > plain.shape[0]


def test_one_pixel_can_be_compared():
    assert shown(comparison(flat(5, side=1), flat(5, side=1))).shape[1] == 3 * 280 + 4 * 24
