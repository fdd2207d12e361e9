"""Classifiers whose answers are known: they look at brightness, and at the finest detail."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepguard.forensics.calibration import Calibration
from deepguard.forensics.loading import Judge, judge_of
from deepguard.forensics.verdict import Threshold
from deepguard.models.roles import CropSpec

CPU = torch.device("cpu")
SPEC = CropSpec(side=32, margin=0.15)
THRESHOLD = Threshold(0.9, 0.4, 0.03, 0.2, "a set of toys")


@dataclass(frozen=True)
class Bright:
    """A crop's logit is `slope` times its mean brightness above a half; its maps are the red channel in 4x4 places."""

    slope: float = 10.0
    crop: CropSpec = SPEC

    def fakeness(self, crops: Tensor) -> Tensor:
        return self.verdict(self.maps(crops))

    def maps(self, crops: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(crops, 4)

    def verdict(self, maps: Tensor) -> Tensor:
        return (maps.mean(dim=(1, 2, 3)) - 0.5) * self.slope


@dataclass(frozen=True)
class Grainy:
    """A crop's logit grows with the differences of neighbouring pixels; it cannot tell where it looks."""

    slope: float = 100.0
    crop: CropSpec = SPEC

    def fakeness(self, crops: Tensor) -> Tensor:
        return (crops[..., 1:] - crops[..., :-1]).abs().mean(dim=(1, 2, 3)) * self.slope - 5


def calibration(name: str = "bright", temperature: float = 1.0, spread_from: float = 0.5) -> Calibration:
    return Calibration(name, SPEC, temperature, 0.0, THRESHOLD, spread_from)


def bright(slope: float = 10.0, name: str = "bright", calibrated: bool = True) -> Judge:
    return judge_of(name, Bright(slope), CPU, calibration(name) if calibrated else None)


def grainy(slope: float = 100.0, calibrated: bool = True) -> Judge:
    return judge_of("grainy", Grainy(slope), CPU, calibration("grainy") if calibrated else None)
