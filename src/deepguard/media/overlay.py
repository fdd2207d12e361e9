"""Where a classifier looks, laid over the face that it looks at."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from deepguard.media.heatmap import SCALE, coloured
from deepguard.media.picture import to_pixels
from deepguard.types import Images

COVER = 0.8
"""How much of the face the strongest colour hides."""

DIMMED = 0.75
"""Brightness that is left of the face, so that the colours stand out."""


def overlay(images: Images, heat: Float[Tensor, "h w"]) -> bytes:
    """Return a PNG of the one image of the batch, in grey, with heat in [0, 1] of its size over it.

    At 0 the face shows alone; towards 1 the colours of `heatmap.coloured` cover it. Its own colours are left out, as
    those of skin are among them.
    """
    share = heat.detach().clamp(0, 1).cpu().numpy().astype(np.float32)[..., None]
    # the upper end of the colours is white, which would look like a light on the face
    colours = np.asarray(coloured(share[..., 0] * SCALE * 0.7)).astype(np.float32)
    face = np.asarray(Image.fromarray(to_pixels(images[0])).convert("L")).astype(np.float32)[..., None] * DIMMED
    buffer = io.BytesIO()
    Image.fromarray(np.rint(face * (1 - COVER * share) + colours * COVER * share).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
