"""What DIPA does before it adds anything: drop detail, and see where the models look."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.attack.drop import BLOCK, Drop
from deepguard.attack.objectives import Balanced, slope
from deepguard.defences.ink import Ink
from deepguard.defences.painter import Told
from deepguard.defences.scene import Named, Scene
from deepguard.measures.skin import blurred
from deepguard.types import Images, Rng

STEPS = 12
"""Signed steps on the table."""

FIRST = 0.03
"""Where the table begins, and how far each step goes: in a third of the steps a frequency is as coarse as can be."""

DRAWS = 4
"""Pictures with a little noise over which the attention is the mean (SmoothGrad, Smilkov et al. 2017)."""

NOISE = 4 / 255
LEAST = 0.2
"""Attention that every place of a region has: nothing is told by it there, rather than that nothing is there."""


def dropped(ink: Ink, aims: Sequence[Named], scene: Scene, share: float, rng: Rng, told: Told) -> Images:
    """Return the region without the detail that the aims need, using at most this share of the ceilings.

    AdvDrop (Duan et al. 2021) with the aims in place of a classifier's loss: signed steps on the steps by which the
    cosines of 8x8 blocks are quantised, until what is dropped would be seen.
    """
    mask = scene.region.mask(*scene.clean.shape[-2:]).to(scene.clean.device)
    drop = Drop(scene.clean, mask)
    objective = Balanced([each.aim for each in aims])
    table = torch.full((3, BLOCK, BLOCK), FIRST, device=scene.clean.device)
    best = scene.clean
    for _ in range(STEPS):
        told()
        leaf = table.detach().requires_grad_()
        images = drop.over(leaf)
        if ink.used(images.detach()) > share:
            break
        best = images.detach()
        _, gradient = slope(objective, best, rng)
        (uphill,) = torch.autograd.grad(images, leaf, gradient)
        table = (table + FIRST * uphill.sign()).clamp(0, 1)
    return best


def attention(aims: Sequence[Named], base: Images, scene: Scene, rng: Rng) -> Float[Tensor, "1 1 h w"]:
    """Return where the models look, in [`LEAST`, 1]: the mean size of the gradients under noise, smoothed.

    It stands for the Grad-CAM of the published method: an encoder need not tell its feature maps.
    """
    objective = Balanced([each.aim for each in aims])
    total = torch.zeros_like(base[:, :1])
    for _ in range(DRAWS):
        noise = NOISE * torch.randn(base.shape, generator=rng).to(base)
        _, gradient = slope(objective, base + noise, rng)
        total += gradient.abs().mean(dim=1, keepdim=True)
    smooth = blurred(total, max(1.0, scene.region.smallest() * scene.scale / 16))
    # the tenth of the places that matter most count fully
    full = smooth.flatten().quantile(0.9)
    return (smooth / full.clamp(min=1e-20)).clamp(LEAST, 1)
