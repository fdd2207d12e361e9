"""How a change looks: where how much of it may be, so that a person hardly sees it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.attack.budgets import Change
from deepguard.defences.looks import Look, distance
from deepguard.defences.regions import Region
from deepguard.defences.scene import Scene
from deepguard.measures.ceilings import PICTURE
from deepguard.measures.roles import Measure
from deepguard.measures.skin import blurred, luma
from deepguard.types import Box, Images

Map = Float[Tensor, "1 1 h w"]

CALM = 3.0
"""Levels of local detail, of 255, below which a place is smooth: a change shows there, on a wall as on a cheek."""

USUAL, POWER, LEAST, MOST = 2.5, 0.8, 0.8, 4.0
"""Elsewhere the change grows with local detail, in shares of `USUAL` levels, to the power of `POWER`, within `LEAST`
and `MOST` (contrast masking; docs/research/protect.md)."""

LONE = 0.8
"""Most that a place's own detail counts, in shares of the detail around it: a lone edge hides nothing."""

SMOOTH, BUSY = 2.0, 2.9
"""Levels of 255 of the change in smooth and in other places at the start; each face's own controllers go on
from there."""

LARGEST = 16.0
"""Most levels of either: a face on which nothing can be measured would let its controllers run away."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What else holds a change.

    Attributes:
        most: how far a pixel's brightness may get from what it was, in [0, 1].
        pattern: share of the ceiling of patterns on skin that may be used.
    """

    most: float
    pattern: float


WAVES = Limits(most=1.0, pattern=0.6)
"""Of a change against detectors: it draws waves, which are seen from 1.8 levels of 255 on."""

SETTLED = 4
"""Looks at a change that will not move any more."""

SLACK = 1.04
"""Share of a target that is as good as the target."""

ALMOST_ALL = 0.45
"""Share of a picture that is worked on from which the picture's own ceilings may be met before the faces'."""


@dataclass(frozen=True)
class Plot:
    """A face's part of a window: what is seen of it, and how much may change on its account.

    `smooth` and `busy` are shares, for the pixels of `place`, of its two `sizes` in levels of 255. `beyond` is by how
    much the share of all ceilings that each size is led by is larger than that of the skin's and of the face's SSIM.
    """

    look: Look
    place: tuple[slice, slice]
    smooth: Map
    busy: Map
    sizes: tuple[float, float] = (SMOOTH, BUSY)
    beyond: tuple[float, float] = (1.0, 1.0)

    def size(self) -> Map:
        """Return how much each pixel of `place` may change, in [0, 1]."""
        return (self.sizes[0] * self.smooth + self.sizes[1] * self.busy) / 255

    def tuned(self, target: float, pattern: float, distance: float) -> Plot:
        """Return the plot with sizes nearer to those of the target, where these shares of the ceilings are used."""
        nearer = [min(1.25, max(0.8, (target / max(share, 1e-6)) ** 0.9)) for share in (pattern, distance)]
        smooth, busy = (min(size * factor, LARGEST) for size, factor in zip(self.sizes, nearer, strict=True))
        return replace(self, sizes=(smooth, busy))


