"""What happens to faces on their way: the same for real and fake, so that no shortcut separates them.

Every step draws its amounts for half of the batch and gives the second half the same ones: a batch holds real faces and
then their fakes, pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.forensics.training.batchwise import affine, blurred, coloured, drawn, sharpened, softened
from deepguard.media.codec import recompress
from deepguard.types import Images, PerImage, Rng

QUALITIES = (25, 98)
"""Of JPEG, drawn evenly."""
ZOOM, TURN, SHIFT = (-0.06, 0.16), 0.12, 0.03
"""Margins that are shown, radians of roll, and shares of the side by which a crop is moved."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How each crop of a batch is cut out of what is kept; drawn once for a pair."""

    turn: PerImage
    margin: PerImage
    across: PerImage
    down: PerImage
    mirror: PerImage


def framing(rng: Rng, count: int) -> Framing:
    """Return a random framing for `count` pictures."""
    return Framing(
        drawn(rng, count, -TURN, TURN),
        drawn(rng, count, *ZOOM),
        drawn(rng, count, -SHIFT, SHIFT),
        drawn(rng, count, -SHIFT, SHIFT),
        torch.where(drawn(rng, count) < 0.5, -1.0, 1.0),
    )


def steady(count: int, margin: float) -> Framing:
    """Return the framing of judging: upright, in the middle, with this margin."""
    nothing = torch.zeros(count)
    return Framing(nothing, torch.full((count,), margin), nothing, nothing, torch.ones(count))


def framed(images: Images, shown: PerImage, frame: Framing, side: int) -> Images:
    """Return crops of `side` pixels from kept ones that show the margins `shown`, or less where they show less."""
    margin = torch.minimum(frame.margin, shown)
    scale = (1 + 2 * shown) / (1 + 2 * margin)
    return affine(
        images,
        turn=frame.turn,
        scale=scale,
        across=frame.across,
        down=frame.down,
        mirror=frame.mirror,
        side=side,
    ).clamp(0, 1)


def degraded(pairs: Images, rng: Rng, likely: float) -> Images:
    """Return pictures after compression, resizing, blur, noise and changes of light, each with probability `likely`.

    The first half of the batch are real faces, the second their fakes.
    """
    made = pairs.clone()
    half = len(pairs) // 2
    steps: list[Callable[[Images, Rng], Images]] = [_lit, _softer, _blurrier, _crisper, _noisier]
    for place in torch.randperm(len(steps), generator=rng).tolist():
        these = _both(drawn(rng, half) < likely, half)
        if len(these):
            made[these] = steps[place](made[these], rng)
    qualities = torch.randint(QUALITIES[0], QUALITIES[1] + 1, (half,), generator=rng).repeat(2)
    for index in _both(drawn(rng, half) < min(1.0, 1.5 * likely), half).tolist():
        made[index] = recompress(made[index : index + 1], "jpeg", int(qualities[index]))[0]
    return made


def _both(chosen: Tensor, half: int) -> Tensor:
    """Return the places of the chosen pairs: of their real faces, then of their fakes."""
    places = torch.nonzero(chosen).flatten()
    return torch.cat([places, places + half])


def _twice(draw: PerImage) -> PerImage:
    return draw.repeat(2)


def _lit(images: Images, rng: Rng) -> Images:
    """Change colours; both halves from one state of chance."""
    half = len(images) // 2
    state = rng.get_state()
    first = coloured(images[:half], rng, shift=0.05, turn=0.15, saturation=0.4, light=0.25)
    rng.set_state(state)
    return torch.cat([first, coloured(images[half:], rng, shift=0.05, turn=0.15, saturation=0.4, light=0.25)])


def _softer(images: Images, rng: Rng) -> Images:
    return softened(images, _twice(drawn(rng, len(images) // 2, 0.4, 1.0)))


def _blurrier(images: Images, rng: Rng) -> Images:
    return blurred(images, _twice(drawn(rng, len(images) // 2, 0.2, 1.4)))


def _crisper(images: Images, rng: Rng) -> Images:
    return sharpened(images, _twice(drawn(rng, len(images) // 2, 0.1, 0.8)))


def _noisier(images: Images, rng: Rng) -> Images:
    size = _twice(drawn(rng, len(images) // 2, 0.0, 0.025)).view(-1, 1, 1, 1)
    return (images + torch.randn(images.shape, generator=rng) * size).clamp(0, 1)
