"""`deepguard evaluate`: how good a classifier is on pictures whose truth is known; encoders are in `recognition`."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import click
import torch

from deepguard import __version__, api
from deepguard.cli.batch import shown
from deepguard.cli.progress import Display
from deepguard.cli.recognition import encoders_command
from deepguard.cli.tables import console_for, say
from deepguard.cli.train import landmark_detector
from deepguard.cli.values import Names
from deepguard.errors import InputError, NoFace, OptionError
from deepguard.forensics.calibration import Calibration, calibration_of
from deepguard.forensics.evaluation.fitting import fitted
from deepguard.forensics.evaluation.measured import (
    CONDITIONS,
    MEAN,
    Attack,
    Elsewhere,
    Figures,
    by_group,
    check_column,
    figures,
    of_clips,
    scores,
    under_attack,
)
from deepguard.forensics.evaluation.plots import check_plots, draw
from deepguard.forensics.evaluation.results import Evaluation, markdown
from deepguard.forensics.evaluation.samples import Samples, listed, read
from deepguard.forensics.purify import COPIES, PLAIN
from deepguard.forensics.verdict import Threshold
from deepguard.media.files import check_writable, write
from deepguard.media.read import read_picture
from deepguard.models.classifiers.efficientnet_b0_sbi import CROP, judging, network_of
from deepguard.models.crop import cut
from deepguard.models.roles import Classifier, CropSpec, FaceDetector, classifiers
from deepguard.settings import Settings
from deepguard.types import Images, PerImage, Watch
from deepguard.weights.shelf import Shelf

UNREAD = Threshold(0.5, 0.499, 0.0, 0.0, "nothing: logits are read as they are")
CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told; see its options."""

    data: Path
    classifier: str
    weights: Path | None
    cropped: float | None
    columns: tuple[str, ...]
    quick: bool
    attack: int
    epsilon: float
    protect: int
    limit: int
    seed: int
    fit: Path | None
    plots: bool
    out: Path


@click.group()
def evaluate() -> None:
    """Measure how good a classifier or the encoders are."""


evaluate.add_command(encoders_command)


@evaluate.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with the subfolders real and fake, or with a list.csv: file, label, clip, and columns to tell by.",
)
@click.option("--classifier", default="efficientnet-b0-sbi", show_default=True, help="Which one.")
@click.option("--weights", type=click.Path(path_type=Path, dir_okay=False), help="A training run's, instead of ours.")
@click.option(
    "--cropped",
    type=click.FloatRange(0, 1),
    help="The pictures are crops of faces that show so much beyond the face's square, as a share of its side.",
)
@click.option("--by", "columns", type=Names(), default=(), help="Columns of list.csv to tell results by.")
@click.option("--quick", is_flag=True, help="Do not compress and resize the faces as well.")
@click.option("--attack", type=click.IntRange(0), default=0, help="Attack N real faces and N fakes.")
@click.option("--epsilon", type=click.FloatRange(0, 64), default=4.0, show_default=True, help="By how much, in 1/255.")
@click.option("--protect", type=click.IntRange(0), default=0, help="Protect N real photos and judge them again.")
@click.option("--limit", type=click.IntRange(0), default=0, help="At most N pictures of each label.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all chance.")
@click.option("--fit", type=click.Path(path_type=Path, dir_okay=False), help="Write the calibration that fits here.")
@click.option("--plots", is_flag=True, help="Draw the ROC curve, calibration and scores.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("evaluation"), show_default=True, help="Folder of results."
)
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
def classifier(device: str | None, **told: object) -> None:
    """Measure a classifier on pictures whose truth is known.

    Writes evaluation.json and evaluation.md into the folder, and with --plots evaluation.png.
    """
    wish = Wish(**told)  # type: ignore[arg-type]
    if wish.plots:
        check_plots()
    for file in (wish.out / "evaluation.json", wish.fit):
        if file is not None:
            check_writable(file)
    shelf = Shelf(Settings.from_environment().models, offline=True)
    where = api.device_named(device)
    judged, calibration = _judged(wish, shelf, where)
    console = console_for()
    with Display(console, wish.classifier) as display:
        detector = landmark_detector(shelf, CPU)
        chosen = listed(wish.data, wish.limit, wish.seed)
        for column in wish.columns:
            check_column(chosen, column)
        samples = read(chosen, judged.crop, detector, wish.cropped, display)
        logits = scores(judged, samples.crops, display)
        if wish.fit:
            calibration = _fit(wish.fit, wish, judged.crop, logits, samples)
        measuring = _Measuring(wish, judged, calibration, samples, display)
        result = _evaluated(measuring, logits, _protected(measuring, shelf, detector) if wish.protect else None)
    _write(wish, result)
    if wish.plots:
        probability = torch.sigmoid((logits[MEAN] - calibration.bias) / calibration.temperature)
        draw(wish.out / "evaluation.png", probability, samples.fake)
    mean = result.readings[MEAN]
    say(console, f"{mean.real} real faces, {mean.fake} fakes: AUC {mean.area:.3f}, accuracy {mean.accuracy:.3f}")
    say(console, f"written: {shown(wish.out)}")