class Ink:
    """A change of brightness only, on each face as large as its ceilings of visibility let it be; grey stays grey.

    Smooth places (skin, and whatever is calm around it) and the rest have a size of their own for each face. The first
    is led by the pattern on skin, the other by SSIM and LPIPS, both towards a share of their ceilings.
    """

    channels = 1

    def __init__(
        self, clean: Images, region: Region, measures: Mapping[str, Measure], part: float, limits: Limits = WAVES
    ) -> None:
        """Take a region whose window, at any size, is `clean`.

        `measures` are those at hand of "ssim" and "lpips"; `part` is the share of the picture that is worked on, all
        windows together.
        """
        self.clean = self.base = self.judged = clean
        self.where: Map | float = 1.0
        self.limits = limits
        self.region = region
        self.measures = measures
        self.part = part
        busy = _detail(clean)
        looks = [Look.at(clean, box, busy < CALM) for box in _boxes(region, clean)]
        smooth = (busy < CALM).float()
        for look in looks:
            look.cut(smooth).masked_fill_(look.skin, 1)
        smooth = blurred(smooth, 1.5)
        growth = (1 - smooth) * (busy / USUAL).pow(POWER).clamp(LEAST, MOST)
        owned = _owned(region, *clean.shape[-2:])
        self.plots = [
            Plot(
                look, place, share.to(clean.device) * smooth[..., *place], share.to(clean.device) * growth[..., *place]
            )
            for look, (place, share) in zip(looks, owned, strict=True)
        ]
        self._size = self._sized()

    def upon(self, base: Images, where: Map | float = 1.0, *, anew: bool = False) -> Ink:
        """Return the ink for a window that is changed already.

        Of each pixel's size the share `where`, in [0, 1], is used. What is seen is still held against `clean`, or,
        where it is measured `anew`, against `base`: then the ceilings may be used once more.
        """
        ink = copy(self)
        ink.base, ink.where, ink.judged = base, where, base if anew else self.clean
        ink.plots = [replace(plot, look=replace(plot.look, clean=plot.look.cut(ink.judged))) for plot in self.plots]
        ink._size = ink._sized()
        return ink

    def used(self, images: Images) -> float:
        """Return the worst share of a face's or the picture's ceilings that the window uses when it shows these."""
        faces = [max(self._pattern(plot, images), plot.look.distance(images, self.measures)) for plot in self.plots]
        return max([self._whole(images), *faces])

    @torch.no_grad()
    def settled(self, change: Change, target: float) -> Change:
        """Tune the sizes to a change that will not move any more, and return as much of it as keeps to the target.

        On a face that is smooth nearly everywhere, tuning alone would bring neither SSIM nor LPIPS back.
        """
        for look in range(SETTLED):
            self.tune(change, target, thorough=look % 2 == 0)
        for _ in range(SETTLED):
            used = self.used(self.over(change))
            if used <= SLACK * target:
                break
            change = (target / used) ** 0.75 * change
        return change

    def over(self, change: Change) -> Images:
        """Return the window with the change, given in shares of its size and on any grid; differentiable."""
        # a channel that is cut off at black or white would change the colour
        darker, brighter = -self.base.amin(dim=1, keepdim=True), 1 - self.base.amax(dim=1, keepdim=True)
        already = luma(self.base - self.judged)
        darker, brighter = (
            darker.maximum(-self.limits.most - already),
            brighter.minimum(self.limits.most - already),
        )
        moved = _fitted(change, self.base) * self._size
        return (self.base + moved.clamp(min=darker.clamp(max=0), max=brighter.clamp(min=0))).clamp(0, 1)

    @torch.no_grad()
    def tune(self, change: Change, target: float, *, thorough: bool = True) -> None:
        """Bring each face's sizes nearer to those with which it uses the `target` share of its ceilings.

        LPIPS and the whole picture take the longest to measure: unless `thorough`, they are taken to be as far beyond
        the skin's pattern and SSIM as they last were.
        """
        images = self.over(change)
        whole = self._whole(images) if thorough else 0.0
        self.plots = [self._tuned(plot, images, target, whole, thorough=thorough) for plot in self.plots]
        self._size = self._sized()

    def _tuned(self, plot: Plot, images: Images, target: float, whole: float, *, thorough: bool) -> Plot:
        pattern = self._pattern(plot, images)
        ssim = plot.look.distance(images, {name: each for name, each in self.measures.items() if name == "ssim"})
        if thorough:
            # on a wall it is the smooth places that are seen, in a crowd the others: both give way to the picture's
            calm = whole / max(pattern, 1e-6)
            busy = max(whole, plot.look.distance(images, self.measures)) / max(ssim, 1e-6)
            plot = replace(plot, beyond=(max(1.0, calm), max(1.0, busy)))
        return plot.tuned(target, plot.beyond[0] * pattern, plot.beyond[1] * ssim)

    def _pattern(self, plot: Plot, images: Images) -> float:
        """Return the share of what a pattern on skin may use of its ceiling that is used."""
        return plot.look.pattern(images) / self.limits.pattern

    def _whole(self, images: Images) -> float:
        """Return the share of the picture's ceilings that is used; 0 where the faces' are met long before."""
        if self.part < ALMOST_ALL:
            return 0.0
        return self.part * distance(self.judged, images, self.measures, PICTURE)

    def fitted(self, window: Images) -> Ink:
        """Return the same ink on the same window at another size."""
        if window.shape == self.clean.shape:
            return self
        ink = Ink(window, self.region, self.measures, self.part, self.limits)
        for index, (own, plot) in enumerate(zip(ink.plots, self.plots, strict=True)):
            rows, columns = own.place
            shape = torch.empty(1, 1, rows.stop - rows.start, columns.stop - columns.start)
            smooth, busy = _fitted(plot.smooth, shape), _fitted(plot.busy, shape)
            ink.plots[index] = replace(own, smooth=smooth, busy=busy, sizes=plot.sizes)
        where = self.where if isinstance(self.where, float) else _fitted(self.where, window)
        base = (window + _fitted(self.base - self.clean, window)).clamp(0, 1)
        return ink.upon(base, where, anew=self.judged is not self.clean)

    def _sized(self) -> Map:
        size = torch.zeros_like(self.clean[:, :1])
        for plot in self.plots:
            size[..., *plot.place] += plot.size()
        return size * self.where


