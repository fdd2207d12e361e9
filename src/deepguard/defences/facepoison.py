"""One picture that all chosen detectors miss: the joint attack on their evidence, in a shape that is hardly seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch

from deepguard.attack.objectives import Balanced, Beside, Expected, Objective
from deepguard.attack.shadow import Shadow
from deepguard.attack.shift import Shift
from deepguard.attack.vanish import Vanish
from deepguard.defences.ink import Flat, Ink
from deepguard.defences.painter import TURNS, Climb, Told, check_climb, painted
from deepguard.defences.roles import Recipe, check_least, defences
from deepguard.defences.scene import Named, Scene, vanishing, worth
from deepguard.defences.through import Through
from deepguard.errors import OptionError
from deepguard.measures.roles import Measure
from deepguard.models.roles import FaceDetector
from deepguard.types import Face, Images, Rng, Watch, ignore


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
        check_climb(self.climb(), self.epsilon)
        check_least(self, jitter=1, shift=0, shadow=0)

    def climb(self) -> Climb:
        """Return how the change is climbed."""
        return Climb(self.through, self.strength, self.steps, self.reach, self.cells, self.momentum)

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with each one's faces protected."""
        return painted(self, images, faces, rng, watch)

    def aims(self, scene: Scene) -> list[Named]:
        """Return the aims that are worth working on: the detectors' views in which a face is seen."""
        return worth(list(vanishing(scene, self.surrogates, self.jitter)), scene)

    def ink(self, scene: Scene) -> Ink | Flat:
        """Return the shape that is hardly seen, or the plain ball."""
        if self.epsilon == 0:
            return Ink(scene.clean, scene.region, self.measures, scene.part)
        return Flat.of(scene, self.epsilon)

    def prepared(self, ink: Ink | Flat, aims: Sequence[Named], scene: Scene, rng: Rng, told: Told) -> Ink | Flat:
        """Return the ink as it is."""
        return ink

    def beside(self, leading: Objective, aims: Sequence[Named], scene: Scene) -> Objective:
        """Return the objective with the shares of the effort that go elsewhere."""
        if self.shift > 0:
            seen = [each.aim for each in aims if isinstance(each.aim, Vanish)]
            crooked: Objective = Balanced([Shift(aim, scene.region.marks()) for aim in seen], turns=TURNS)
            posted = None if self.through is None else self.through(scene.long_side)
            leading = Beside(leading, ((crooked if posted is None else Expected(crooked, posted), self.shift),))
        if self.shadow > 0:
            leading = Beside(leading, ((Shadow(scene.clean), self.shadow),))
        return leading


@defences.register("facepoison")
def facepoison(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Joint attack on all chosen detectors in one picture, hardly seen, through posting."""
    return FacePoison
