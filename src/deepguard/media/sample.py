"""The photo on which everything can be tried out."""

from __future__ import annotations

import importlib.resources
from pathlib import Path


def sample_file() -> Path:
    """Return the photo of astronaut Eileen Collins (NASA, public domain) that scikit-image carries."""
    return Path(str(importlib.resources.files("skimage"))) / "data" / "astronaut.png"
