"""What a classifier looks at, over a face."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from deepguard.media.overlay import DIMMED, overlay


def laid(heat: float, face: float = 0.5) -> NDArray[np.uint8]:
    data = overlay(torch.full((1, 3, 20, 30), face), torch.full((20, 30), heat))
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", (30, 20))
        return np.asarray(opened)[0, 0].astype(int)


def test_without_heat_the_face_shows_in_grey() -> None:
    assert np.ptp(laid(0.0)) == 0
    assert abs(laid(0.0)[0] - 0.5 * DIMMED * 255) <= 1
    assert laid(0.0, face=1.0)[0] > laid(0.0, face=0.2)[0]


def test_more_heat_is_redder_and_never_white() -> None:
    warmth = [int(pixel[0]) - int(pixel[2]) for pixel in (laid(0.0), laid(0.5), laid(1.0))]
    assert warmth == sorted(warmth)
    assert warmth[2] > 60
    assert laid(1.0, face=1.0).min() < 200


def test_heat_beyond_its_range_is_its_end() -> None:
    assert np.array_equal(laid(1.5), laid(1.0))
    assert np.array_equal(laid(-0.5), laid(0.0))
