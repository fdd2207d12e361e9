"""One picture that hides from detectors and from encoders at once, hardly seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import torch

from deepguard.attack.objectives import Objective
from deepguard.attack.stranger import FLOOR
from deepguard.defences.dropping import attention, dropped
from deepguard.defences.ink import WAVES, Flat, Ink, Limits
from deepguard.defences.painter import Climb, Painter, Told, check_climb, painted
from deepguard.defences.roles import Recipe, check_least, defences
from deepguard.defences.scene import GOAL, Named, Scene, estranging, vanishing, worth
from deepguard.defences.through import Through
from deepguard.errors import OptionError
from deepguard.measures.roles import Measure
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Images, Rng, Watch, ignore

ALONE = 0.5
"""`Worth.full` where encoders alone are attacked; with detectors the climb is one of signs."""

FIRST = 60
"""Steps of the climb against the encoders alone that goes before the one against all."""

CLOSE = 0.3
"""Most of `reach` that is used where encoders alone are attacked: they see nothing further out."""

KEPT = 0.1
"""Cosine with the face before that is aimed at while detectors are climbed: what was won is not to be lost."""


@dataclass(frozen=True)
class Shield:
    """Climb the objectives of detectors and encoders together, in one change that a person hardly sees.

    All other defences of ours are parts of it: without encoders it is `FacePoison`, without detectors `Leat`, with
    `drop` and `attention` `Dipa`.

    Attributes:
        surrogates: the detectors to hide from, by name; may be none.
        through, measures, strength, steps, reach, cells, jitter, momentum, epsilon: as with `FacePoison`.
        encoders: those that are to take each face for a stranger's, by name; may be none.
        goal: cosine with the face before that is aimed at where encoders alone are climbed.
        astray: standard deviation of the error of each landmark, in lengths between the eyes: no two detectors place
            them alike.
        most: most that the brightness of a pixel changes on account of encoders, in units of the range [0, 1]. What
            is in proportion to a gradient would otherwise gather in a few places and be seen there, whatever SSIM and
            LPIPS say.
        first: share of the ceilings of visibility that the change against the encoders gets where detectors are
            attacked as well; theirs comes upon it and gets the whole once more.
        drop: share of the ceilings of visibility that is first used to drop detail (see `dropping.dropped`).
        attention: whether the change then goes where the models look (see `dropping.attention`).
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: MappingProxyType({}))
    measures: Mapping[str, Measure] = field(default_factory=lambda: MappingProxyType({}))
    strength: float = field(
        default=1.0, metadata={"help": "most that is used of what the eye forgives; 1: hardly seen"}
    )
    steps: int = field(default=90, metadata={"help": "steps of the climb for each region"})
    reach: float = field(default=0.6, metadata={"help": "how far around a face the change extends, of its size"})
    cells: int = field(default=128, metadata={"help": "grid cells along a face's side"})
    jitter: float = field(default=1.25, metadata={"help": "factor by which input scales are varied"})
    momentum: float = field(default=0.75, metadata={"help": "momentum of the climb"})
    goal: float = field(default=GOAL, metadata={"help": "likeness to the face before that is aimed at, -0.5 to 1"})
    astray: float = field(default=0.05, metadata={"help": "how far landmarks are off, of the distance of the eyes"})
    most: float = field(default=8 / 255, metadata={"help": "most that a pixel changes because of encoders, of 1"})
    first: float = field(default=1.0, metadata={"help": "share of what the eye forgives that encoders get first"})
    drop: float = field(default=0.0, metadata={"help": "first drop detail, with this share of what the eye forgives"})
    attention: bool = field(default=False, metadata={"help": "change most where the models look"})
    epsilon: float = field(default=0.0, metadata={"help": "above 0: plain noise of this size, for comparison"})

    def __post_init__(self) -> None:
        if not self.surrogates and not self.encoders:
            raise OptionError(
                "there is nobody to hide from: name detectors with --detectors or encoders with --encoders"
            )
        check_climb(self.climb(), self.epsilon)
        check_least(self, jitter=1, goal=-math.inf, astray=0, drop=0, first=0)
        if self.goal <= FLOOR:
            raise OptionError(f"goal is {self.goal:.4g}; it must be above {FLOOR}: two faces are never further apart")
        if max(self.goal, self.drop) >= 1:
            raise OptionError("goal and drop must be below 1")
        if self.first > 1:
            raise OptionError("first must be at most 1")
        if not 0 < self.most <= 1:
            raise OptionError(f"most is {self.most:.4g}; it must be above 0 and at most 1, and 8/255 is usual")
        if self.epsilon > 0 and (self.drop > 0 or self.attention):
            raise OptionError("drop and attention do not go with epsilon; leave one of them out")

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with each one's faces protected."""
        return painted(self, images, faces, rng, watch)

    def climb(self) -> Climb:
        """Return how the change is climbed."""
        reach, full = (self.reach, None) if self.surrogates else (min(self.reach, CLOSE), ALONE)
        return Climb(self.through, self.strength, self.steps, reach, self.cells, self.momentum, full)

    def aims(self, scene: Scene) -> list[Named]:
        """Return the detectors' views in which a face is seen, and the encoders."""
        seen = worth(list(vanishing(scene, self.surrogates, self.jitter)), scene) if self.surrogates else []
        goal = max(self.goal, KEPT) if self.surrogates else self.goal
        return [*seen, *estranging(scene, self.encoders, astray=self.astray, goal=goal)]

    def ink(self, scene: Scene) -> Ink | Flat:
        """Return the shape that is hardly seen, or the plain ball."""
        if self.epsilon == 0:
            limits = WAVES if self.surrogates else Limits(self.most, pattern=1.0)
            return Ink(scene.clean, scene.region, self.measures, scene.part, limits)
        return Flat.of(scene, self.epsilon)

    def prepared(self, ink: Ink | Flat, aims: Sequence[Named], scene: Scene, rng: Rng, told: Told) -> Ink | Flat:
        """Return the ink upon what comes first: detail that is dropped, and the change against the encoders."""
        if isinstance(ink, Flat):
            return ink
        if self.drop:
            ink = ink.upon(dropped(ink, aims, scene, self.strength * self.drop, rng, told))
        if self.attention:
            ink = ink.upon(ink.base, attention(aims, ink.base, scene, rng))
        if self.surrogates and self.encoders and self.first:
            ink = ink.upon(self._first(ink, scene, rng, told), ink.where, anew=True)
        return ink

    def _first(self, ink: Ink, scene: Scene, rng: Rng, told: Told) -> Images:
        """Return the region changed against the encoders alone, with the share `first` of the ceilings.

        Detectors ask for far more than there is; were both climbed at once, encoders would get what is left.
        """
        alone = replace(
            self, surrogates={}, strength=self.strength * self.first, steps=FIRST, drop=0.0, attention=False
        )
        painter = Painter(alone, scene)
        painter.ink = painter.ink.upon(ink.base, ink.where) if isinstance(painter.ink, Ink) else painter.ink
        return painter.coat(rng, told)

    def beside(self, leading: Objective, aims: Sequence[Named], scene: Scene) -> Objective:
        """Return the objective as it is."""
        return leading


@defences.register("shield")
def shield(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Detectors miss the face and encoders take it for a stranger's, in one change that is hardly seen."""
    return Shield
