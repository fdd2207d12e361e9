"""One picture that all chosen detectors miss: the joint attack on their evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional

from deepguard.attack.budgets import Change, Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import Balanced, Expected, slope
from deepguard.attack.vanish import SILENT, Vanish, View
from deepguard.defences.regions import Region, regions
from deepguard.defences.roles import Recipe, defences
from deepguard.defences.through import Through
from deepguard.errors import OptionError
from deepguard.models.anchors import resized
from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Face, Images, PerImage, Progress, Rng, Watch, ignore

LATE = 0.6
"""Share of the steps after which every third change is judged; the best judged one is kept."""

CALM = 3
"""Judgements in a row that found every detector silent, after which more steps add nothing."""

UNSEEN = 0.5
"""Share of its threshold up to which a detector's score for the untouched faces makes a view not worth working on."""

CONTEXT = 0.2
"""What a region shows beyond the changed area on each side, as a share of the face's size."""

CANVAS = 600_000
"""Pixels of the largest window that is worked on at the picture's own size; a larger one is worked on smaller."""


@dataclass(frozen=True)
class FacePoison:
    """Climb the peak loss of every surrogate at once, inside an L-infinity budget on padded face regions.

    After FacePoison (Li et al. 2024), which makes one picture for each detector, this makes one for all: TOG-vanishing
    with a loss on the peaks, LEAT's unit gradients (Shim & Yoon 2023), expectation over posting (Athalye et al.
    2018). A grey picture is changed in luminance only and stays grey.

    Attributes:
        surrogates: the detectors to hide from, by name.
        through: what posting does to the picture; None optimises for the picture as delivered alone.
        epsilon: most that a channel of a pixel may change, in units of the range [0, 1].
        steps: steps of the climb for each region.
        reach: share of a face's size by which the changed area extends beyond it on each side.
        cells: the change is drawn on a grid on which a face's side has at most this many cells; a coarser grid
            survives resizing better and is seen as softer, but hides less.
        jitter: detectors are also met at scales up to this factor off their own.
        momentum: of the climb.
        minimal: shrink the finished change to the faintest one that still silences every surrogate.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    epsilon: float = field(default=8 / 255, metadata={"help": "most that a pixel may change, of 1"})
    steps: int = field(default=50, metadata={"help": "steps of the climb for each region"})
    reach: float = field(default=0.45, metadata={"help": "how far around a face the change extends, of its size"})
    cells: int = field(default=192, metadata={"help": "grid cells along a face's side"})
    jitter: float = field(default=1.25, metadata={"help": "factor by which input scales are varied"})
    momentum: float = field(default=0.5, metadata={"help": "momentum of the climb"})
    minimal: bool = field(default=False, metadata={"help": "shrink to the faintest change that still passes"})

    def __post_init__(self) -> None:
        if not self.surrogates:
            raise OptionError("no detector is chosen; name at least one with --detectors")
        if not 0 < self.epsilon <= 64 / 255:
            raise OptionError(f"epsilon {self.epsilon:.4g} is outside 0 to 64/255; 8/255 is usual")
        for name, least in (("steps", 1), ("cells", 8), ("jitter", 1), ("reach", 0), ("momentum", 0)):
            if not getattr(self, name) >= least:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least {least}")

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with each one's faces protected."""
        changed = images.clone()
        height, width = images.shape[-2:]
        work = [
            (index, region)
            for index, found in enumerate(faces)
            for region in regions(found, height, width, reach=self.reach, context=CONTEXT)
        ]
        for done, (index, region) in enumerate(work):
            painter = Painter(self, region, changed[index : index + 1])
            painter.paint(rng, done, len(work), watch)
        return changed


