"""The attacker of a classifier: projected gradient descent inside an L-infinity ball (Madry et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deepguard.types import Images, PerImage, Rng


def attacked(
    logits: Callable[[Images], PerImage],
    images: Images,
    fake: PerImage,
    *,
    epsilon: float,
    steps: int,
    rng: Rng,
    stride: float | None = None,
) -> Images:
    """Return pictures changed by at most `epsilon` a channel so that fakes look real and real ones fake.

    `logits` is differentiable and may itself be random (an attack through a defence); `fake` is 1 or 0. Starts at a
    random place of the ball; one step is `stride`, by default 2.5 epsilon over the number of steps.
    """
    away = 1 - 2 * fake.view(-1, 1, 1, 1)
    size = stride or 2.5 * epsilon / steps
    changed = images + (torch.rand(images.shape, generator=rng) * 2 - 1).to(images) * epsilon
    changed = changed.clamp(0, 1)
    for _ in range(steps):
        changed.requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(logits(changed).sum(), changed)
        changed = _within(changed.detach() + size * away * gradient.sign(), images, epsilon)
    return changed.detach()


def _within(changed: Tensor, images: Images, epsilon: float) -> Images:
    return torch.minimum(torch.maximum(changed, images - epsilon), images + epsilon).clamp(0, 1)
