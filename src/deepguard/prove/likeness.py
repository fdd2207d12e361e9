"""Whether encoders still take each face for the person that it was: as delivered and after posting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from deepguard.models.align import aligned
from deepguard.models.roles import Encoder
from deepguard.models.thresholds import thresholds
from deepguard.parallel import in_parallel
from deepguard.types import Face, Images


@dataclass(frozen=True, slots=True)
class Likeness:
    """One encoder's answers.

    Attributes:
        encoder: its name.
        family: the kind of network and of training.
        threshold: cosine above which it counts two crops as one person, at a false-accept rate of 1e-3; None where it
            was never calibrated.
        after: each version -> each face's cosine with itself before, in [-1, 1]; None where no landmarks are known.
    """

    encoder: str
    family: str
    threshold: float | None
    after: Mapping[str, tuple[float | None, ...]]

    def matched(self, version: str) -> tuple[bool | None, ...]:
        """Tell for each face whether it still counts as the same person; None where that is not known."""
        limit = self.threshold
        return tuple(None if limit is None or each is None else each > limit for each in self.after[version])


def likenesses(
    original: Images, versions: Mapping[str, Images], faces: Sequence[Face], encoders: Mapping[str, Encoder]
) -> tuple[Likeness, ...]:
    """Return every encoder's likenesses; `faces` are in pixels of the original, versions may be smaller.

    Crops are cut at the landmarks of the original, as by an attacker who found the face all the same.
    """
    return tuple(
        in_parallel(
            [partial(_likeness, name, encoder, original, versions, faces) for name, encoder in encoders.items()]
        )
    )


@torch.no_grad()
def _likeness(
    name: str, encoder: Encoder, original: Images, versions: Mapping[str, Images], faces: Sequence[Face]
) -> Likeness:
    def cosine(face: Face, images: Images) -> float | None:
        if not face.landmarks:
            return None
        factor = math.sqrt(images.shape[-1] * images.shape[-2] / (original.shape[-1] * original.shape[-2]))
        there = tuple(((x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5) for x, y in face.landmarks)
        before = encoder.embed(aligned(original, face.landmarks, encoder.template))
        return round(float((before * encoder.embed(aligned(images, there, encoder.template))).sum()), 4)

    known = thresholds(name)
    after = {version: tuple(cosine(face, images) for face in faces) for version, images in versions.items()}
    return Likeness(name, encoder.family, known.far_1e3 if known else None, after)