class Painter:
    """Works on one region of one image, in place."""

    def __init__(self, recipe: FacePoison, region: Region, image: Images) -> None:
        self.recipe = recipe
        self.region = region
        self.window = region.cut(image)
        height, width = image.shape[-2:]
        self.scale = min(1.0, math.sqrt(CANVAS / (self.window.shape[-2] * self.window.shape[-1])))
        self.clean = _shrunk(self.window, self.scale)
        around = _shrunk(image, self.scale)
        self.posted = None if recipe.through is None else recipe.through(max(height, width) * self.scale)
        self.grey = bool((image[:, :1] == image).all())
        parts = [
            (name, self._vanish(detector, image, around, scale, limits))
            for name, detector in recipe.surrogates.items()
            for scale, limits in zip(detector.scales(height, width), detector.limits(height, width), strict=True)
        ]
        loud = in_parallel([partial(part.loudest, self.clean) for _, part in parts])
        self.parts = [
            each for each, score in zip(parts, loud, strict=True) if float(score) > UNSEEN * each[1].detector.threshold
        ] or parts

    def _vanish(
        self, detector: FaceDetector, image: Images, around: Images, scale: float, limits: tuple[float, float]
    ) -> Vanish:
        height, width = image.shape[-2:]
        view = View.of(self.region.window, height, width, scale, whole=detector.whole)
        whole, _ = resized(image, scale)
        top, left = view.start
        true = whole[..., top : top + view.size[0], left : left + view.size[1]]
        return Vanish(
            detector,
            self.region.shares(),
            view,
            around,
            residue=true - view.take(self.clean, around),
            size=(self.clean.shape[-2], self.clean.shape[-1]),
            sides=(limits[0] / self.region.window.width, limits[1] / self.region.window.width),
            jitter=self.recipe.jitter,
        )

    def paint(self, rng: Rng, done: int, total: int, watch: Watch) -> None:
        """Climb and write the protected pixels into the window; `done` of `total` regions came before."""
        budget = Linf(self.recipe.epsilon * self._grid().to(self.window.device))
        ensemble = Balanced([part for _, part in self.parts])
        objective = ensemble if self.posted is None else Expected(ensemble, self.posted)
        judged: list[tuple[float, Change]] = []

        def heed(step: int, change: Change) -> bool:
            steps = self.recipe.steps
            if step > LATE * steps and (step % 3 == 0 or step == steps):
                judged.append((self._loudness(change), change))
            loud = {name for index, (name, _) in enumerate(self.parts) if not ensemble.satisfied(index)}
            found = tuple((name, name in loud) for name in self.recipe.surrogates)
            watch(Progress("protect", done * steps + step, total * steps, found))
            return len(judged) >= CALM and all(loudness == 0 for loudness, _ in judged[-CALM:])

        def climbed(change: Change, rng: Rng) -> tuple[PerImage, Change]:
            leaf = change.detach().requires_grad_()
            images = _painted(self.clean, leaf)
            value, gradient = slope(objective, images.detach(), rng)
            return value, torch.autograd.grad(images, leaf, gradient)[0]

        start = budget.project(self._start(budget.radius, rng))
        last = momentum_ascent(
            climbed,
            start,
            budget,
            steps=self.recipe.steps,
            rng=rng,
            heed=heed,
            momentum=self.recipe.momentum,
        )
        # the later of two that are equally good has seen more of posting
        change = min(reversed(judged), key=lambda each: each[0])[1] if judged else last
        if self.recipe.minimal:
            change = change * self._faintest(change, rng)
        self.window.copy_(_painted(self.window, change))

    def _loudness(self, change: Change) -> float:
        """Return how much the surrogates' scores are above what counts as silent, as delivered; 0 where none is."""
        images = _painted(self.clean, change)
        scores = in_parallel([partial(part.loudest, images) for _, part in self.parts])
        over = [
            float(score) / part.detector.threshold - SILENT for score, (_, part) in zip(scores, self.parts, strict=True)
        ]
        # a detector that still finds a face weighs more than any excess
        return sum(max(0.0, each) + (each > 1 - SILENT) for each in over)

    def _grid(self) -> torch.Tensor:
        """The region's mask on the grid of the change."""
        height, width = self.clean.shape[-2:]
        face = self.region.smallest() * self.scale
        share = min(1.0, self.recipe.cells / face)
        return self.region.mask(max(1, round(height * share)), max(1, round(width * share)))

    def _start(self, radius: torch.Tensor, rng: Rng) -> Change:
        """A faint random start, since the gradient is poor where all is exactly as the detectors like it."""
        channels = 1 if self.grey else 3
        noise = torch.rand((1, channels, *radius.shape[-2:]), generator=rng).to(radius.device)
        return (2 * noise - 1) * radius / 4

    def _faintest(self, change: Change, rng: Rng) -> float:
        """Search the smallest factor in [0.2, 1] at which every surrogate stays silent; 1 where none does."""
        seed = int(torch.randint(2**31, (), generator=rng))
        low, high = 0.2, 1.0
        for _ in range(5):
            middle = (low + high) / 2
            if self._silent(_painted(self.clean, middle * change), seed):
                high = middle
            else:
                low = middle
        return high

    def _silent(self, images: Images, seed: int) -> bool:
        """Tell whether no surrogate finds a face as delivered, nor after one draw of posting."""
        rng = torch.Generator().manual_seed(seed)  # the same draw for every candidate, or a lucky one would win
        versions = [images] if self.posted is None else [images, self.posted(images, rng)]
        return all(
            float(part.loudest(version)) < SILENT * part.detector.threshold
            for _, part in self.parts
            for version in versions
        )


def _painted(images: Images, change: Change) -> Images:
    """Add a change, brought to the images' size by bilinear interpolation, and stay in [0, 1]."""
    size = images.shape[-2:]
    if change.shape[-2:] != size:
        change = functional.interpolate(change, size=size, mode="bilinear", align_corners=False)
    return (images + change).clamp(0, 1)


def _shrunk(images: Images, scale: float) -> Images:
    if scale == 1:
        return images.clone()
    height, width = images.shape[-2:]
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return functional.interpolate(images, size=size, mode="area")


@defences.register("facepoison")
def facepoison(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Joint attack on all chosen detectors in one picture, through posting."""
    return FacePoison
