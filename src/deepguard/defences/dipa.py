"""Drop detail, then change the pixels where the models look: DIPA."""

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
from deepguard.measures.roles import Measure
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Images, Rng, Watch, ignore


@dataclass(frozen=True)
class Dipa:
    """Dropping information and pixel-level attack on attention (after Liu et al. 2024), against our objectives.

    First detail is dropped by a learned quantisation of cosines (AdvDrop, Duan et al. 2021), then pixels change where
    the models look; both raise the objectives of detectors and encoders in place of a classifier's loss, and stop where
    the change would be seen.

    Attributes:
        surrogates, through, encoders, measures, strength, steps, drop, goal: as with `Shield`.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: MappingProxyType({}))
    measures: Mapping[str, Measure] = field(default_factory=lambda: MappingProxyType({}))
    strength: float = field(
        default=1.0, metadata={"help": "most that is used of what the eye forgives; 1: hardly seen"}
    )
    steps: int = field(default=90, metadata={"help": "steps of the climb for each region"})
    drop: float = field(default=0.5, metadata={"help": "share of what the eye forgives that is used to drop detail"})
    goal: float = field(default=GOAL, metadata={"help": "likeness to the face before that is aimed at, -0.5 to 1"})

    def __post_init__(self) -> None:
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
            drop=self.drop,
            attention=True,
        )


@defences.register("dipa")
def dipa(paths: Sequence[Path], device: torch.device) -> Recipe:
    """Detail is dropped, then pixels change where detectors and encoders look."""
    return Dipa
