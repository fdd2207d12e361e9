"""FacePoison as it was published: the baseline that others are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeGuard

import torch
from torch.nn import functional

from deepguard.attack.budgets import Change
from deepguard.attack.features import Features, Importance
from deepguard.attack.objectives import Expected, Objective, slope, unit
from deepguard.attack.spectrum import Spectrum
from deepguard.defences.roles import Recipe, defences
from deepguard.defences.through import Through
from deepguard.errors import OptionError
from deepguard.models.anchors import AnchorDetector
from deepguard.models.roles import FaceDetector
from deepguard.parallel import in_parallel
from deepguard.types import Face, Images, Progress, Rng, Watch, ignore

FIVE = ("dsfd", "pyramidbox", "retinaface", "s3fd", "yolo5face")
"""The detectors of the paper, whose features the method names."""

FLIPPED = 0.01
"""Probability with which an element of a gradient changes its sign, so that no two runs take the same way."""

CANVAS = 1_500_000
"""Pixels up to which a picture is worked on at its own size, which bounds the memory; a larger one is worked on
smaller. The paper's pictures have about 0.8 million."""


@dataclass(frozen=True)
class FacePoisonPaper:
    """Move the inner features that matter of the paper's detectors, all over the picture.

    FacePoison (Li et al. 2024) step by step; docs/decisions/0016 says where this differs. Neither faces nor posting
    matter to it: a picture with a face to protect is changed everywhere, and only as delivered. A grey picture stays
    grey.

    Attributes:
        surrogates: the detectors to hide from, by name; those that name no features are left out of what was given.
            The paper makes one picture for each; several are attacked in one picture by the sum of their gradients at
            unit length (LEAT, Shim & Yoon 2023).
        through: is not used.
        epsilon: most that a channel of a pixel may change, in units of the range [0, 1].
        alpha: how far each step goes, in the same units.
        steps: steps of the climb; the second, fourth, ... are taken in the frequencies.
        masks: how many masked pictures the importance of features is learned from.
        keep: probability with which a mask keeps a value.
        samples: spectra that a step in the frequencies is averaged over.
        apart: weight of the term that moves the deepest features away from the clean and masked pictures' ones.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    epsilon: float = field(default=8 / 255, metadata={"help": "most that a pixel may change, of 1"})
    alpha: float = field(default=2 / 255, metadata={"help": "how far each step goes, of 1"})
    steps: int = field(default=10, metadata={"help": "steps of the climb, every second one in the frequencies"})
    masks: int = field(default=30, metadata={"help": "masked pictures that show which features matter"})
    keep: float = field(default=0.9, metadata={"help": "share of the values that a mask keeps"})
    samples: int = field(default=10, metadata={"help": "spectra for each step in the frequencies"})
    apart: float = field(default=0.0, metadata={"help": "weight of moving the deepest features apart; published: 0"})

    def __post_init__(self) -> None:
        sources = {name: each for name, each in self.surrogates.items() if _names_features(each)}
        if not sources:
            raise OptionError(
                f"facepoison-paper attacks the features of {', '.join(FIVE[:-1])} or {FIVE[-1]}; "
                "name at least one of them with --detectors"
            )
        object.__setattr__(self, "surrogates", sources)
        for name, most in (("epsilon", 64 / 255), ("alpha", 64 / 255), ("keep", 1)):
            if not 0 < getattr(self, name) <= most:
                raise OptionError(f"{name} is {getattr(self, name):.4g}; it must be above 0 and at most {most:.4g}")
        for name, least in (("steps", 1), ("masks", 1), ("samples", 1), ("apart", 0)):
            if not getattr(self, name) >= least:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least {least}")

    @property
    def passes(self) -> int:
        """How often each surrogate is met for one picture."""
        return self.masks + self.steps - self.steps // 2 + self.steps // 2 * self.samples

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images, each one with a face changed everywhere."""
        changed = images.clone()
        wanted = [index for index, found in enumerate(faces) if found]
        done = 0

        def met() -> None:
            nonlocal done
            done += 1
            watch(Progress("protect", done, self.passes * len(wanted)))

        for index in wanted:
            image = images[index : index + 1]
            change = _Poisoning(self, _shrunk(image), rng, met).run()
            changed[index : index + 1] = (image + _enlarged(change, image)).clamp(0, 1)
        return changed


