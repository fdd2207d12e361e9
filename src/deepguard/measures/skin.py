"""What the eye minds most on a face: patterns and stains on smooth skin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from deepguard.measures.roles import measures
from deepguard.types import Images, PerImage

Luma = Float[Tensor, "b 1 h w"]

NEAR = 0.08
"""Distance in (Cb, Cr) from the middle of a face up to which a colour counts as the face's skin."""

SMOOTH = 0.6
"""Share of the skin, the smoothest, on which patterns are measured; pores, wrinkles and beards hide the rest."""

LEAST = 50
"""Pixels of skin below which nothing is measured: the face is too small, or its skin is not seen."""

STRIP = 64
"""Columns that are blurred at a time."""


def luma(images: Images) -> Luma:
    """Return the brightness of coded colours (ITU-R BT.601), in [0, 1]."""
    weights = images.new_tensor([0.299, 0.587, 0.114])
    return torch.einsum("bchw,c->bhw", images, weights)[:, None]


def chroma(images: Images) -> Float[Tensor, "b 2 h w"]:
    """Return Cb and Cr (ITU-R BT.601), in [-0.5, 0.5]."""
    bright = luma(images)
    return torch.cat([(images[:, 2:] - bright) * 0.564, (images[:, :1] - bright) * 0.713], dim=1)


def blurred(planes: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Return the planes blurred by a Gaussian of `sigma` pixels, continued by their border."""
    reach = max(1, math.ceil(3 * sigma))
    places = torch.arange(-reach, reach + 1, dtype=planes.dtype, device=planes.device)
    kernel = torch.softmax(-0.5 * (places / sigma) ** 2, dim=0)
    return _across(_across(planes, kernel).mT, kernel).mT


def smooth_skin(faces: Images) -> Bool[Tensor, "b 1 h w"]:
    """Tell which pixels of pictures that each show one face's box are smooth skin.

    Skin is what lies in the ellipse of the box and has the colour of its middle; smooth is the calmer part of it by
    local detail. Nothing is, where fewer than `LEAST` pixels would be. Not differentiable.
    """
    height, width = faces.shape[-2:]
    y, x = (((torch.arange(side, device=faces.device) + 0.5) / side * 2 - 1) for side in (height, width))
    inside = (y[:, None] / 0.9) ** 2 + (x[None] / 0.85) ** 2 < 1
    middle = inside & (y[:, None].abs() < 0.5) & (x[None].abs() < 0.5)
    bright = luma(faces)
    detail = blurred((bright - blurred(bright, 4)).abs(), 3)
    skins = []
    for colours, calm in zip(chroma(faces), detail[:, 0], strict=True):
        skin = torch.zeros_like(inside)
        if middle.any():
            usual = colours[:, middle].median(dim=1).values
            skin = inside & ((colours - usual[:, None, None]).square().sum(dim=0) < NEAR**2)
        skins.append(_smoothest(skin, calm))
    return torch.stack(skins)[:, None]


def marbling(change: Luma, skin: Bool[Tensor, "b 1 h w"]) -> PerImage:
    """Return the root mean square of a change of brightness between blurs of 1 and 8 px on skin, in levels of 255."""
    return _rms(blurred(change, 1) - blurred(change, 8), skin)


def stain(change: Float[Tensor, "b 2 h w"], skin: Bool[Tensor, "b 1 h w"]) -> PerImage:
    """Return the root mean square of a change of Cb and Cr after a blur of 1 px on skin, in levels of 255."""
    return _rms(blurred(change, 1), skin)


def _across(planes: Float[Tensor, "b c h w"], kernel: Float[Tensor, " taps"]) -> Float[Tensor, "b c h w"]:
    # products with a band matrix, a strip of columns at a time: a tenth of the time of a convolution of one plane
    # on a processor, the gradient's a twentieth
    side, taps = planes.shape[-1], len(kernel)
    strip = min(STRIP, side)
    seen = strip + taps - 1
    band = functional.pad(kernel, (0, strip)).repeat(strip)[: strip * seen].view(strip, seen).mT
    wide = functional.pad(planes, (taps // 2, taps // 2 + -side % strip, 0, 0), mode="replicate")
    strips = [wide[..., left : left + seen] @ band for left in range(0, side, strip)]
    return torch.cat(strips, dim=-1)[..., :side]


def _smoothest(skin: Bool[Tensor, "h w"], detail: Float[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    count = int(skin.sum())
    if count >= LEAST:
        # kthvalue takes faces of any size; quantile refuses more than 16 million pixels
        skin = skin & (detail <= detail[skin].kthvalue(1 + int(SMOOTH * (count - 1))).values)
    return skin & (skin.sum() >= LEAST)


def _rms(change: Float[Tensor, "b c h w"], skin: Bool[Tensor, "b 1 h w"]) -> PerImage:
    energy = (change.square().sum(dim=1, keepdim=True) * skin).sum(dim=(1, 2, 3))
    mean = energy / skin.sum(dim=(1, 2, 3)).clamp(min=1)
    # the root has no slope at 0: there it is taken of 1, which gives no change the value and the gradient 0
    still = mean == 0
    return 255 * torch.where(still, 0, torch.where(still, 1, mean).sqrt())


@dataclass(frozen=True, slots=True)
class Marbling:
    """How strong a pattern the change draws on smooth skin: the band between blurs of 1 and 8 px of its brightness.

    In levels of 255. Up to 3 a face looks untouched at full size where the pattern follows its forms, as that against
    encoders does; waves, as those against detectors, are seen from 1.8 on (by eye; docs/research/identity.md). The
    pictures must each show one face's box; 0 where no skin is seen. Of a change up to 24 px beside the skin the blur
    shows a little.
    """

    unit: str = "/255"
    better: Literal["lower"] = "lower"
    of: Literal["face"] = "face"

    def __call__(self, clean: Images, changed: Images) -> PerImage:
        """Return the strength of the pattern for each pair of faces."""
        return marbling(luma(changed) - luma(clean), smooth_skin(clean))


@dataclass(frozen=True, slots=True)
class Chroma:
    """How strongly the change stains smooth skin: its Cb and Cr after a blur of 1 px.

    In levels of 255; up to 0.4 nobody sees it. The pictures must each show one face's box; 0 where no skin is seen.
    """

    unit: str = "/255"
    better: Literal["lower"] = "lower"
    of: Literal["face"] = "face"

    def __call__(self, clean: Images, changed: Images) -> PerImage:
        """Return the strength of the stain for each pair of faces."""
        return stain(chroma(changed) - chroma(clean), smooth_skin(clean))


@measures.register("marbling")
def create_marbling(paths: Sequence[Path], device: torch.device) -> Marbling:
    """Pattern on smooth skin: luma change between blurs of 1 and 8 px."""
    return Marbling()


@measures.register("chroma")
def create_chroma(paths: Sequence[Path], device: torch.device) -> Chroma:
    """Stain on smooth skin: change of Cb and Cr after a blur of 1 px."""
    return Chroma()
