"""`deepguard train`: make a classifier of your own from pictures of yours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import torch

from deepguard import api
from deepguard.cli.batch import shown
from deepguard.cli.progress import Display
from deepguard.cli.tables import console_for, say
from deepguard.forensics.training.config import Config, read_config
from deepguard.forensics.training.crops import Crops, gathered
from deepguard.forensics.training.loop import Trained
from deepguard.forensics.training.loop import train as trained
from deepguard.media.files import check_writable
from deepguard.models.roles import FaceDetector, detectors
from deepguard.settings import Settings
from deepguard.weights.shelf import Shelf

QUICK = ("yunet", "scrfd", "mtcnn")
"""Detectors that name landmarks, the quickest first; the last comes with the installation."""


@click.group()
def train() -> None:
    """Make a classifier of your own."""


@train.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="TOML file that names the pictures and the recipe; docs/how-to/train-a-classifier.md describes it.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("training-run"), show_default=True, help="Folder of the run."
)
@click.option("--steps", type=click.IntRange(1), help="Batches in all, instead of the configuration's.")
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
def classifier(file: Path, out: Path, steps: int | None, device: str | None) -> None:
    """Train EfficientNet-b0 to tell fake faces from real ones.

    Writes crops, a checkpoint, log.csv and best.safetensors into the folder. A run that was stopped goes on where
    it was when the same command is given again.
    """
    config = read_config(file)
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    check_writable(out / "log.csv")
    where = api.device_named(device)
    # pictures are read on the processor, and this is done once
    detector = landmark_detector(Shelf(Settings.from_environment().models, offline=True), torch.device("cpu"))
    console = console_for()
    with Display(console, config.name) as display:
        crops = gathered(config.sources, out, detector, config.seed, display)
        say(console, _counted(crops))
        result = trained(config, crops, out, where, display)
    for sentence in _told(config, result):
        say(console, sentence)


def landmark_detector(shelf: Shelf, device: torch.device) -> FaceDetector:
    """Return the quickest detector at hand that names landmarks."""
    ready = detectors.available(shelf)
    return detectors.create(next(name for name in QUICK if name in ready), shelf, device)


def _counted(crops: Crops) -> str:
    fakes = sum(each.fake for each in crops.records)
    return f"{len(crops.records) - fakes} real faces and {fakes} fakes"


def _told(config: Config, result: Trained) -> tuple[str, ...]:
    figures = result.standing
    forged = "" if figures.forged is None else f"AUC {figures.forged:.3f} on forgeries, "
    return (
        f"{config.name}: {forged}{figures.blended:.3f} on self-blended faces, accuracy {figures.accuracy:.3f}, "
        f"under attack {figures.robust:.3f}, all on groups that were not trained on",
        f"best weights: {shown(result.weights)}",
    )