class _Poisoning:
    """The work on one image (1x3xhxw); `met` is told each time that the surrogates have met it once."""

    def __init__(self, recipe: FacePoisonPaper, clean: Images, rng: Rng, met: Callable[[], None]) -> None:
        self.recipe = recipe
        self.clean = clean
        self.rng = rng
        self.met = met
        self.grey = bool((clean[:, :1] == clean).all())

    def run(self) -> Change:
        """Return the change."""
        recipe = self.recipe
        plain = self._objectives()
        simulated = [Expected(each, Spectrum()) for each in plain]
        change = self._within(recipe.epsilon * (2 * self._drawn() - 1))
        total = torch.zeros_like(change)
        for step in range(recipe.steps):
            slopes = self._slopes(simulated, change, recipe.samples) if step % 2 else self._slopes(plain, change)
            gradient = slopes[0] if len(slopes) == 1 else torch.stack([unit(each) for each in slopes]).sum(dim=0)
            # the sum of all gradients so far has the sign of their mean
            total += torch.where(self._drawn() < FLIPPED, -gradient, gradient)
            change = self._within(change + recipe.alpha * total.sign())
        return change

    def _objectives(self) -> list[Objective]:
        recipe = self.recipe
        sources = [each for each in recipe.surrogates.values() if _names_features(each)]
        learned = in_parallel([partial(Importance, each, self.clean, remember=recipe.apart > 0) for each in sources])
        for _ in range(recipe.masks):
            seeded = zip(learned, self._seeds(len(learned)), strict=True)
            in_parallel([partial(each.learn, recipe.keep, rng) for each, rng in seeded])
            self.met()
        return [
            Features(each.source, each.weights(), apart=recipe.apart, references=each.remembered()) for each in learned
        ]

    def _slopes(self, objectives: Sequence[Objective], change: Change, samples: int = 1) -> list[Change]:
        """Return each objective's gradient at a change: the mean over so many calls."""
        totals = [torch.zeros_like(change) for _ in objectives]
        for _ in range(samples):
            seeded = zip(objectives, self._seeds(len(objectives)), strict=True)
            answers = in_parallel([partial(slope, each, self.clean + change, rng) for each, rng in seeded])
            for total, (_, gradient) in zip(totals, answers, strict=True):
                total.add_(gradient.mean(dim=1, keepdim=True) if self.grey else gradient, alpha=1 / samples)
            self.met()
        return totals

    def _within(self, change: Change) -> Change:
        """Return the nearest change of at most epsilon that leaves the picture in [0, 1]."""
        most = self.recipe.epsilon
        if self.grey:
            return (self.clean[:, :1] + change.clamp(-most, most)).clamp(0, 1) - self.clean[:, :1]
        return (self.clean + change.clamp(-most, most)).clamp(0, 1) - self.clean

    def _drawn(self) -> Change:
        """Return a number in [0, 1) for each element of a change."""
        shape = (1, 1 if self.grey else 3, *self.clean.shape[-2:])
        return torch.rand(shape, generator=self.rng).to(self.clean.device)

    def _seeds(self, count: int) -> list[Rng]:
        """Return chance for each of so many, so that the order in which they end does not matter."""
        return [Rng().manual_seed(seed) for seed in torch.randint(2**62, (count,), generator=self.rng).tolist()]


def _names_features(detector: FaceDetector) -> TypeGuard[AnchorDetector]:
    return isinstance(detector, AnchorDetector) and detector.taps is not None


def _shrunk(images: Images) -> Images:
    height, width = images.shape[-2:]
    if height * width <= CANVAS:
        return images
    scale = math.sqrt(CANVAS / (height * width))
    return functional.interpolate(images, size=(round(height * scale), round(width * scale)), mode="area")


def _enlarged(change: Change, images: Images) -> Change:
    size = images.shape[-2:]
    if change.shape[-2:] == size:
        return change
    return functional.interpolate(change, size=size, mode="bilinear", align_corners=False)


@defences.register("facepoison-paper")
def facepoison_paper(paths: Sequence[Path], device: torch.device) -> Recipe:
    """FacePoison as published, for comparison: the paper's detectors' features, all over the picture."""
    return FacePoisonPaper
