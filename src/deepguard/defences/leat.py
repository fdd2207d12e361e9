"""Encoders take each face for a stranger's: LEAT, made to last through alignment and posting, hardly seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch

from deepguard.defences.roles import Recipe, defences
from deepguard.defences.scene import GOAL
from deepguard.defences.shield import Shield
from deepguard.defences.through import Through
from deepguard.errors import WeightsMissing
from deepguard.measures.roles import Measure
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Images, Rng, Watch, ignore

NONE = "no encoder is at hand; run: deepguard models pull mobilefacenet-ms1m mobilefacenet-casia"


@dataclass(frozen=True)
class Leat:
    """The latent ensemble attack (Shim & Yoon 2023) on identity encoders alone, as `Shield` does it.

    Unlike the published one (`LeatPaper`) it meets the encoders through jittered alignment and posting, and its change
    is shaped so that it is hardly seen. Detectors are left alone.

    Attributes:
        surrogates: are not used.
        through, encoders, measures, strength, steps, goal, astray, most, epsilon: as with `Shield`.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: MappingProxyType({}))
    measures: Mapping[str, Measure] = field(default_factory=lambda: MappingProxyType({}))
    strength: float = field(
        default=1.0, metadata={"help": "most that is used of what the eye forgives; 1: hardly seen"}
    )
    steps: int = field(default=90, metadata={"help": "steps of the climb for each region"})
    goal: float = field(default=GOAL, metadata={"help": "likeness to the face before that is aimed at, -0.5 to 1"})
    astray: float = field(default=0.05, metadata={"help": "how far landmarks are off, of the distance of the eyes"})
    most: float = field(default=8 / 255, metadata={"help": "most that a pixel changes, of 1"})
    epsilon: float = field(default=0.0, metadata={"help": "above 0: plain noise of this size, for comparison"})

    def __post_init__(self) -> None:
        if not self.encoders:
            raise WeightsMissing(NONE)
        object.__setattr__(self, "surrogates", MappingProxyType({}))
        self._shield()

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with each one's faces protected."""
        return self._shield().protect(images, faces, rng=rng, watch=watch)

    def _shield(self) -> Shield:
        return Shield(
            self.surrogates,
            self.through,
            self.encoders,
            self.measures,
            strength=self.strength,
            steps=self.steps,
            goal=self.goal,
            astray=self.astray,
            most=self.most,
            epsilon=self.epsilon,
        )


@defences.register("leat")
def leat(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Encoders take the face for a stranger's, through alignment and posting; detectors are left alone."""
    return Leat
