"""A small autoencoder with one encoder and a decoder for each of two people, trained on the spot (faceswap, 2017).

The architecture and the training are those of deepfakes/faceswap's "original", with fewer channels: two processor
cores must train it in a minute. It brings no weights, and keeps none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.colours import recoloured
from deepguard.models.pasting import ellipse
from deepguard.models.roles import Template
from deepguard.models.swappers.roles import Crops, portrait, swappers
from deepguard.types import Images, Progress, Rng, Watch, ignore

STAGE = "training the swapper"
SIDE = 64
CROP = 256
"""Pixels of the crops that come and go; the network sees them at `SIDE`."""
CLOSE, EYES, COVER = 88.0, 0.27, 0.9
"""How close the crop is (see `portrait`): hardly more than the face, as of 64 pixels none should be lost on walls.
The mask is as much smaller as it must be to end inside."""
CHANNELS = (24, 48, 96, 192)
LAST = 16
"""Channels before the colours; there, at full size, each one costs as much as four before it."""
CODE = 192
STEPS = 900
BATCH = 4
"""Crops of each person in a step: with one photo a person, many small steps learn more than few large ones."""
RATE, WARM = 1.2e-3, 50
"""Adam's highest rate, reached after so many steps; 24 times that of the original, which trains for days."""
SLOWEST = 0.1
"""What is left of the rate in the end."""
ROTATION, ZOOM, SHIFT = 4.0, 0.05, 0.05
"""Degrees and shares by which crops are moved at random. None is mirrored: one photo's light comes from one side."""
JITTER = 3 / 160
"""Standard deviation of the warp's 5x5 control points, as a share of the crop's side."""
AROUND = 0.15
"""Of the loss: how much pixels outside the face count, of those inside."""


