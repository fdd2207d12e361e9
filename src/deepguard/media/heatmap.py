"""Where and how much a picture was changed, as colours at a fixed scale."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepguard.media.picture import Pixels, to_pixels
from deepguard.types import Images

SCALE = 16
"""Levels of 255 at which the difference's colours end; fixed, so that two comparisons can be compared."""

LONG_SIDE = 2000
"""Pixels of a heat map's longer side at most."""

# Cubehelix from violet over orange to white: half a turn of hue, so that noise does not look like confetti
_START, _ROTATIONS, _HUE = 0.2, 0.45, 1.5


def heatmap(before: Images, after: Images) -> bytes:
    """Return a PNG of the difference alone of the first image of each batch, as `coloured` shows it.

    It has the picture's own size, or is `LONG_SIDE` pixels long where that would be more.
    """
    levels = difference(to_pixels(before[0]), to_pixels(after[0]))
    height, width = levels.shape
    factor = LONG_SIDE / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        # the mean over each area: a thin pattern is shown as weak as it looks
        levels = np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BOX))
    buffer = io.BytesIO()
    coloured(levels).save(buffer, "PNG")
    return buffer.getvalue()


def difference(clean: Pixels, changed: Pixels) -> NDArray[np.float32]:
    """Return the greatest of the three channels' absolute differences, h w, in 8-bit levels."""
    greatest: NDArray[np.float32] = np.abs(clean.astype(np.int16) - changed).max(axis=-1).astype(np.float32)
    return greatest


def coloured(levels: NDArray[np.float32]) -> Image.Image:
    """Return the colours of cubehelix (Green, 2011), from black at 0 to white at `SCALE` or more.

    Brightness rises steadily, also for the colour-blind.
    """
    share = np.clip(levels / SCALE, 0, 1).astype(np.float32)
    angle = 2 * math.pi * (_START / 3 + 1 + _ROTATIONS * share)
    reach = _HUE * share * (1 - share) / 2
    weights = ((-0.14861, 1.78277), (-0.29227, -0.90649), (1.97294, 0.0))
    channels = [share + reach * (a * np.cos(angle) + b * np.sin(angle)) for a, b in weights]
    return Image.fromarray(np.rint(np.clip(np.stack(channels, axis=-1), 0, 1) * 255).astype(np.uint8))
