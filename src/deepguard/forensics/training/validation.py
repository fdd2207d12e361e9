"""How good the weights of the moment are, on groups that are not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.forensics.attackers import attacked
from deepguard.forensics.metrics import accuracy, area
from deepguard.forensics.training.batches import Drawing
from deepguard.models.classifiers.efficientnet_b0_sbi import CROP
from deepguard.types import Images, PerImage

EPSILON, CLIMBS = 4 / 255, 7
MOST, ATTACKED = 600, 64
"""Crops of each label that are looked at, and of these so many pairs that are attacked."""
PART = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """Figures of one validation, each in [0, 1]; None where the split has no such fakes.

    Attributes:
        forged: area under the curve of forgeries against real faces.
        blended: the same of self-blended faces.
        accuracy: balanced accuracy at logit 0, of both kinds together.
        robust: the same after an attack of 4/255, seven steps.
    """

    forged: float | None
    blended: float
    accuracy: float
    robust: float

    @property
    def score(self) -> float:
        """What the best weights are chosen by: the mean of the areas, and a fourth of the robust accuracy."""
        areas = [self.blended] if self.forged is None else [self.forged, self.blended]
        return (sum(areas) / len(areas) + 0.25 * self.robust) / 1.25


def standing(network: Callable[[Images], PerImage], drawing: Drawing, seed: int) -> Standing:
    """Return the figures of a network in judging mode; the same faces and chance every time."""
    rng = torch.Generator().manual_seed(seed)
    real = _some(drawing.real, MOST, rng)
    blended = _some(real, MOST // 4, rng)
    forged = _some(drawing.forged, MOST, rng)
    crops_real, crops_forged = drawing.steadily(real, CROP.margin), drawing.steadily(forged, CROP.margin)
    crops_blended = drawing.blended(blended, CROP.margin, rng)
    of_real = logits(network, crops_real)
    of_forged, of_blended = logits(network, crops_forged), logits(network, crops_blended)
    fakes = torch.cat([of_forged, of_blended])
    half = ATTACKED // 2
    chosen = torch.cat([crops_real[:ATTACKED], crops_forged[:half], crops_blended[: half if len(forged) else ATTACKED]])
    fake = torch.cat([torch.zeros(len(crops_real[:ATTACKED])), torch.ones(len(chosen) - len(crops_real[:ATTACKED]))])
    hit = [
        logits(network, attacked(network, chosen[part], fake[part], epsilon=EPSILON, steps=CLIMBS, rng=rng))
        for part in torch.split(torch.arange(len(chosen)), PART)
    ]
    after = torch.cat(hit)
    return Standing(
        area(of_real, of_forged) if len(of_forged) else None,
        area(of_real, of_blended),
        accuracy(of_real, fakes),
        accuracy(after[fake == 0], after[fake == 1]),
    )


@torch.inference_mode()
def logits(network: Callable[[Images], PerImage], crops: Images) -> PerImage:
    """Return the logits of any number of crops."""
    return torch.cat([network(part) for part in torch.split(crops, PART)]) if len(crops) else torch.zeros(0)


def _some(places: tuple[int, ...], most: int, rng: torch.Generator) -> tuple[int, ...]:
    order: Tensor = torch.randperm(len(places), generator=rng)[:most]
    return tuple(places[place] for place in order.tolist())
