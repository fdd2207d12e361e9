"""From a classifier's logit to a probability and a word: figures fitted on pictures whose truth is known."""

from __future__ import annotations

import importlib.resources
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from deepguard.errors import WeightsCorrupt
from deepguard.forensics.verdict import Threshold, Word
from deepguard.models.roles import CropSpec

PACKAGE = "deepguard.models.classifiers"
"""Where the calibrations of the shipped classifiers lie, each as NAME.json beside the weights."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one classifier's logits are read (Platt 1999; Guo et al. 2017, temperature scaling with a bias).

    Attributes:
        crop: how the crops were cut on which it was fitted; it holds for no other.
        temperature: by which logits are divided, above 0.
        bias: what is taken off before.
        threshold: where the words begin, in probabilities.
        spread_from: difference of two copies' probabilities from which a face may have been tampered with.
    """

    classifier: str
    crop: CropSpec
    temperature: float
    bias: float
    threshold: Threshold
    spread_from: float

    def probability(self, logit: float) -> float:
        """Return the probability of fake, in [0, 1]."""
        return sigmoid((logit - self.bias) / self.temperature)

    def word_of(self, probability: float) -> Word:
        """Return the verdict that a probability stands for."""
        if probability >= self.threshold.fake_from:
            return Word.LIKELY_FAKE
        return Word.LIKELY_REAL if probability <= self.threshold.real_to else Word.UNCERTAIN


def sigmoid(logit: float) -> float:
    """Return 1 / (1 + exp(-logit)), of any size."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else 1 - 1 / (1 + math.exp(logit))


def calibration_of(classifier: str, package: str = PACKAGE) -> Calibration | None:
    """Return a shipped classifier's calibration; None where it was never calibrated."""
    file = importlib.resources.files(package) / f"{classifier}.json"
    return read_calibration(file) if file.is_file() else None


def read_calibration(file: Traversable) -> Calibration:
    """Read a calibration file; WeightsCorrupt where it is none."""
    try:
        return _calibration(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorrupt(f"{file} is no calibration of a classifier; install deepguard again") from error


def _calibration(body: Mapping[str, Any]) -> Calibration:
    threshold = Threshold(
        fake_from=float(body["fake_from"]),
        real_to=float(body["real_to"]),
        false_positive_rate=float(body["false_positive_rate"]),
        false_negative_rate=float(body["false_negative_rate"]),
        validation=str(body["validation"]),
    )
    made = Calibration(
        classifier=str(body["classifier"]),
        crop=CropSpec(int(body["side"]), float(body["margin"]), bool(body["aligned"])),
        temperature=float(body["temperature"]),
        bias=float(body["bias"]),
        threshold=threshold,
        spread_from=float(body["spread_from"]),
    )
    if not (made.temperature > 0 and 0 <= threshold.real_to < threshold.fake_from <= 1):
        raise ValueError("its figures contradict each other")
    return made
