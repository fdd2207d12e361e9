"""One picture that all chosen detectors miss: the joint attack on their evidence, in a shape that is hardly seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch
from torch.nn import functional

from deepguard.attack.budgets import Change, Linf
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import Balanced, Beside, Expected, Objective, slope
from deepguard.attack.shadow import Shadow
from deepguard.attack.shift import Shift
from deepguard.attack.vanish import Vanish, View
from deepguard.defences.ink import Flat, Ink
from deepguard.defences.regions import Region, regions
from deepguard.defences.roles import Recipe, defences
from deepguard.defences.search import STRONGEST, Search, least
from deepguard.defences.through import ACCEPTED, Through
from deepguard.errors import OptionError
from deepguard.measures.roles import Measure
from deepguard.models.anchors import resized
from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Face, Images, PerImage, Progress, Rng, Watch, ignore

UNSEEN = 0.5
"""Share of its threshold up to which a detector's score for the untouched faces makes a view not worth working on."""

CONTEXT = 0.15
"""What a region shows beyond the changed area on each side, as a share of the face's size."""

CANVAS = 1_000_000
"""Pixels of the largest window that is worked on at the picture's own size; a larger one is worked on smaller."""

TURNS = 3
"""Steps after which every view was asked once: three times the steps hide more than one with all views at once."""

TUNED = 4
"""Steps from one look at what a person sees to the next."""

SETTLED = 4
"""Looks after the climb, on the picture at its own size."""

ROOM = 0.96
"""Share of the target that is used in the end: encoding adds the rest."""


@dataclass(frozen=True)
class FacePoison:
    """Climb the peak loss of every surrogate at once, with a change that a person hardly sees.

    After FacePoison (Li et al. 2024), which makes one picture for each detector, this makes one for all: TOG-vanishing
    with a loss on the peaks, LEAT's unit gradients (Shim & Yoon 2023), expectation over posting (Athalye et al.
    2018). The change is one of brightness, shaped by `Ink`; `Search` looks for the least that hides as much.

    Attributes:
        surrogates: the detectors to hide from, by name.
        through: what posting does to the picture; None optimises for the picture as delivered alone.
        measures: "ssim" and "lpips", as far as they are at hand; without any only the pattern on skin is held.
        strength: most that the change may use of the ceilings of visibility; 1 is hardly seen.
        steps: steps of the climb for each region.
        reach: share of a face's size by which the changed area extends beyond it on each side.
        cells: the change is drawn on a grid on which a face's side has at most this many cells; a coarser grid
            survives resizing better and is seen as softer, but hides less.
        jitter: detectors are also met at scales up to this factor off their own.
        momentum: of the climb.
        shift, shadow: shares of the effort that go into moving the boxes and landmarks of detectors that still fire,
            and into a smooth change (`Shift`, `Shadow`); neither hid more (docs/research/protect.md).
        epsilon: above 0, the L-infinity ball of this radius in RGB in place of the shape, for comparison.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    measures: Mapping[str, Measure] = field(default_factory=lambda: MappingProxyType({}))
    strength: float = field(
        default=1.0, metadata={"help": "most that is used of what the eye forgives; 1: hardly seen"}
    )
    steps: int = field(default=60, metadata={"help": "steps of the climb for each region"})
    reach: float = field(default=0.6, metadata={"help": "how far around a face the change extends, of its size"})
    cells: int = field(default=128, metadata={"help": "grid cells along a face's side"})
    jitter: float = field(default=1.25, metadata={"help": "factor by which input scales are varied"})
    momentum: float = field(default=0.75, metadata={"help": "momentum of the climb"})
    shift: float = field(default=0.0, metadata={"help": "also move what is still found, with this share of the effort"})
    shadow: float = field(default=0.0, metadata={"help": "also keep the change smooth, with this share of the effort"})
    epsilon: float = field(default=0.0, metadata={"help": "above 0: plain noise of this size, for comparison"})

    def __post_init__(self) -> None:
        if not self.surrogates:
            raise OptionError("no detector is chosen; name at least one with --detectors")
        if not 0 < self.strength <= STRONGEST:
            raise OptionError(f"strength {self.strength:.4g} is outside 0 to {STRONGEST:g}; 1 is usual")
        if not 0 <= self.epsilon <= 64 / 255:
            raise OptionError(f"epsilon {self.epsilon:.4g} is outside 0 to 64/255; 8/255 is usual")
        for name, lowest in (
            ("steps", 1),
            ("cells", 8),
            ("jitter", 1),
            ("reach", 0),
            ("momentum", 0),
            ("shift", 0),
            ("shadow", 0),
        ):
            if not lowest <= getattr(self, name) < math.inf:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least {lowest}, and finite")

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with each one's faces protected."""
        changed = images.clone()
        height, width = images.shape[-2:]
        for index, found in enumerate(faces):
            work = regions(found, height, width, reach=self.reach, context=CONTEXT)
            part = sum(region.window.area for region in work) / (height * width)
            for done, region in enumerate(work):
                painter = Painter(self, region, changed[index : index + 1], part)
                painter.paint(rng, partial(self._told, watch, done, len(work)))
        return changed

    def _told(self, watch: Watch, done: int, total: int, step: int, loud: Set[str]) -> None:
        found = tuple((name, name in loud) for name in self.surrogates)
        watch(Progress("protect", done * self.steps + step, total * self.steps, found))


