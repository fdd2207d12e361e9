"""`deepguard export classifier`, with a toy in the place of the shipped classifier."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import onnx
import pytest
import torch
from tests.cli.conftest import Run, files_in, one_sentence
from tests.forensics.exporting_toys import SPEC, toy

from deepguard.forensics.exporting import tflite_file
from deepguard.media import files
from deepguard.models.roles import classifiers
from deepguard.registry import Entry, Extra
from deepguard.weights.catalogue import Weights

OWN = Weights("toy.bin", 0, "", "MIT", "made by the tests", package="deepguard:deepguard/py.typed")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two classifiers: the toy, and one with two files."""
    classifiers.names()
    entries = dict(classifiers._entries)
    entries["toy"] = Entry("toy", (OWN,), lambda paths, device: toy(len(paths[0].name)), "A toy.")
    entries["pair"] = Entry("pair", (OWN, OWN), lambda paths, device: toy(), "Two files.")
    monkeypatch.setattr(classifiers, "_entries", entries)


def calibration(path: Path, side: int = SPEC.side) -> Path:
    figures = {"fake_from": 0.9, "real_to": 0.4, "false_positive_rate": 0.03, "false_negative_rate": 0.2}
    crop = {"side": side, "margin": SPEC.margin, "aligned": SPEC.aligned}
    reading = {"classifier": "toy", **crop, "temperature": 2.0, "bias": 0.5}
    path.write_text(json.dumps(reading | figures | {"validation": "the tests", "spread_from": 0.5}), encoding="utf-8")
    return path


def facts_in(path: Path) -> dict[str, str]:
    return {each.key: each.value for each in onnx.load(path).metadata_props}


def test_the_file_is_written_and_compared(deepguard: Run, tmp_path: Path) -> None:
    out = tmp_path / "new" / "toy.onnx"
    result = deepguard("export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", out)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert f"written: {out}" in said
    assert "logits differ by" in said
    assert "every verdict equal" in said
    assert facts_in(out)["classifier"] == "toy"
    assert "calibration" not in facts_in(out)


def test_int8_says_what_it_changes(deepguard: Run, tmp_path: Path) -> None:
    words = ("export", "classifier", "--format", "onnx", "--classifier", "toy", "--int8", "--out", tmp_path / "8.onnx")
    result = deepguard(*words)
    assert result.exit_code == 0, result.output
    assert "measure this file on pictures of your own" in " ".join(result.output.split())


def test_weights_of_a_training_run_and_their_calibration_take_the_place_of_ours(deepguard: Run, tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"other weights")
    words = ["export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path / "own.onnx"]
    words += ["--weights", tmp_path / "best.safetensors", "--calibration", calibration(tmp_path / "c.json")]
    assert deepguard(*words).exit_code == 0
    assert json.loads(facts_in(tmp_path / "own.onnx")["calibration"])["temperature"] == 2.0


def test_a_calibration_for_other_crops_is_refused(deepguard: Run, tmp_path: Path) -> None:
    words = ["export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path / "own.onnx"]
    result = deepguard(*words, "--calibration", calibration(tmp_path / "c.json", side=64))
    assert result.exit_code == 1
    assert "was calibrated on other crops" in one_sentence(result)
    assert files_in(tmp_path) == {"c.json"}


def test_weights_cannot_replace_several_files(deepguard: Run, tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"other weights")
    words = ["export", "classifier", "--format", "onnx", "--classifier", "pair", "--out", tmp_path / "own.onnx"]
    result = deepguard(*words, "--weights", tmp_path / "best.safetensors")
    assert result.exit_code == 2
    assert "pair has 2 files, so --weights cannot replace them" in one_sentence(result)


def test_an_unknown_classifier_is_answered_with_the_nearest(deepguard: Run, tmp_path: Path) -> None:
    result = deepguard("export", "classifier", "--format", "onnx", "--classifier", "meso5", "--out", tmp_path / "x")
    assert result.exit_code == 2
    assert "did you mean meso4?" in one_sentence(result)


def test_tflite_without_its_converter_says_so_before_anything_else(
    deepguard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite_file, "EXTRA", Extra("tflite", "no_such_module_at_all"))
    result = deepguard("export", "classifier", "--format", "tflite", "--classifier", "toy", "--out", tmp_path / "x")
    assert result.exit_code == 2
    assert "pip install 'deepguard[tflite]'" in one_sentence(result)


def test_a_folder_without_faces_is_a_result_of_its_own(deepguard: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    words = ["export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path / "own.onnx"]
    assert "no face was found" in one_sentence(deepguard(*words, "--pictures", tmp_path / "empty"))
    assert "is no folder" in one_sentence(deepguard(*words, "--pictures", tmp_path / "nowhere"))


def test_a_full_disk_leaves_nothing_behind(deepguard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(part: Path, data: bytes) -> None:
        part.write_bytes(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_fill", full)
    result = deepguard("export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path / "o.onnx")
    assert result.exit_code == 1
    assert "is full; free" in one_sentence(result)
    assert files_in(tmp_path) == set()


def test_a_place_that_cannot_be_written_is_told_before_the_work(deepguard: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    out = tmp_path / "file" / "toy.onnx"
    result = deepguard("export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", out)
    assert result.exit_code == 1
    assert "cannot be written to" in one_sentence(result)
    result = deepguard("export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path)
    assert "is a folder; name a file" in one_sentence(result)


def test_torch_is_not_touched_by_an_export(deepguard: Run, tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    deepguard("export", "classifier", "--format", "onnx", "--classifier", "toy", "--out", tmp_path / "toy.onnx")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
