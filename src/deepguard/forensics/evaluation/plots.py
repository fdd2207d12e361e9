"""Plots of an evaluation: the ROC curve, how far probabilities are to be trusted, and where the scores lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.types import PerImage

BINS = 10


def check_plots() -> None:
    """Raise OptionError where the library that draws is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise OptionError("plots need matplotlib; run: pip install 'deepguard[train]', or leave --plots out")


def draw(file: Path, probability: PerImage, fake: Tensor) -> None:
    """Draw three plots beside each other into a PNG file."""
    # half a second that only whoever wants plots waits for
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    roc, trust, spread = figure.subplots(1, 3)
    alarms, found = _curve(probability, fake)
    roc.plot(alarms, found)
    roc.plot([0, 1], [0, 1], linestyle=":")
    roc.set(xlabel="real faces called fake", ylabel="fakes found", title="ROC")
    said, true = _reliability(probability, fake)
    trust.plot([0, 1], [0, 1], linestyle=":")
    trust.plot(said, true, marker="o")
    trust.set(xlabel="probability that was said", ylabel="share of fakes", title="Calibration")
    for label, name in ((0, "real"), (1, "fake")):
        spread.hist(probability[fake == label].tolist(), bins=20, range=(0, 1), alpha=0.6, label=name)
    spread.set(xlabel="probability of fake", ylabel="faces", title="Scores")
    spread.legend()
    figure.savefig(file, dpi=100)


def _curve(probability: PerImage, fake: Tensor) -> tuple[list[float], list[float]]:
    ordered = fake[torch.argsort(probability, descending=True)]
    found, alarms = ordered.cumsum(0) / ordered.sum(), (1 - ordered).cumsum(0) / (1 - ordered).sum()
    return [0.0, *alarms.tolist()], [0.0, *found.tolist()]


def _reliability(probability: PerImage, fake: Tensor) -> tuple[list[float], list[float]]:
    place = (probability * BINS).long().clamp(0, BINS - 1)
    used = [each for each in range(BINS) if bool((place == each).any())]
    said = [float(probability[place == each].mean()) for each in used]
    return said, [float(fake[place == each].mean()) for each in used]
