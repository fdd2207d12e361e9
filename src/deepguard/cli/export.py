"""`deepguard export`: a classifier as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click
import torch

from deepguard.cli.tables import console_for, say
from deepguard.cli.train import landmark_detector
from deepguard.errors import InputError, OptionError
from deepguard.forensics.calibration import Calibration, calibration_of, read_calibration
from deepguard.forensics.exporting.examples import crops_of_pictures, sample_crops
from deepguard.forensics.exporting.exported import Exported, Form, exported
from deepguard.forensics.exporting.tflite_file import check_tflite
from deepguard.media.files import check_writable, write
from deepguard.models.roles import Classifier, classifiers
from deepguard.settings import Settings
from deepguard.types import Images
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


@click.group()
def export() -> None:
    """Write a classifier as a file for other programs."""


@export.command()
@click.option("--format", "form", type=click.Choice(["onnx", "tflite"]), required=True, help="Of the file.")
@click.option("--classifier", "name", default="efficientnet-b0-sbi", show_default=True, help="Which one.")
@click.option(
    "--weights", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A training run's, instead of ours."
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Of those weights; see evaluate --fit.",
)
@click.option("--int8", is_flag=True, help="Whole numbers of 8 bits: a quarter of the size, and other logits.")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Photos with faces to compare on, and to fit --int8 to, instead of the sample photo.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file.")
def classifier(
    form: str,
    name: str,
    weights: Path | None,
    calibration: Path | None,
    int8: bool,
    pictures: Path | None,
    out: Path,
) -> None:
    """Write a classifier as ONNX or TFLite, with all that is needed to judge by it in the file's metadata.

    The file is run and compared with the original before it is written.
    """
    check_writable(out)
    if form == "tflite":
        check_tflite()
    shelf = Shelf(Settings.from_environment().models, offline=True)
    chosen = loaded(name, weights, shelf)
    reading = calibration_for(name, weights, calibration)
    if reading is not None and reading.crop != chosen.crop:
        raise InputError(f"{calibration or name} was calibrated on other crops than the classifier takes; fit it again")
    made = exported(name, chosen, reading, _crops(pictures, chosen, shelf), cast(Form, form), int8=int8)
    write(out, made.data)
    for sentence in told(out, made, int8):
        say(console_for(), sentence)


def loaded(name: str, weights: Path | None, shelf: Shelf) -> Classifier:
    """Return the classifier, with other weights where they are named."""
    if weights is None:
        return classifiers.create(name, shelf, CPU)
    entry = classifiers.entry(name)
    if len(entry.weights) != 1:
        raise OptionError(f"{name} has {len(entry.weights)} files, so --weights cannot replace them; leave it out")
    return entry.factory([weights], CPU)


def calibration_for(name: str, weights: Path | None, file: Path | None) -> Calibration | None:
    """Return how the logits are read: by the file, or for our own weights as they came."""
    if file is not None:
        return read_calibration(file)
    return calibration_of(name) if weights is None else None


def told(out: Path, made: Exported, int8: bool) -> list[str]:
    """Return what was written and how it compares, in sentences."""
    likeness = made.likeness
    rest = f"; {likeness.words} of {likeness.crops} verdicts differ" if likeness.words else ", every verdict equal"
    sentences = [
        f"written: {out}, {len(made.data) / 1e6:.1f} MB",
        f"compared with the original on {likeness.crops} crops: logits differ by {likeness.largest:.2g} at most{rest}",
    ]
    if int8:
        sentences.append(
            "Whole numbers of 8 bits change the verdict: measure this file on pictures of your own before you use it."
        )
    return sentences


def _crops(pictures: Path | None, chosen: Classifier, shelf: Shelf) -> Images:
    if pictures is None:
        return sample_crops(chosen.crop)
    if not pictures.is_dir():
        raise InputError(f"{pictures} is no folder; name one with photos of faces")
    return crops_of_pictures(pictures, landmark_detector(shelf, CPU), chosen.crop)
