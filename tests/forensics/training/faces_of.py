"""Folders of made-up faces, and a detector that finds one in the middle of every picture that is not black."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.media.files_of import file_of

from deepguard.types import Box, Face, Images


class Middle:
    """The one face that every picture here has; its landmarks are a frontal face's."""

    def detect(self, images: Images, **told: Any) -> list[list[Face]]:
        height, width = images.shape[-2:]
        box = Box(width * 0.2, height * 0.2, width * 0.8, height * 0.8)
        points = ((0.38, 0.42), (0.62, 0.42), (0.5, 0.58), (0.41, 0.7), (0.59, 0.7))
        landmarks = tuple((x * width, y * height) for x, y in points)
        return [[Face(box, 0.9, landmarks)] if float(image.max()) > 0 else [] for image in images]


def fill(folder: Path, count: int, seed: int = 0, side: int = 96) -> Path:
    """Write `count` smooth pictures, each different."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 1, side)
    for number in range(count):
        colour = rng.uniform(60, 200, 3)
        shade = 40 * np.sin(ramp[:, None] * rng.uniform(3, 12) + ramp[None, :] * rng.uniform(3, 12))
        pixels = (colour + shade[..., None]).clip(1, 255).astype(np.uint8)
        (folder / f"{seed}-{number:03}.png").write_bytes(file_of(pixels, "PNG"))
    return folder
