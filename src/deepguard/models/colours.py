"""The colours of one face on another."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from deepguard.types import Images

WIDEST = 2.0
"""By how much colours are stretched or pressed at most; beyond it, noise would be."""


def recoloured(images: Images, like: Images, mask: Float[Tensor, "h w"]) -> Images:
    """Return `images` with the mean and the spread of each channel that `like` has under the mask (Reinhard 2001)."""
    (mean, spread), (wanted, wide) = _colours(images, mask), _colours(like, mask)
    gain = (wide / spread.clamp_min(1e-3)).clamp(1 / WIDEST, WIDEST)
    return ((images - mean) * gain + wanted).clamp(0, 1)


def _colours(images: Images, mask: Float[Tensor, "h w"]) -> tuple[Tensor, Tensor]:
    """Return each channel's mean and standard deviation under the mask, as b 3 1 1."""
    weights = mask.to(images) / mask.sum()
    mean = (images * weights).sum(dim=(-2, -1), keepdim=True)
    return mean, ((images - mean).square() * weights).sum(dim=(-2, -1), keepdim=True).sqrt()
