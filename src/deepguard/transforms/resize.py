"""Resizing by the kernels that platforms and viewers use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.errors import OptionError, unknown
from deepguard.types import Images, Rng

Kernel: TypeAlias = Literal[
    "bilinear", "bicubic", "area", "antialiased-bilinear", "antialiased-bicubic", "antialiased-lanczos"
]
"""How a pixel is made from its neighbours: the antialiased ones widen with the reduction, as Pillow's do;
`area` averages whole pixels; the plain ones look at 2x2 or 4x4 pixels whatever the reduction, as browsers do."""

KERNELS: tuple[Kernel, ...] = get_args(Kernel)
COMMON: tuple[Kernel, ...] = ("bilinear", "bicubic", "area", "antialiased-bilinear", "antialiased-bicubic")


@dataclass(frozen=True, slots=True)
class Resize:
    """Resize by a factor drawn log-evenly from `lowest` to `highest`, by a kernel drawn from `kernels`.

    One draw holds for the whole batch. A range that is none, or an unknown kernel, raises OptionError.
    """

    lowest: float
    highest: float
    kernels: tuple[Kernel, ...] = COMMON

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= self.highest or not self.kernels:
            raise OptionError(
                "resizing needs a kernel and factors above 0, lowest first; "
                f"{self.lowest} to {self.highest} by {self.kernels} is none"
            )
        for kernel in self.kernels:
            _check(kernel)

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return the images at their new size, at least one pixel each way."""
        factor, kernel = self.draw(rng)
        return scaled(images, factor, kernel)

    def draw(self, rng: Rng) -> tuple[float, Kernel]:
        """Draw a factor and a kernel."""
        share = torch.rand((), generator=rng).item()
        index = int(torch.randint(len(self.kernels), (), generator=rng).item())
        return self.lowest * math.exp(share * math.log(self.highest / self.lowest)), self.kernels[index]


@dataclass(frozen=True, slots=True)
class Rescale:
    """Resize as `resize` draws it and bring the images back to their own size with the same kernel."""

    resize: Resize

    def __call__(self, images: Images, rng: Rng) -> Images:
        """Return images of the same size that lost, or doubled, detail."""
        factor, kernel = self.resize.draw(rng)
        height, width = images.shape[-2:]
        return resized(scaled(images, factor, kernel), (height, width), kernel)


def resized(images: Images, size: tuple[int, int], kernel: Kernel) -> Images:
    """Return the images at (height, width), clamped to [0, 1]; differentiable.

    Pixel centres lie at half coordinates, so a picture's corners stay its corners. An unknown kernel raises
    OptionError.
    """
    _check(kernel)
    if size == tuple(images.shape[-2:]):
        return images
    if kernel == "area":
        return functional.interpolate(images, size=size, mode="area")
    if kernel == "antialiased-lanczos" and images.device.type != "cpu":
        return by_lanczos(images, size).clamp(0, 1)
    antialiased = kernel.startswith("antialiased-")
    mode = kernel.removeprefix("antialiased-")
    return functional.interpolate(images, size=size, mode=mode, antialias=antialiased, align_corners=False).clamp(0, 1)


def by_lanczos(images: Images, size: tuple[int, int]) -> Images:
    """Return the images at (height, width) by antialiased Lanczos of three lobes (Duchon, 1979), not clamped.

    Two products with dense matrices: for devices on which torch has no such kernel of its own.
    """
    down, across = (_lanczos(old, new).to(images) for old, new in zip(images.shape[-2:], size, strict=True))
    return down @ images @ across.T


def scaled(images: Images, factor: float, kernel: Kernel) -> Images:
    """Return the images resized by a factor, each side to the nearest pixel and at least to one."""
    height, width = images.shape[-2:]
    return resized(images, (max(1, round(height * factor)), max(1, round(width * factor))), kernel)


def _check(kernel: str) -> None:
    if kernel not in KERNELS:
        raise unknown("resizing kernel", kernel, KERNELS)


def _lanczos(old: int, new: int) -> Float[Tensor, "new old"]:
    reduction = old / new
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * reduction
    pixels = torch.arange(old, dtype=torch.float64) + 0.5
    away = (pixels[None] - centres[:, None]) / max(reduction, 1.0)
    weights = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    return weights / weights.sum(dim=1, keepdim=True)
