"""Which part of a face speaks for fake: Grad-CAM (Selvaraju et al. 2017), read as a probability."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.forensics.loading import Judge
from deepguard.media.overlay import overlay
from deepguard.models.roles import Classifier, Localiser
from deepguard.types import Images

SHOWN = 256
"""Pixels of a heat map's side."""


def can_localise(classifier: Classifier) -> bool:
    """Tell whether the classifier can show where it looks."""
    return hasattr(classifier, "maps") and hasattr(classifier, "verdict")


def heat_of(crops: Images, judge: Judge) -> Float[Tensor, "b h w"]:
    """Return, for every place of a classifier's feature maps, the probability were the whole face like that place.

    The places' logits have the crop's logit as their mean. For a head that is linear in the mean of the maps they are
    exact (Zhou et al. 2016); for others they are Grad-CAM's. The classifier must be a `Localiser`.
    """
    localiser = cast(Localiser, judge.classifier)
    with torch.enable_grad():
        maps = localiser.maps(crops.to(judge.device)).detach().requires_grad_()
        logits = localiser.verdict(maps)
        (slopes,) = torch.autograd.grad(logits.sum(), maps)
    places = maps.shape[-1] * maps.shape[-2]
    parts = (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1) * places
    local = (parts + (logits[:, None, None] - parts.mean(dim=(1, 2), keepdim=True))).detach().cpu().float()
    if judge.calibration is None:
        return torch.sigmoid(local)
    return torch.sigmoid((local - judge.calibration.bias) / judge.calibration.temperature)


def pictured(crops: Images, judge: Judge) -> tuple[bytes, ...]:
    """Return a PNG of `SHOWN` pixels for each crop, with the heat over it: see `heat_of`."""
    heat = heat_of(crops, judge)[:, None]
    large = functional.interpolate(heat, (SHOWN, SHOWN), mode="bicubic", align_corners=False).clamp(0, 1)[:, 0]
    faces = functional.interpolate(crops, (SHOWN, SHOWN), mode="bicubic", align_corners=False).clamp(0, 1)
    return tuple(overlay(face[None], each) for face, each in zip(faces, large, strict=True))