@dataclass
class Flat:
    """The L-infinity ball on a padded face region, the baseline: every channel of a pixel changes by at most `radius`.

    A grey picture is changed in brightness only.
    """

    clean: Images
    radius: Map

    @property
    def channels(self) -> int:
        """How many channels a change has."""
        return 1 if bool((self.clean[:, :1] == self.clean).all()) else 3

    @classmethod
    def of(cls, scene: Scene, epsilon: float) -> Flat:
        """Return the ball of radius `epsilon`, of 1, where a region may change."""
        mask = scene.region.mask(*scene.clean.shape[-2:]).to(scene.clean.device)
        return cls(scene.clean, epsilon * mask)

    def over(self, change: Change) -> Images:
        """Return the window with the change, given in shares of its size and on any grid; differentiable."""
        return (self.clean + _fitted(change, self.clean) * self.radius).clamp(0, 1)

    def tune(self, change: Change, target: float, *, thorough: bool = True) -> None:
        """Leave the size as it is: this budget knows no visibility."""

    def settled(self, change: Change, target: float) -> Change:
        """Return the change as it is."""
        return change

    def fitted(self, window: Images) -> Flat:
        """Return the same ink on the same window at another size."""
        return Flat(window, _fitted(self.radius, window))


def _detail(clean: Images) -> Map:
    bright = luma(clean)
    detail = (bright - blurred(bright, 2)).abs()
    return 255 * torch.minimum(blurred(detail, 2), LONE * blurred(detail, 8))


def _boxes(region: Region, images: Images) -> list[Box]:
    height, width = images.shape[-2:]
    return [Box(box.left * width, box.top * height, box.right * width, box.bottom * height) for box in region.shares()]


def _owned(region: Region, height: int, width: int) -> list[tuple[tuple[slice, slice], Map]]:
    """Return for each face how much may change where on its account, and where that is.

    Where faces are close they share; together they are the region's mask.
    """
    alone = [replace(region, faces=(face,)).mask(height, width) for face in region.faces]
    together = torch.stack(alone).sum(dim=0).clamp(min=1e-6)
    mask = region.mask(height, width)
    owned = []
    for each in alone:
        rows, columns = (each[0, 0].amax(dim=dim).nonzero() for dim in (1, 0))
        place = slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
        owned.append((place, (each / together * mask)[..., *place]))
    return owned


def _fitted(maps: Map, images: Images) -> Map:
    """Bring maps to the images' size by bilinear interpolation."""
    size = images.shape[-2:]
    if maps.shape[-2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
