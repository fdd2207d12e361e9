"""From logits to probabilities and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deepguard.errors import WeightsCorrupt
from deepguard.forensics.calibration import calibration_of, read_calibration
from deepguard.forensics.verdict import Word
from deepguard.models.roles import CropSpec, classifiers

FIGURES: dict[str, Any] = {
    "classifier": "toy",
    "side": 32,
    "margin": 0.2,
    "aligned": False,
    "temperature": 2.0,
    "bias": 1.0,
    "fake_from": 0.9,
    "real_to": 0.4,
    "false_positive_rate": 0.03,
    "false_negative_rate": 0.2,
    "validation": "a set of toys",
    "spread_from": 0.5,
}


def file_of(folder: Path, **changes: Any) -> Path:
    file = folder / "toy.json"
    file.write_text(json.dumps({**FIGURES, **changes}))
    return file


def test_a_probability_is_the_sigmoid_of_the_shifted_and_scaled_logit(tmp_path: Path) -> None:
    calibration = read_calibration(file_of(tmp_path))
    assert calibration.probability(1.0) == 0.5
    assert calibration.probability(3.0) == pytest.approx(0.7310586)
    assert calibration.probability(-1.0) == pytest.approx(1 - 0.7310586)
    assert calibration.probability(1e6) == 1.0
    assert calibration.probability(-1e6) == 0.0


def test_a_word_begins_at_its_threshold(tmp_path: Path) -> None:
    calibration = read_calibration(file_of(tmp_path))
    words = [calibration.word_of(each) for each in (0.0, 0.4, 0.41, 0.89, 0.9, 1.0)]
    assert words == [
        Word.LIKELY_REAL,
        Word.LIKELY_REAL,
        Word.UNCERTAIN,
        Word.UNCERTAIN,
        Word.LIKELY_FAKE,
        Word.LIKELY_FAKE,
    ]


def test_the_file_names_the_crop_and_the_cost_of_the_threshold(tmp_path: Path) -> None:
    calibration = read_calibration(file_of(tmp_path))
    assert calibration.crop == CropSpec(32, 0.2)
    assert calibration.threshold.validation == "a set of toys"
    assert calibration.threshold.false_positive_rate == 0.03


@pytest.mark.parametrize(
    "changes", [{"temperature": 0}, {"real_to": 0.95}, {"fake_from": 1.5}, {"bias": "much"}, {"side": None}]
)
def test_figures_that_contradict_each_other_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(WeightsCorrupt, match="is no calibration"):
        read_calibration(file_of(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "toy.json").write_text(text)
    with pytest.raises(WeightsCorrupt, match="is no calibration"):
        read_calibration(tmp_path / "toy.json")


def test_a_classifier_without_a_file_is_not_calibrated() -> None:
    assert calibration_of("meso9000") is None


def test_every_shipped_calibration_is_of_a_classifier_of_that_name() -> None:
    for name in classifiers.names():
        calibration = calibration_of(name)
        assert calibration is None or calibration.classifier == name
