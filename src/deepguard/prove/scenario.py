"""What a proof measures: which pictures, in which columns, by whom they are attacked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from deepguard.models.roles import Encoder, FaceDetector
from deepguard.models.swappers.roles import Swapper
from deepguard.prove.bench import Show
from deepguard.prove.posting import Sent, sent
from deepguard.prove.proof import DELIVERED, PROTECTED
from deepguard.transforms.posting import column
from deepguard.types import Face, Images

USUAL = (
    *("jpeg95", "jpeg75", "jpeg50", "jpeg30", "webp80", "resized50", "resized25", "half", "crop", "screenshot"),
    *("blur", "denoise", "grain", "instagram", "kakaotalk", "reposted"),
)
"""The posting chains of a proof where nobody chose."""

CONTROLLED = (DELIVERED, "jpeg75", "jpeg30", "half")
"""Columns in which detectors look at the controls; encoders look at them in all, which costs little."""


@dataclass(frozen=True)
class Scenario:
    """One photo on the stand.

    Attributes:
        arms: each arm's picture as delivered, 1x3xhxw, of one size.
        faces: of the original.
        columns: `DELIVERED`, then posting chains.
        detectors, encoders, swappers: who attacks, by name.
        attacked: whether the protection was made against a model; absent or None where nobody knows.
        counterpart: the bundled face of the other side of swaps.
        steps: of a swapper's training; None for its usual number.
        swapped: columns in which swaps are tried.
        seed: of all chance; the same in every arm.
        show: what is kept of the largest face's swaps besides figures, with the band in its pixels.
    """

    arms: Mapping[str, Images]
    faces: tuple[Face, ...]
    columns: tuple[str, ...]
    detectors: Mapping[str, FaceDetector]
    encoders: Mapping[str, Encoder]
    swappers: Mapping[str, Swapper] = field(default_factory=dict)
    attacked: Mapping[str, bool | None] = field(default_factory=dict)
    counterpart: str = "hopper"
    steps: int | None = None
    swapped: Collection[str] = (DELIVERED,)
    seed: int = 0
    show: Show = "nothing"

    def versions(self) -> Iterator[Version]:
        """Yield every arm in every column, each made when it is asked for: memory would not hold them all."""
        for arm, images in self.arms.items():
            for name in self.columns:
                yield Version(arm, name, self._sent(images, name), self)

    def watched(self, arm: str, name: str) -> bool:
        """Tell whether detectors look at this arm in this column."""
        return arm == PROTECTED or name in CONTROLLED

    @property
    def largest(self) -> int:
        """The place of the largest face."""
        return max(range(len(self.faces)), key=lambda index: self.faces[index].box.area)

    def _sent(self, images: Images, name: str) -> Sent:
        return Sent(images) if name == DELIVERED else sent(images, column(name), self.chance())

    def chance(self) -> torch.Generator:
        """Return the chance that a picture meets; each meets the same."""
        return torch.Generator().manual_seed(self.seed)


@dataclass(frozen=True)
class Version:
    """One arm in one column: its picture, and where the faces lie there."""

    arm: str
    column: str
    sent: Sent
    scenario: Scenario

    @property
    def images(self) -> Images:
        """The picture, 1x3xhxw."""
        return self.sent.images

    @property
    def faces(self) -> tuple[Face, ...]:
        """The original's faces as they lie in this picture."""
        return self.sent.place.faces(self.scenario.faces)
