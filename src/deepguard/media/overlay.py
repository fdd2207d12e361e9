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

COVER = 0.65
"""How much of the face the strongest colour hides."""


def overlay(images: Images, heat: Float[Tensor, "h w"]) -> bytes:
    """Return a PNG of the one image of the batch with heat in [0, 1] of its size over it.

    At 0 the image shows as it is; towards 1 the colours of `heatmap.coloured` cover it.
    """
    share = heat.detach().clamp(0, 1).cpu().numpy().astype(np.float32)
    # the upper end of the colours is white, which would look like a light on the face
    colours = np.asarray(coloured(share * SCALE * 0.8)).astype(np.float32)
    grey = to_pixels(images[0]).astype(np.float32)
    cover = COVER * share[..., None]
    buffer = io.BytesIO()
    Image.fromarray(np.rint(grey * (1 - cover) + colours * cover).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