class Painter:
    """Works on one region of one image, in place."""

    def __init__(self, recipe: FacePoison, region: Region, image: Images, part: float) -> None:
        self.recipe = recipe
        self.region = region
        self.window = region.cut(image)
        height, width = image.shape[-2:]
        self.scale = min(1.0, math.sqrt(CANVAS / (self.window.shape[-2] * self.window.shape[-1])))
        self.clean = _shrunk(self.window, self.scale)
        around = _shrunk(image, self.scale)
        self.posted = None if recipe.through is None else recipe.through(max(height, width) * self.scale)
        self.ink = self._ink(part)
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

    def _ink(self, part: float) -> Ink | Flat:
        recipe = self.recipe
        if recipe.epsilon == 0:
            return Ink(self.clean, self.region, recipe.measures, part)
        mask = self.region.mask(*self.clean.shape[-2:]).to(self.clean.device)
        return Flat(self.clean, recipe.epsilon * mask)

    def paint(self, rng: Rng, told: Callable[[int, Set[str]], None]) -> None:
        """Climb and write the protected pixels into the window; `told` hears each step and who still finds a face."""
        ensemble = Balanced([part for _, part in self.parts], turns=TURNS)
        objective = self._objective(ensemble)
        search = Search(self.recipe.strength, self.recipe.steps)

        def climbed(change: Change, rng: Rng) -> tuple[PerImage, Change]:
            leaf = change.detach().requires_grad_()
            images = self.ink.over(leaf)
            value, gradient = slope(objective, images.detach(), rng)
            return value, torch.autograd.grad(images, leaf, gradient)[0]

        def heed(step: int, change: Change) -> bool:
            loud = {name for index, (name, _) in enumerate(self.parts) if not ensemble.satisfied(index)}
            told(step, loud)
            ended = search.ended(step, silent=not loud)
            if step % TUNED == 0:
                self.ink.tune(change, search.target, thorough=step == TUNED)
            return ended

        start = self._start(rng)
        budget = Linf(torch.ones_like(start[:, :1]))
        change = momentum_ascent(
            climbed, start, budget, steps=self.recipe.steps, rng=rng, heed=heed, momentum=self.recipe.momentum
        )
        ink = self.ink.fitted(self.window.clone())
        for look in range(SETTLED):
            ink.tune(change, ROOM * search.target, thorough=look % 2 == 0)
        factor = least(lambda share, asked: self._scores(ink.over(share * change), asked))
        self.window.copy_(ink.over(factor * change))

    def _objective(self, ensemble: Balanced) -> Objective:
        recipe = self.recipe
        leading: Objective = ensemble
        if recipe.shift > 0:
            crooked = Balanced([Shift(part, self.region.marks()) for _, part in self.parts], turns=TURNS)
            leading = Beside(leading, ((crooked, recipe.shift),))
        if self.posted is not None:
            leading = Expected(leading, self.posted)
        if recipe.shadow > 0:
            leading = Beside(leading, ((Shadow(self.clean), recipe.shadow),))
        return leading

    def _start(self, rng: Rng) -> Change:
        """A faint random start, since the gradient is poor where all is exactly as the detectors like it."""
        height, width = self.clean.shape[-2:]
        share = min(1.0, self.recipe.cells / (self.region.smallest() * self.scale))
        size = max(1, round(height * share)), max(1, round(width * share))
        noise = torch.rand((1, self.ink.channels, *size), generator=rng).to(self.clean.device)
        return (2 * noise - 1) / 4

    def _scores(self, window: Images, asked: Container[int] | None) -> dict[int, float]:
        """Return how loud each view is in shares of its detector's threshold, in each version that has to pass.

        Views and versions are numbered together; those that are `asked`, None for all.
        """
        images = _shrunk(window, self.scale)
        # the same draw for every candidate, or a lucky one would win
        versions = [images, *(chain(images, Rng().manual_seed(0)) for chain in ACCEPTED if self.posted is not None)]
        pairs = [(part, version) for version in versions for _, part in self.parts]
        wanted = {index: pair for index, pair in enumerate(pairs) if asked is None or index in asked}
        scores = in_parallel([partial(part.loudest, version) for part, version in wanted.values()])
        return {
            index: float(score) / part.detector.threshold
            for (index, (part, _)), score in zip(wanted.items(), scores, strict=True)
        }


def _shrunk(images: Images, scale: float) -> Images:
    if scale == 1:
        return images.clone()
    height, width = images.shape[-2:]
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return functional.interpolate(images, size=size, mode="area")


@defences.register("facepoison")
def facepoison(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Joint attack on all chosen detectors in one picture, hardly seen, through posting."""
    return FacePoison