class Down(nn.Sequential):
    """Halves the sides (faceswap's conv block)."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__(nn.Conv2d(given, made, 5, stride=2, padding=2), nn.LeakyReLU(0.1))


class Up(nn.Sequential):
    """Doubles the sides (faceswap's upscale block)."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__(nn.Conv2d(given, 4 * made, 3, padding=1), nn.LeakyReLU(0.1), nn.PixelShuffle(2))


class Decoder(nn.Module):
    """Draws faces of one person."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (CHANNELS[2], CHANNELS[1], CHANNELS[0], LAST)
        self.ups = nn.Sequential(*(Up(given, made) for given, made in itertools.pairwise(sizes)))
        self.colours = nn.Conv2d(LAST, 3, 5, padding=2)

    def forward(self, code: Tensor) -> Images:
        """Return the faces that the encoder's codes stand for."""
        drawn: Images = self.colours(self.ups(code)).sigmoid()
        return drawn


class Pair(nn.Module):
    """The shared encoder, which sees the face alone, and a decoder for each person; all weights from `rng`."""

    def __init__(self, mask: Float[Tensor, "1 1 h w"], rng: Rng) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        deepest = CHANNELS[-1] * (SIDE // 16) ** 2
        # torch's layers draw from the global chance when they are made, and this must leave it alone
        with torch.random.fork_rng(devices=[]):
            self.encoder = nn.Sequential(
                *(Down(given, made) for given, made in zip((3, *CHANNELS), CHANNELS, strict=False)),
                nn.Flatten(),
                nn.Linear(deepest, CODE),
                nn.Linear(CODE, deepest),
                nn.Unflatten(1, (CHANNELS[-1], SIDE // 16, SIDE // 16)),
                Up(CHANNELS[-1], CHANNELS[-2]),
            )
            self.victim, self.other = Decoder(), Decoder()
        self._draw(rng)

    def forward(self, crops: Images) -> tuple[Images, Images]:
        """Return the first half of the crops as the victim's decoder draws them, the second as the other's does."""
        first, second = self.coded(crops).chunk(2)
        return self.victim(first), self.other(second)

    def coded(self, crops: Images) -> Tensor:
        """Return what the encoder makes of the faces; what is around them is grey to it."""
        code: Tensor = self.encoder(0.5 + self.get_buffer("mask") * (crops - 0.5))
        return code

    def _draw(self, rng: Rng) -> None:
        """Draw all weights anew (He et al. 2015), biases zero; pixels that lie together begin alike (Aitken 2017)."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                slope = 0.1 if isinstance(layer, nn.Conv2d) else 1.0
                nn.init.kaiming_normal_(layer.weight, a=slope, generator=rng)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            for each in self.modules():
                if isinstance(each, Up):
                    kernels = next(each.parameters())
                    kernels.copy_(kernels[::4].repeat_interleave(4, dim=0))
            for decoder in (self.victim, self.other):
                # the sigmoid begins in its middle, where it learns
                decoder.colours.weight.mul_(0.1)


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """Trains a pair on two people's crops."""

    device: torch.device
    source: Template = field(default_factory=lambda: portrait(CROP, CLOSE, EYES))
    target: Template = field(default_factory=lambda: portrait(CROP, CLOSE, EYES))
    steps: int = STEPS

    def learn(self, source: Crops, targets: Crops, *, steps: int, rng: Rng, watch: Watch = ignore) -> Trained:
        """Train for `steps` steps; see `Swapper.learn`."""
        mask = ellipse(self.target, COVER)
        # both people in the same light: else the encoder tells them apart by it, and nothing is shared
        matched = recoloured(source.images, targets.images.mean(dim=0, keepdim=True), mask)
        people = _small(matched).to(self.device), _small(targets.images).to(self.device)
        inside = _small(mask[None, None]).to(self.device)
        pair = Pair(inside, rng).to(self.device)
        optimiser = torch.optim.Adam(pair.parameters(), lr=RATE, betas=(0.5, 0.999), fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, steps))
        for step in range(steps):
            watch(Progress(STAGE, step, steps))
            drawn = (images[torch.randint(len(images), (BATCH,), generator=rng)] for images in people)
            warped, wanted = distorted(torch.cat(tuple(drawn)), rng)
            optimiser.zero_grad(set_to_none=True)
            error = (torch.cat(pair(warped)) - wanted).abs()
            (error * (AROUND + (1 - AROUND) * inside)).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        watch(Progress(STAGE, steps, steps))
        return Trained(pair.eval().requires_grad_(False), mask)


def _pace(step: int, steps: int) -> float:
    """Return the share of the highest rate: rising at first, falling to `SLOWEST` in the end."""
    share: float = min(1.0, (step + 1) / WARM) * SLOWEST ** (step / max(1, steps))
    return share


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A pair of which the victim's decoder is asked; `mask` is where a face lies on the template."""

    pair: Pair
    mask: Float[Tensor, "h w"]

    def swap(self, targets: Crops) -> Images:
        """Return the targets as the victim's decoder draws them, in each target's colours."""
        small = _small(targets.images)
        code = self.pair.coded(small.to(self.pair.get_buffer("mask").device))
        drawn = self.pair.victim(code).to(small)
        large = functional.interpolate(drawn, size=(CROP, CROP), mode="bicubic", align_corners=False)
        return recoloured(large.clamp(0, 1), targets.images, self.mask)


def distorted(images: Images, rng: Rng) -> tuple[Images, Images]:
    """Return each crop turned, zoomed and shifted at random: once also warped, and once not."""
    count, side = len(images), images.shape[-1]
    angle, zoom = math.radians(ROTATION) * _chance(count, rng), 1 + ZOOM * _chance(count, rng)
    across, down = 2 * SHIFT * _chance(count, rng), 2 * SHIFT * _chance(count, rng)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    moves = torch.stack((torch.stack((cos, -sin, across), dim=1), torch.stack((sin, cos, down), dim=1)), dim=1)
    grid = functional.affine_grid(moves, [count, 3, side, side], align_corners=False)
    jitter = 2 * JITTER * torch.randn(count, 2, 5, 5, generator=rng)
    bend = functional.interpolate(jitter, size=(side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    warped, wanted = (
        functional.grid_sample(images, each.to(images), padding_mode="reflection", align_corners=False)
        for each in (grid + bend, grid)
    )
    return warped, wanted


def _chance(count: int, rng: Rng) -> Float[Tensor, " count"]:
    return 2 * torch.rand(count, generator=rng) - 1


def _small(images: Tensor) -> Tensor:
    return functional.avg_pool2d(images, CROP // SIDE)


@swappers.register("autoencoder")
def autoencoder(files: Sequence[Path], device: torch.device) -> Autoencoder:
    """One encoder, two decoders, trained on the spot in about a minute; needs no weights. As faceswap does it."""
    return Autoencoder(device)
