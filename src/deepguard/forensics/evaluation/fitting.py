"""Calibration: the figures by which a classifier's logits become probabilities and words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import InputError
from deepguard.types import PerImage

FEWEST = 50
"""Faces of each label from which figures can be fitted."""
POSITIVES, MISSED = 0.01, 0.1
"""Shares of the real faces that may be called likely fake, and of the fakes that may be called likely real."""
SPREAD = 0.99
"""Share of untouched faces whose copies differ by less than what counts as tampered with."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """See `deepguard.forensics.calibration.Calibration`."""

    temperature: float
    bias: float
    fake_from: float
    real_to: float
    false_positive_rate: float
    false_negative_rate: float
    spread_from: float


def fitted(logits: PerImage, copies: Tensor, fake: Tensor) -> Fitted:
    """Return the calibration of faces' mean logits, n, with their copies' logits, copies x n.

    Temperature and bias minimise the cross-entropy with both labels weighted alike (Platt 1999), so that a probability
    is that of a face as likely fake as real before. `fake_from` is where `POSITIVES` of the real faces lie above, and
    not below one half; `real_to` where `MISSED` of the fakes lie below, and not above one half. InputError for too few.
    """
    if min(int((fake == 0).sum()), int((fake == 1).sum())) < FEWEST:
        raise InputError(f"a calibration needs at least {FEWEST} real faces and {FEWEST} fakes; give more")
    temperature, bias = _scaled(logits.double(), fake.double())
    probability = torch.sigmoid((logits.double() - bias) / temperature)
    real, fakes = probability[fake == 0], probability[fake == 1]
    fake_from = max(0.5, _above(real, POSITIVES))
    real_to = min(0.499, _below(fakes, MISSED))
    each = torch.sigmoid((copies.double() - bias) / temperature)
    spread = each.amax(0) - each.amin(0)
    return Fitted(
        temperature,
        bias,
        fake_from,
        real_to,
        float((real >= fake_from).double().mean()),
        float((fakes <= real_to).double().mean()),
        float(torch.quantile(spread, SPREAD)),
    )


def _scaled(logits: Tensor, fake: Tensor) -> tuple[float, float]:
    weight = torch.where(fake == 1, 0.5 / fake.sum(), 0.5 / (1 - fake).sum())
    values = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([values], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scaled = (logits - values[1]) * torch.exp(-values[0])
        cost = functional.binary_cross_entropy_with_logits(scaled, fake, weight=weight, reduction="sum")
        cost.backward()  # type: ignore[no-untyped-call]
        return cost

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    log_temperature, bias = values.detach().tolist()
    return math.exp(log_temperature), bias


def _above(values: Tensor, share: float) -> float:
    """Return the lowest of the values at or above which at most `share` of them lie; above all for none."""
    ordered = values.sort(descending=True).values
    allowed = math.floor(share * len(values))
    return math.nextafter(float(ordered[allowed]), math.inf)


def _below(values: Tensor, share: float) -> float:
    ordered = values.sort().values
    allowed = math.floor(share * len(values))
    return math.nextafter(float(ordered[allowed]), -math.inf)
