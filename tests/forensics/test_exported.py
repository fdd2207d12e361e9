from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
import torch
from tests.forensics.exporting_toys import SPEC, Toy, toy
from torch import Tensor

from deepguard import __version__
from deepguard.errors import NoFace, OptionError, OutputError
from deepguard.forensics.calibration import Calibration
from deepguard.forensics.exporting import exported as module
from deepguard.forensics.exporting import tflite_file
from deepguard.forensics.exporting.examples import crops_of_pictures, sample_crops
from deepguard.forensics.exporting.exported import Likeness, compare, exported, facts_of
from deepguard.forensics.exporting.graph import TOLERANCE
from deepguard.forensics.exporting.onnx_file import logits_of_onnx
from deepguard.forensics.verdict import Threshold
from deepguard.media.sample import sample_file
from deepguard.models.roles import CropSpec, FaceDetector, detectors
from deepguard.registry import Extra
from deepguard.weights.shelf import Shelf

CALIBRATION = Calibration("toy", SPEC, 1.0, 0.0, Threshold(0.9, 0.4, 0.03, 0.2, "made by the tests"), 0.5)


@pytest.fixture
def crops(rng: torch.Generator) -> Tensor:
    return torch.rand(12, 3, SPEC.side, SPEC.side, generator=rng)


def facts_in(data: bytes) -> Mapping[str, str]:
    return {each.key: each.value for each in onnx.load_model_from_string(data).metadata_props}


def test_a_float32_file_says_the_same_and_carries_what_its_user_must_know(crops: Tensor) -> None:
    made = exported("toy", toy(), CALIBRATION, crops)
    assert made.likeness.crops == 12
    assert made.likeness.largest < TOLERANCE
    assert made.likeness.words == 0
    facts = facts_in(made.data)
    assert facts == facts_of("toy", toy(), CALIBRATION, "onnx")
    said = [facts[name] for name in ("classifier", "side", "margin", "aligned", "deepguard")]
    assert said == ["toy", "32", "0.2", "false", __version__]
    assert "above 0 means fake" in facts["output"]
    reading = json.loads(facts["calibration"])
    assert (reading["temperature"], reading["bias"], reading["fake_from"], reading["real_to"]) == (1, 0, 0.9, 0.4)
    assert reading["validation"] == "made by the tests"


def test_an_uncalibrated_classifier_is_exported_without_figures(crops: Tensor) -> None:
    assert "calibration" not in facts_in(exported("toy", toy(), None, crops).data)


def test_an_int8_file_is_smaller_and_measured_on_crops_that_its_ranges_were_not_fitted_to(crops: Tensor) -> None:
    made = exported("toy", toy(), None, crops, int8=True)
    assert made.likeness.crops == 6
    assert 0 < made.likeness.largest < 1
    given = logits_of_onnx(made.data, crops[::2])
    assert (given - toy().fakeness(crops[::2])).abs().max().item() == pytest.approx(made.likeness.largest, abs=1e-5)
    assert "QuantizeLinear" in {node.op_type for node in onnx.load_model_from_string(made.data).graph.node}


def test_a_file_that_says_something_else_is_not_written(crops: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "logits_of_onnx", lambda data, crops: toy().fakeness(crops) + 1)
    with pytest.raises(OutputError, match=r"differs from the original by 1 in a logit .* was not written"):
        exported("toy", toy(), CALIBRATION, crops)


def test_verdicts_are_compared_by_the_calibrations_words() -> None:
    # the words begin at logits of about -0.41 and 2.2
    one, other = torch.tensor([-0.5, 2.1, 3.0]), torch.tensor([-0.3, 2.3, 4.0])
    assert compare(one, other, CALIBRATION) == Likeness(3, 1.0, 2)
    assert compare(one, other, None) == Likeness(3, 1.0, 0)


def test_the_samples_crops_are_different_and_within_range() -> None:
    crops = sample_crops(CropSpec(side=96, margin=0.2))
    assert crops.shape[1:] == (3, 96, 96)
    assert len(crops) == len(crops.flatten(1).unique(dim=0)) >= 60
    assert 0 <= crops.min() <= crops.max() <= 1


def test_faces_of_a_users_pictures_are_taken_and_a_folder_without_any_is_refused(
    tmp_path: Path, empty_shelf: Shelf
) -> None:
    detector: FaceDetector = detectors.create("mtcnn", empty_shelf, torch.device("cpu"))
    with pytest.raises(NoFace, match="name a folder with photos of faces"):
        crops_of_pictures(tmp_path, detector, SPEC)
    (tmp_path / "astronaut.png").write_bytes(sample_file().read_bytes())
    assert crops_of_pictures(tmp_path, detector, SPEC).shape == (5, 3, SPEC.side, SPEC.side)


def test_tflite_without_its_converter_names_what_brings_it(crops: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_file, "EXTRA", Extra("tflite", "no_such_module_at_all"))
    with pytest.raises(OptionError, match=r"run: pip install 'deepguard\[tflite\]'"):
        exported("toy", toy(), None, crops, "tflite")


@pytest.mark.filterwarnings("ignore")  # of the converter's many libraries
@pytest.mark.parametrize("int8", [False, True])
def test_a_tflite_file_says_the_same_and_carries_the_facts(crops: Tensor, int8: bool) -> None:
    if not tflite_file.EXTRA.installed:
        pytest.skip("the extra tflite is not installed")
    classifier: Toy = toy()
    made = exported("toy", classifier, CALIBRATION, crops, "tflite", int8=int8)
    assert made.data[4:8] == b"TFL3"
    assert made.likeness.largest < (1 if int8 else TOLERANCE)
    assert tflite_file.facts_in(made.data) == facts_of("toy", classifier, CALIBRATION, "tflite")
