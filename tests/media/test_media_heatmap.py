"""The picture of the difference alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from deepguard.media.comparison import comparison
from deepguard.media.heatmap import LONG_SIDE, SCALE, heatmap


def shown(data):
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def flat(level, height=30, width=40):
    return torch.full((1, 3, height, width), level / 255)


def test_the_heat_map_has_the_pictures_own_size():
    assert shown(heatmap(flat(9), flat(9))).shape == (30, 40, 3)


def test_no_change_is_black_and_the_scales_end_and_all_beyond_is_white():
    assert (shown(heatmap(flat(100), flat(100))) == 0).all()
    assert (shown(heatmap(flat(100), flat(100 + SCALE))) == 255).all()
    assert (shown(heatmap(flat(100), flat(200))) == 255).all()


def test_the_greatest_of_the_channels_counts_and_its_sign_does_not():
    one = flat(100)
    one[:, 2] = 92 / 255
    assert (shown(heatmap(flat(100), one)) == shown(heatmap(flat(100), flat(108)))).all()


def test_a_weak_change_is_not_stretched():
    weak = flat(100)
    weak[..., :5, :5] = 102 / 255
    strong = weak.clone()
    strong[..., -5:, -5:] = 116 / 255
    assert (shown(heatmap(flat(100), weak))[0, 0] == shown(heatmap(flat(100), strong))[0, 0]).all()


@pytest.mark.parametrize(("height", "width"), [(20, 2 * LONG_SIDE), (2 * LONG_SIDE, 20)])
def test_a_large_one_is_made_smaller_in_proportion(height, width):
    small = shown(heatmap(flat(100, height, width), flat(104, height, width)))
    assert small.shape[:2] == (height // 2, width // 2)
    assert (small == shown(heatmap(flat(100), flat(104)))[0, 0]).all()


def test_it_has_the_colours_of_the_comparison():
    colour = shown(heatmap(flat(100, 300, 300), flat(107, 300, 300)))[150, 150]
    sheet = shown(comparison(flat(100, 300, 300), flat(107, 300, 300)))
    assert (sheet == colour).all(-1).sum() >= 300 * 300