def _judged(wish: Wish, shelf: Shelf, device: torch.device) -> tuple[Classifier, Calibration]:
    if wish.weights is None:
        made = classifiers.create(wish.classifier, shelf, device)
        return Elsewhere(made, device), calibration_of(wish.classifier) or _unread(wish.classifier, made.crop)
    if not wish.weights.is_file():
        raise OptionError(f"{wish.weights} is not there; a training run leaves best.safetensors in its folder")
    network = network_of(wish.weights)
    return Elsewhere(judging(network, device), device), _unread(wish.weights.stem, CROP)


def _unread(name: str, crop: CropSpec) -> Calibration:
    return Calibration(name, crop, 1.0, 0.0, UNREAD, 1.0)


def _fit(file: Path, wish: Wish, crop: CropSpec, logits: Mapping[str, PerImage], samples: Samples) -> Calibration:
    """Fit the calibration, write it, and return it."""
    found = fitted(logits[MEAN], torch.stack([logits[name] for name in COPIES]), samples.fake)
    real = int((samples.fake == 0).sum())
    body = {
        "classifier": wish.classifier,
        **dataclasses.asdict(crop),
        **dataclasses.asdict(found),
        "validation": f"{wish.data.name}: {real} real faces and {len(samples.samples) - real} fakes",
    }
    write(file, (json.dumps(body, indent=2) + "\n").encode())
    threshold = Threshold(
        found.fake_from, found.real_to, found.false_positive_rate, found.false_negative_rate, str(body["validation"])
    )
    return Calibration(wish.classifier, crop, found.temperature, found.bias, threshold, found.spread_from)


@dataclasses.dataclass(frozen=True)
class _Measuring:
    """What is measured, by what."""

    wish: Wish
    judged: Classifier
    calibration: Calibration
    samples: Samples
    watch: Watch


def _evaluated(measuring: _Measuring, logits: Mapping[str, PerImage], protected: Figures | None) -> Evaluation:
    wish, judged, samples, calibration = (
        measuring.wish,
        measuring.judged,
        measuring.samples,
        measuring.calibration,
    )
    conditions = {} if wish.quick else CONDITIONS
    changed = {
        name: scores(judged, change(samples.crops), measuring.watch)[MEAN] for name, change in conditions.items()
    }
    attacks = tuple(
        under_attack(judged, samples, calibration, Attack(aim, wish.epsilon, wish.attack, wish.seed), measuring.watch)
        for aim in (PLAIN, MEAN)
        if wish.attack
    )
    return Evaluation(
        __version__,
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        platform.platform(),
        wish.classifier if wish.weights is None else wish.weights.name,
        wish.data.name,
        wish.seed,
        calibration,
        len(samples.lost),
        {name: figures(each, samples.fake, calibration) for name, each in logits.items()},
        {name: figures(each, samples.fake, calibration) for name, each in changed.items()},
        of_clips(logits[MEAN], samples, calibration),
        {column: by_group(logits[MEAN], samples, calibration, column) for column in wish.columns},
        attacks,
        protected,
    )


def _protected(measuring: _Measuring, shelf: Shelf, detector: FaceDetector) -> Figures:
    """Return what is said of real photos after `protect` with its default preset; the faces are cut where they were."""
    models = api.load_models(shelf, CPU)
    crops: list[Images] = []
    for each in measuring.samples.samples:
        if each.fake or len(crops) == measuring.wish.protect:
            continue
        picture = read_picture(each.file)
        (seen,) = detector.detect(picture.images)
        try:
            after = api.protect(picture, models, name=each.file.name, watch=measuring.watch).after
        except NoFace:
            continue
        if seen:
            crops.append(cut(after, seen[:1], measuring.judged.crop))
    if not crops:
        raise InputError("none of the real photos could be protected; leave --protect out")
    return figures(scores(measuring.judged, torch.cat(crops))[MEAN], torch.zeros(len(crops)), measuring.calibration)


def _write(wish: Wish, result: Evaluation) -> None:
    body = json.dumps(result.as_json(), indent=2)
    write(wish.out / "evaluation.json", body.encode())
    write(wish.out / "evaluation.md", markdown(result).encode())
