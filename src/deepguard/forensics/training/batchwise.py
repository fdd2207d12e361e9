"""Changes of a whole batch in which every picture has its own amount; all chance from `rng`."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.types import Images, PerImage, Rng

LEVELS = 8
"""Sizes to which pictures are softened: amounts are rounded to so many, each done for all that share it."""
LUMA = (0.299, 0.587, 0.114)
TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""RGB to luma and two chroma axes (NTSC), in which a turn changes hue and a factor saturation."""


def drawn(rng: Rng, count: int, lowest: float = 0.0, highest: float = 1.0) -> PerImage:
    """Return `count` numbers drawn evenly from the range."""
    return lowest + torch.rand(count, generator=rng) * (highest - lowest)


def affine(
    images: Float[Tensor, "b c h w"],
    *,
    turn: PerImage,
    scale: PerImage,
    across: PerImage,
    down: PerImage,
    mirror: PerImage | None = None,
    side: int | None = None,
) -> Float[Tensor, "b c h w"]:
    """Return pictures turned (radians), magnified, moved (shares of the side) and, where `mirror` is -1, mirrored.

    Edges go on by reflection. `side` is the result's, the pictures' own by default.
    """
    flip = torch.ones_like(scale) if mirror is None else mirror
    cos, sin = torch.cos(turn) / scale, torch.sin(turn) / scale
    rows = torch.stack([cos * flip, -sin, -2 * across, sin * flip, cos, -2 * down], dim=1).view(-1, 2, 3)
    size = side or images.shape[-1]
    grid = functional.affine_grid(rows.to(images), [len(images), 1, size, size], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def blurred(images: Float[Tensor, "b c h w"], sigma: PerImage) -> Float[Tensor, "b c h w"]:
    """Return pictures under Gaussian blurs of their own standard deviations in pixels."""
    count, channels = images.shape[:2]
    reach = max(1, math.ceil(3 * float(sigma.max())))
    places = torch.arange(-reach, reach + 1, dtype=images.dtype)
    kernels = torch.exp(-0.5 * (places / sigma.clamp_min(1e-3)[:, None]).square())
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = images.reshape(1, count * channels, *images.shape[-2:])
    flat = functional.pad(flat, (reach, reach, reach, reach), mode="replicate")
    flat = functional.conv2d(flat, kernels[:, None, None, :], groups=count * channels)
    flat = functional.conv2d(flat, kernels[:, None, :, None], groups=count * channels)
    return flat.view_as(images)


def softened(images: Images, share: PerImage) -> Images:
    """Return pictures made smaller to a share of their side and large again."""
    made = images.clone()
    sizes = (share * LEVELS).round().clamp(1, LEVELS).long() * images.shape[-1] // LEVELS
    for size in sorted(set(sizes.tolist())):
        these = sizes == size
        small = functional.interpolate(images[these], (size, size), mode="bilinear", antialias=True)
        made[these] = functional.interpolate(small, images.shape[-2:], mode="bilinear", align_corners=False)
    return made


def sharpened(images: Images, amount: PerImage) -> Images:
    """Return pictures with `amount` of their difference from a blurred copy (sigma 1 pixel) added."""
    rough = images - blurred(images, torch.ones(len(images)))
    return (images + amount.view(-1, 1, 1, 1) * rough).clamp(0, 1)


def coloured(images: Images, rng: Rng, *, shift: float, turn: float, saturation: float, light: float) -> Images:
    """Return pictures with channels moved, hue turned (radians), saturation, brightness and contrast changed.

    Each picture's amounts are drawn evenly from plus or minus the given ones.
    """
    count = len(images)
    angle, gain = drawn(rng, count, -turn, turn), drawn(rng, count, 1 - saturation, 1 + saturation)
    there = torch.tensor(TO_YIQ)
    back = torch.linalg.inv(there)
    spin = torch.zeros(count, 3, 3)
    spin[:, 0, 0] = 1
    spin[:, 1, 1] = spin[:, 2, 2] = torch.cos(angle) * gain
    spin[:, 2, 1] = torch.sin(angle) * gain
    spin[:, 1, 2] = -spin[:, 2, 1]
    mixed = torch.einsum("bij,bjhw->bihw", back @ spin @ there, images)
    moved = mixed + ((torch.rand((count, 3), generator=rng) * 2 - 1) * shift)[..., None, None]
    contrast = drawn(rng, count, 1 - light, 1 + light).view(-1, 1, 1, 1)
    bright = drawn(rng, count, -light, light).view(-1, 1, 1, 1)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean + bright * 0.5).clamp(0, 1)
