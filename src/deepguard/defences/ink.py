"""How a change looks: where how much of it may be, so that a person hardly sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.attack.budgets import Change
from deepguard.defences.looks import PICTURE, Look, Places, distance
from deepguard.defences.regions import Region
from deepguard.measures.roles import Measure
from deepguard.measures.skin import blurred, luma
from deepguard.types import Box, Images

Maps = Float[Tensor, "1 n h w"]

CALM = 3.0
"""Levels of local detail, of 255, below which a place is smooth: a change shows there, on a wall as on a cheek."""

USUAL, POWER, LEAST, MOST = 2.5, 0.8, 0.8, 8.0
"""Elsewhere the change grows with local detail, in shares of `USUAL` levels, to the power of `POWER`, within `LEAST`
and `MOST` (contrast masking; docs/research/protect.md)."""

SMOOTH, BUSY = 2.0, 2.9
"""Levels of 255 of the change in smooth and in other places at the start; each face's own controllers go on
from there."""

LARGEST = 16.0
"""Most levels of either: a face on which nothing can be measured would let its controllers run away."""

ALMOST_ALL = 0.45
"""Share of a picture that is worked on from which the picture's own ceilings may be met before the faces'."""


@dataclass
class Ink:
    """A change of brightness only, on each face as large as its ceilings of visibility let it be; grey stays grey.

    Smooth places (skin, and whatever is calm around it) and the rest have a size of their own for each face. The first
    is led by the pattern on skin, the other by SSIM and LPIPS, both towards a share of their ceilings.

    Attributes:
        clean: the window as it was.
        looks: the faces in it.
        measures: those at hand of "ssim" and "lpips".
        part: share of the picture that is worked on, all windows together.
        smooth, busy: how much may change where, in [0, 1], for a size of 1; one map per face.
        sizes: each face's two sizes in levels of 255.
    """

    clean: Images
    looks: tuple[Look, ...]
    measures: Mapping[str, Measure]
    part: float
    smooth: Maps
    busy: Maps
    sizes: list[tuple[float, float]]
    channels: int = 1

    @classmethod
    def on(cls, clean: Images, region: Region, measures: Mapping[str, Measure], part: float) -> Ink:
        """Return the ink for a region whose window, at any size, is `clean`."""
        height, width = clean.shape[-2:]
        busy = _detail(clean)
        looks = _looks(clean, region, busy < CALM)
        smooth = (busy < CALM).float()
        for look in looks:
            look.cut(smooth).masked_fill_(look.skin, 1)
        smooth = blurred(smooth, 1.5)
        owned = _owned(region, height, width).to(clean.device)
        growth = (busy / USUAL).pow(POWER).clamp(LEAST, MOST)
        sizes = [(SMOOTH, BUSY)] * len(looks)
        return cls(clean, looks, measures, part, owned * smooth, owned * (1 - smooth) * growth, sizes)

    def over(self, change: Change) -> Images:
        """Return the window with the change, given in shares of its size and on any grid; differentiable."""
        smooth, busy = (self.clean.new_tensor(sizes)[:, None, None] / 255 for sizes in zip(*self.sizes, strict=True))
        size = (self.smooth * smooth + self.busy * busy).sum(dim=1, keepdim=True)
        return (self.clean + _fitted(change, self.clean) * size).clamp(0, 1)

    @torch.no_grad()
    def tune(self, change: Change, target: float, most: float = 1.25) -> None:
        """Bring each face's sizes nearer to those with which it uses the `target` share of its ceilings.

        `most` is the largest factor by which a size changes.
        """
        images = self.over(change)
        whole = self.part * distance(self.clean, images, self.measures, PICTURE) if self.part > ALMOST_ALL else 0.0
        for index, (look, (smooth, busy)) in enumerate(zip(self.looks, self.sizes, strict=True)):
            calmer = smooth * _nearer(target, look.pattern(images), most)
            busier = busy * _nearer(target, max(whole, look.distance(images, self.measures)), most)
            self.sizes[index] = min(calmer, LARGEST), min(busier, LARGEST)

    def fitted(self, window: Images, region: Region) -> Ink:
        """Return the same ink on the same window at another size."""
        looks = _looks(window, region, _detail(window) < CALM)
        smooth, busy = _fitted(self.smooth, window), _fitted(self.busy, window)
        return replace(self, clean=window, looks=looks, smooth=smooth, busy=busy, sizes=list(self.sizes))


@dataclass
class Flat:
    """The L-infinity ball on a padded face region, the baseline: every channel of a pixel changes by at most `radius`.

    A grey picture is changed in brightness only.
    """

    clean: Images
    radius: Maps

    @property
    def channels(self) -> int:
        """How many channels a change has."""
        return 1 if bool((self.clean[:, :1] == self.clean).all()) else 3

    def over(self, change: Change) -> Images:
        """Return the window with the change, given in shares of its size and on any grid; differentiable."""
        return (self.clean + _fitted(change, self.clean) * self.radius).clamp(0, 1)

    def tune(self, change: Change, target: float, most: float = 1.25) -> None:
        """Leave the size as it is: this budget knows no visibility."""

    def fitted(self, window: Images, region: Region) -> Flat:
        """Return the same ink on the same window at another size."""
        return Flat(window, _fitted(self.radius, window))


def _detail(clean: Images) -> Maps:
    bright = luma(clean)
    detail = (bright - blurred(bright, 2)).abs()
    # a lone edge hides nothing: detail counts only where there is more of it around
    return 255 * torch.minimum(blurred(detail, 2), 1.5 * blurred(detail, 8))


def _looks(clean: Images, region: Region, calm: Places) -> tuple[Look, ...]:
    height, width = clean.shape[-2:]
    shares = region.shares()
    boxes = [Box(box.left * width, box.top * height, box.right * width, box.bottom * height) for box in shares]
    return tuple(Look.at(clean, box, calm) for box in boxes)


def _owned(region: Region, height: int, width: int) -> Maps:
    """Return for each face how much may change where on its account; together they are the region's mask."""
    each = torch.cat([replace(region, faces=(face,)).mask(height, width) for face in region.faces], dim=1)
    return each / each.sum(dim=1, keepdim=True).clamp(min=1e-6) * region.mask(height, width)


def _nearer(target: float, share: float, most: float) -> float:
    return float(min(most, max(1 / most, (target / max(share, 1e-6)) ** 0.9)))


def _fitted(maps: Maps, images: Images) -> Maps:
    """Bring maps to the images' size by bilinear interpolation."""
    size = images.shape[-2:]
    if maps.shape[-2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
