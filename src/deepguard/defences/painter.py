"""The climb that all our own defences share: one region of one picture, changed until every model is content."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import torch

from deepguard.attack.budgets import Change, Linf, Worth
from deepguard.attack.climb import momentum_ascent
from deepguard.attack.objectives import Balanced, Expected, Objective, slope
from deepguard.defences.ink import Flat, Ink
from deepguard.defences.regions import regions
from deepguard.defences.roles import attacked_by, check_least
from deepguard.defences.scene import Named, Scene
from deepguard.defences.search import STRONGEST, Search, least
from deepguard.defences.through import ACCEPTED, Through
from deepguard.errors import OptionError
from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Face, Images, PerImage, Progress, Rng, Watch

LARGEST = 64 / 255
"""Largest radius of a plain ball: a quarter of the range is plain to see."""

CONTEXT = 0.15
"""What a region shows beyond the changed area on each side, as a share of the face's size."""

TURNS = 3
"""Steps after which every view was asked once: three times the steps hide more than one with all views at once."""

TUNED = 4
"""Steps from one look at what a person sees to the next."""

ROOM = 0.96
"""Share of the target that is used in the end: encoding adds the rest."""


@dataclass(frozen=True, slots=True)
class Climb:
    """How a change is climbed: see the options of `FacePoison`, and `full` of `Worth`; without it by signs (`Linf`)."""

    through: Through | None
    strength: float
    steps: int
    reach: float
    cells: int
    momentum: float
    full: float | None = None


def check_climb(climb: Climb, epsilon: float) -> None:
    """Raise OptionError for what makes no sense; `epsilon` is the radius of a plain ball, 0 for none."""
    if not 0 < climb.strength <= STRONGEST:
        raise OptionError(f"strength {climb.strength:.4g} is outside 0 to {STRONGEST:g}; 1 is usual")
    if not 0 <= epsilon <= LARGEST:
        raise OptionError(f"epsilon {epsilon:.4g} is outside 0 to 64/255; 8/255 is usual")
    check_least(climb, steps=1, cells=8, reach=0, momentum=0)


Told: TypeAlias = Callable[[], None]
"""Hears that work goes on; raising stops it."""


class Plan(Protocol):
    """What a defence decides itself; the climb is the same for all."""

    @property
    def surrogates(self) -> Mapping[str, FaceDetector]:
        """The detectors that are attacked, by name."""

    def climb(self) -> Climb:
        """Return how the change is climbed."""

    def aims(self, scene: Scene) -> Sequence[Named]:
        """Return what is aimed at in a region."""

    def ink(self, scene: Scene) -> Ink | Flat:
        """Return how the change looks."""

    def prepared(self, ink: Ink | Flat, aims: Sequence[Named], scene: Scene, rng: Rng, told: Told) -> Ink | Flat:
        """Return the ink after what the defence does before the climb; `told` is called at each step of it."""

    def beside(self, leading: Objective, aims: Sequence[Named], scene: Scene) -> Objective:
        """Return the objective with what the defence wants beside its aims; `leading` is met as posted."""


def painted(plan: Plan, images: Images, faces: list[list[Face]], rng: Rng, watch: Watch) -> Images:
    """Return the images with each one's faces protected."""
    changed = images.clone()
    height, width = images.shape[-2:]
    climb = plan.climb()

    def told(done: int, total: int, step: int, loud: Set[str]) -> None:
        found = tuple((name, name in loud) for name in attacked_by(plan))
        watch(Progress("protect", done * climb.steps + step, total * climb.steps, found))

    for index, found in enumerate(faces):
        work = regions(found, height, width, reach=climb.reach, context=CONTEXT)
        part = sum(region.window.area for region in work) / (height * width)
        for done, region in enumerate(work):
            painter = Painter(plan, Scene(region, changed[index : index + 1], part))
            painter.paint(rng, partial(told, done, len(work)))
    return changed


