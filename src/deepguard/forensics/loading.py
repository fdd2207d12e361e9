"""A classifier ready to judge: its logits in batches, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.errors import WeightsCorrupt
from deepguard.forensics.calibration import Calibration
from deepguard.forensics.fast import Fast
from deepguard.forensics.purify import copies
from deepguard.models.roles import Classifier, CropSpec
from deepguard.types import Images, PerImage

BATCH, LARGE_BATCH = 20, 64
"""Crops that go through a classifier at once, on a processor and elsewhere. EfficientNet-b0 took 6 ms for each of 5 to
20 crops on one core and 15 ms for each of 64, which no longer fit its cache."""

Logits: TypeAlias = Callable[[Images], PerImage]
"""Crops to logits on the processor, in any number; whatever runs the network is behind it."""


@dataclass(frozen=True)
class Judge:
    """One classifier that takes part.

    Attributes:
        name: in the registry.
        classifier: the loaded model, for heat maps.
        logits: what it says of crops, without gradients.
        device: where the classifier is.
        calibration: how its logits are read; None where it was never calibrated.
    """

    name: str
    classifier: Classifier
    logits: Logits
    device: torch.device
    calibration: Calibration | None = None


def judge_of(name: str, classifier: Classifier, device: torch.device, calibration: Calibration | None) -> Judge:
    """Return the classifier as a judge; on a processor many crops go through onnxruntime.

    WeightsCorrupt where it was calibrated on other crops than it takes.
    """
    if calibration is not None and calibration.crop != classifier.crop:
        raise WeightsCorrupt(f"the calibration of {name} is for other crops than it takes; install deepguard again")
    slow = in_torch(classifier, device)
    logits = Fast(classifier, slow) if device.type == "cpu" else slow
    return Judge(name, classifier, logits, device, calibration)


def in_torch(classifier: Classifier, device: torch.device) -> Logits:
    """Return the classifier's logits as torch computes them on its device."""

    def logits(crops: Images) -> PerImage:
        with torch.inference_mode():
            laid = crops.to(device, memory_format=torch.channels_last)
            return classifier.fakeness(laid).float().cpu()

    return logits


def scores(crops: Images, judge: Judge) -> Float[Tensor, "n copies"]:
    """Return the logit of every copy of every crop, copies in the order of `purify.COPIES`."""
    made = copies(crops)
    every = torch.cat(list(made.values()))
    size = BATCH if judge.device.type == "cpu" else LARGE_BATCH
    logits = [judge.logits(batch) for batch in torch.split(every, size)] if len(every) else [torch.zeros(0)]
    return torch.cat(logits).view(len(made), len(crops)).T


def leading(judges: Sequence[Judge]) -> Judge | None:
    """Return the judge that decides: the first that is calibrated."""
    return next((judge for judge in judges if judge.calibration is not None), None)


def specs(judges: Sequence[Judge]) -> tuple[CropSpec, ...]:
    """Return the kinds of crops that the judges take, each once."""
    return tuple(dict.fromkeys(judge.classifier.crop for judge in judges))
