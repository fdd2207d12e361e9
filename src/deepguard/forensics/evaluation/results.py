"""Everything that was measured of a classifier, as JSON values and as Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepguard.forensics.calibration import Calibration
from deepguard.forensics.evaluation.measured import Figures, Robustness

SCHEMA = "deepguard/classifier-evaluation/1"
COLUMNS = (
    "",
    "real",
    "fake",
    "AUC",
    "AP",
    "FPR at TPR 95 %",
    "accuracy",
    "ECE",
    "real called fake",
    "fake called fake",
    "fake called real",
)


@dataclass(frozen=True)
class Evaluation:
    """One classifier on one folder of faces.

    Attributes:
        classifier: its name or its weights' file.
        data: the folder's name.
        seed: of what was drawn.
        calibration: by which logits were read.
        lost: pictures without a face, or that could not be read.
        readings: each copy by itself and their mean, on the faces as they are.
        conditions: the mean after compression and resizing.
        clips: the mean over a clip's frames, where there are clips.
        groups: column -> value -> figures.
        robustness: under attack.
        protected: real photos after our own protection, where that was measured: only `real` and `positives` count.
    """

    version: str
    created: str
    machine: str
    classifier: str
    data: str
    seed: int
    calibration: Calibration
    lost: int
    readings: Mapping[str, Figures]
    conditions: Mapping[str, Figures]
    clips: Figures | None
    groups: Mapping[str, Mapping[str, Figures]]
    robustness: tuple[Robustness, ...]
    protected: Figures | None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def markdown(evaluation: Evaluation) -> str:
    """Return a page of tables."""
    threshold = evaluation.calibration.threshold
    lines = [
        f"# {evaluation.classifier} on {evaluation.data}",
        "",
        f"deepguard {evaluation.version}, {evaluation.created}, {evaluation.machine}, seed {evaluation.seed}. "
        f"Likely fake from {threshold.fake_from:.3f}, likely real up to {threshold.real_to:.3f}; calibrated on: "
        f"{threshold.validation}. Pictures without a usable face: {evaluation.lost}.",
        "",
        "AUC, AP, accuracy: higher is better; FPR, ECE, real faces called fake and fakes called real: lower is better. "
        "Accuracy is the mean of both labels' at a probability of one half.",
        *_section("Readings of a face", evaluation.readings),
        *_section("After compression and resizing (mean of the copies)", evaluation.conditions),
    ]
    if evaluation.clips:
        lines += _section("Whole clips", {"mean of the frames": evaluation.clips})
    for column, rows in evaluation.groups.items():
        lines += _section(f"By {column}", rows)
    if evaluation.protected:
        lines += _section("Real photos under our own protection", {"preset balanced": evaluation.protected})
    if evaluation.robustness:
        lines += _attacks(evaluation.robustness)
    return "\n".join(lines) + "\n"


def _section(title: str, rows: Mapping[str, Figures]) -> list[str]:
    head = [f"| {' | '.join(COLUMNS)} |", f"|---|{'--:|' * (len(COLUMNS) - 1)}"]
    return ["", f"## {title}", "", *head, *(_row(name, each) for name, each in rows.items())]


def _row(name: str, each: Figures) -> str:
    shown = (
        str(each.real),
        str(each.fake),
        *map(_share, (each.area, each.precision, each.false_alarms, each.accuracy, each.calibration_error)),
        _share(each.positives),
        _share(each.found),
        _share(each.missed),
    )
    return f"| {name} | {' | '.join(shown)} |"


def _attacks(robustness: Sequence[Robustness]) -> list[str]:
    names = list(robustness[0].clean)
    head = [f"| attack | reading of | {' | '.join(names)} |", f"|---|---|{'--:|' * len(names)}"]
    lines = ["", "## Accuracy under attack", "", *head]
    for each in robustness:
        attack = _named(each)
        lines.append(f"| {attack} | {each.faces} untouched faces | {_shares(each.clean.values())} |")
        lines.append(f"| {attack} | the same, attacked | {_shares(each.attacked.values())} |")
    head = ["| attack | likely real | uncertain | likely fake | real called fake |", f"|---|{'--:|' * 4}"]
    lines += ["", "What is then said of the attacked fakes, and of the attacked real faces:", "", *head]
    for each in robustness:
        lines.append(f"| {_named(each)} | {_shares((*each.words.values(), each.accused))} |")
    return lines


def _named(each: Robustness) -> str:
    return f"PGD on {each.attack.aim}, {each.attack.epsilon:g}/255, {each.attack.steps} steps"


def _shares(values: Iterable[float]) -> str:
    return " | ".join(_share(value) for value in values)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
