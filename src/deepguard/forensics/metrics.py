"""Figures of a classifier's scores, each of real faces' and of fakes' scores, higher meaning fake."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

TRIMMED = 0.1
"""Share of a person's frames, at each end of their logits, that do not count: a blink, a hand, a bad crop."""


def trimmed(values: Sequence[float]) -> float:
    """Return the mean of a clip's frames without the highest and lowest tenth; of one or more."""
    off = int(len(values) * TRIMMED)
    kept = sorted(values)[off : len(values) - off]
    return sum(kept) / len(kept)


def area(real: Tensor, fake: Tensor) -> float:
    """Return the area under the ROC curve, in [0, 1]: how often a fake scores higher than a real one (Mann-Whitney)."""
    both = torch.cat([real, fake]).double()
    ranks = _ranks(both)
    above = ranks[len(real) :].sum() - len(fake) * (len(fake) + 1) / 2
    return float(above / (len(real) * len(fake)))


def accuracy(real: Tensor, fake: Tensor, threshold: float = 0.0) -> float:
    """Return the mean of the shares of real scores up to the threshold and of fakes' above it."""
    return float(((real <= threshold).double().mean() + (fake > threshold).double().mean()) / 2)


def precision(real: Tensor, fake: Tensor) -> float:
    """Return the average precision: the mean over the fakes of the share of fakes among all that score as high."""
    both = torch.cat([real, fake]).double()
    labels = torch.cat([torch.zeros(len(real)), torch.ones(len(fake))]).double()
    order = torch.argsort(both, descending=True, stable=True)
    scores, labels = both[order], labels[order]
    # equal scores are one threshold: what counts is where each run of them ends
    last = torch.ones(len(scores), dtype=torch.bool)
    last[:-1] = scores[1:] != scores[:-1]
    found = labels.cumsum(0)[last]
    seen = torch.arange(1, len(labels) + 1, dtype=torch.float64)[last]
    gained = torch.diff(found, prepend=found.new_zeros(1))
    return float((gained * found / seen).sum() / len(fake))


def false_alarms(real: Tensor, fake: Tensor, found: float = 0.95) -> float:
    """Return the share of real scores at or above the threshold that finds the share `found` of the fakes."""
    count = max(1, int(torch.ceil(torch.tensor(found * len(fake))).item()))
    threshold = fake.sort(descending=True).values[count - 1]
    return float((real >= threshold).double().mean())


def calibration_error(probability: Tensor, fake: Tensor, bins: int = 15) -> float:
    """Return the expected calibration error (Guo et al. 2017) of probabilities of being fake, over equal bins."""
    place = (probability * bins).long().clamp(0, bins - 1)
    total = 0.0
    for each in range(bins):
        inside = place == each
        if inside.any():
            gap = probability[inside].double().mean() - fake[inside].double().mean()
            total += float(inside.double().mean() * gap.abs())
    return total


def _ranks(values: Tensor) -> Tensor:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ends: Tensor = counts.cumsum(0).double()
    ranks: Tensor = (ends - (counts.double() - 1) / 2)[inverse]
    return ranks
