"""Small pictures: alone, cut out, and side by side in one file."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from deepguard.media.strip import WIDEST, close_up, small, strip
from deepguard.types import Box


def colour(red: float, green: float, blue: float, height: int = 40, width: int = 80) -> torch.Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, height, width)


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == "JPEG"
        return np.asarray(opened.convert("RGB")).astype(int)


def near(pixel: np.ndarray, *wanted: int) -> bool:
    return bool(np.abs(pixel - np.array(wanted)).max() < 12)


def test_tiles_stand_in_a_row_in_their_order_each_centred_in_its_cell() -> None:
    row = pixels(strip([colour(1, 0, 0), colour(0, 1, 0), colour(0, 0, 1, 80, 40)], 60, 60, quality=95))
    assert row.shape == (60, 180, 3)
    assert near(row[30, 30], 255, 0, 0)
    assert near(row[30, 90], 0, 255, 0)
    assert near(row[30, 150], 0, 0, 255)
    # above a wide one and beside a high one there is nothing
    assert near(row[4, 30], 0, 0, 0)
    assert near(row[30, 124], 0, 0, 0)


def test_a_strip_takes_files_too_and_no_more_than_a_jpeg_can_hold() -> None:
    tile = small(colour(1, 1, 1, 4, 4), 4)
    many = pixels(strip([tile] * 70, 1000, 1))
    assert many.shape[1] == WIDEST // 1000 * 1000
    with pytest.raises(ValueError, match="needs a tile"):
        strip([], 10, 10)


def test_a_small_picture_keeps_its_shape_and_is_never_enlarged() -> None:
    assert pixels(small(colour(0, 0, 0, 400, 800), 100)).shape == (50, 100, 3)
    assert pixels(small(colour(0, 0, 0, 40, 80), 1000)).shape == (40, 80, 3)


def test_a_close_up_is_the_square_around_a_box_and_grey_beyond_the_picture() -> None:
    images = torch.zeros(1, 3, 100, 100)
    images[..., 40:60, 40:60] = 1
    middle = pixels(close_up(images, Box(40, 40, 60, 60), 56))
    assert middle.shape == (56, 56, 3)
    assert near(middle[28, 28], 255, 255, 255)
    assert near(middle[2, 2], 0, 0, 0)
    edge = pixels(close_up(images, Box(-20, -20, 0, 0), 56))
    assert near(edge[2, 2], 128, 128, 128)
    assert pixels(close_up(images, Box(300, 300, 300, 300), 8)).shape == (8, 8, 3)
