"""Brightness, contrast, saturation, warmth and sharpness of a photo."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from deepguard.errors import OptionError
from deepguard.types import Images

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in luma (ITU-R BT.709, 2015, item 3.2)."""

BRIGHTNESS, CONTRAST, WARMTH = 0.5, 0.8, 0.15
"""How far a filter goes at 1: the share by which all channels, their distance from the middle, or red and blue grow."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is done to a photo before it is protected; the default is nothing. Out of range raises OptionError.

    Attributes:
        brightness: -1 (half as bright) to 1 (half as bright again).
        contrast: -1 to 1.
        saturation: -1 (grey) to 1 (twice as colourful).
        warmth: -1 (bluer) to 1 (redder).
        sharpen: 0 to 1.
        blur_others: make faces that were found and are not protected unrecognisable.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    warmth: float = 0.0
    sharpen: float = 0.0
    blur_others: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            # true only for a number in range: nothing compares with NaN
            if not least <= value <= most:
                raise OptionError(f"{name} goes from {least:g} to {most:g}, and {value:g} lies outside")


RANGES = {
    "brightness": (-1.0, 1.0),
    "contrast": (-1.0, 1.0),
    "saturation": (-1.0, 1.0),
    "warmth": (-1.0, 1.0),
    "sharpen": (0.0, 1.0),
}
"""Filter -> least and most."""


def apply(images: Images, filters: Filters, grey: bool = False) -> Images:
    """Return the images with changed colours, then sharpened; each step ends in [0, 1].

    Samples come out in whole levels of 8 bits, as a file holds them; where nothing is to be done the very same images
    come back. `grey` pictures stay grey: warmth and saturation are left out. Blurring is `faces.blurred`.
    """
    wanted = dataclasses.replace(filters, saturation=0.0, warmth=0.0) if grey else filters
    colours = matrix(wanted)
    if not wanted.sharpen and torch.equal(colours, matrix(Filters())):
        return images
    changed = conv2d(images, colours[:, :3, None, None].to(images), colours[:, 3].to(images)).clamp_(0, 1)
    if wanted.sharpen:
        changed = _sharpened(changed, wanted.sharpen)
    return whole_levels(changed)


def matrix(filters: Filters) -> Float[Tensor, "3 4"]:
    """Return the affine map of RGB as coded that the four colour filters are together: 3x3 and, last, what is added.

    In the order brightness, contrast, saturation, warmth. It is what a browser's feColorMatrix computes with
    color-interpolation-filters="sRGB". float64, not clamped.
    """
    identity = torch.eye(3, dtype=torch.float64)
    contrast = 1 + CONTRAST * filters.contrast
    luma = torch.tensor(LUMA, dtype=torch.float64).expand(3, 3)
    saturation = (1 + filters.saturation) * identity - filters.saturation * luma
    red, blue = 1 + WARMTH * filters.warmth, 1 - WARMTH * filters.warmth
    after = torch.diag(torch.tensor([red, 1.0, blue], dtype=torch.float64)) @ saturation
    added = torch.full((3, 1), 0.5 * (1 - contrast), dtype=torch.float64)
    return torch.cat([after * contrast * (1 + BRIGHTNESS * filters.brightness), after @ added], dim=1)


def whole_levels(images: Images) -> Images:
    """Return the images with each sample rounded to the nearest of 256 levels."""
    return images.mul(255).round_().div_(255)


def _sharpened(images: Images, amount: float) -> Images:
    kernel = images.new_tensor([[0, -amount, 0], [-amount, 1 + 4 * amount, -amount], [0, -amount, 0]])
    bordered = pad(images, (1, 1, 1, 1), mode="replicate")
    return conv2d(bordered, kernel.expand(3, 1, 3, 3), groups=3).clamp_(0, 1)