class Painter:
    """Works on one region of one image, in place."""

    def __init__(self, plan: Plan, scene: Scene) -> None:
        self.plan = plan
        self.climb = climb = plan.climb()
        self.scene = scene
        self.aims = tuple(plan.aims(scene))
        self.posted = None if climb.through is None else climb.through(scene.long_side)
        self.ink = plan.ink(scene)

    def paint(self, rng: Rng, told: Callable[[int, Set[str]], None]) -> None:
        """Climb and write the protected pixels into the window; `told` hears each step and who is not fooled yet."""
        everyone = {each.model for each in self.aims}
        self.ink = self.plan.prepared(self.ink, self.aims, self.scene, rng, lambda: told(0, everyone))
        change, target = self._climbed(rng, told)
        self._settle(change, target)

    def coat(self, rng: Rng, told: Told) -> Images:
        """Climb and return the changed window, at the size that is worked at, for another change upon it."""
        change, target = self._climbed(rng, lambda step, loud: told())
        return self.ink.over(self.ink.settled(change, target))

    def _climbed(self, rng: Rng, told: Callable[[int, Set[str]], None]) -> tuple[Change, float]:
        """Return the change and the share of the ceilings that it may use."""
        ensemble = Balanced([each.aim for each in self.aims], turns=TURNS)
        leading: Objective = ensemble if self.posted is None else Expected(ensemble, self.posted)
        objective = self.plan.beside(leading, self.aims, self.scene)
        search = Search(self.climb.strength, self.climb.steps)

        def climbed(change: Change, rng: Rng) -> tuple[PerImage, Change]:
            leaf = change.detach().requires_grad_()
            images = self.ink.over(leaf)
            value, gradient = slope(objective, images.detach(), rng)
            return value, torch.autograd.grad(images, leaf, gradient)[0]

        def heed(step: int, change: Change) -> bool:
            loud = {each.model for index, each in enumerate(self.aims) if not ensemble.satisfied(index)}
            told(step, loud)
            ended = search.ended(step, silent=not loud)
            if step % TUNED == 0:
                self.ink.tune(change, search.target, thorough=step == TUNED)
            return ended

        start = self._start(rng)
        whole = torch.ones_like(start[:, :1])
        full = None if isinstance(self.ink, Flat) else self.climb.full
        budget = Linf(whole) if full is None else Worth(whole, full)
        change = momentum_ascent(
            climbed, start, budget, steps=self.climb.steps, rng=rng, heed=heed, momentum=self.climb.momentum
        )
        return change, search.target

    def _settle(self, change: Change, target: float) -> None:
        """Write the change at the picture's own size, as small as it may be with as much hidden."""
        window = self.scene.window
        ink = self.ink.fitted(window.clone())
        change = ink.settled(change, ROOM * target)
        versions = 1 + (self.posted is not None) * len(ACCEPTED)
        graded = {
            version * len(self.aims) + index
            for version in range(versions)
            for index, each in enumerate(self.aims)
            if each.aim.graded
        }
        factor = least(lambda share, asked: self._scores(ink.over(share * change), asked), graded)
        window.copy_(ink.over(factor * change))

    def _start(self, rng: Rng) -> Change:
        """A faint random start, since the gradient is poor where all is exactly as the models like it."""
        scene = self.scene
        height, width = scene.clean.shape[-2:]
        share = min(1.0, self.climb.cells / (scene.region.smallest() * scene.scale))
        size = max(1, round(height * share)), max(1, round(width * share))
        noise = torch.rand((1, self.ink.channels, *size), generator=rng).to(scene.clean.device)
        return (2 * noise - 1) / 4

    def _scores(self, window: Images, asked: Container[int] | None) -> dict[int, float]:
        """Return how loud each aim's model is, in shares of its threshold, in each version that has to pass.

        Aims and versions are numbered together; those that are `asked`, None for all.
        """
        images = self.scene.shrunk(window)
        # the same draw for every candidate, or a lucky one would win
        versions = [images, *(chain(images, Rng().manual_seed(0)) for chain in ACCEPTED if self.posted is not None)]
        pairs = [(each.aim, version) for version in versions for each in self.aims]
        wanted = {index: pair for index, pair in enumerate(pairs) if asked is None or index in asked}
        shares = in_parallel([partial(aim.share, version) for aim, version in wanted.values()])
        return {index: float(share) for index, share in zip(wanted, shares, strict=True)}
