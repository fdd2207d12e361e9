"""`deepguard doctor`, on an empty shelf and on a damaged one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.cli.conftest import Run

from deepguard.cli import doctor as command
from deepguard.models.embedding import ARCFACE
from deepguard.models.roles import classifiers, detectors, encoders
from deepguard.registry import Extra, Registry
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf


def test_missing_weights_are_no_fault_and_the_embedded_detector_really_works(deepguard: Run, home: Path) -> None:
    result = deepguard("doctor", "--device", "cpu")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert "works" in rows["mtcnn"]
    assert "deepguard models pull retinaface" in rows["retinaface"]
    assert set(detectors.names()) | set(classifiers.names()) | set(encoders.names()) <= set(rows)
    assert "deepguard models pull meso4" in rows["meso4"]
    assert "1 of 9 detectors and 0 of 2 encoders to hide from are here; without an encoder" in result.output
    assert not home.exists(), "looking changes nothing"


def test_it_names_what_the_machine_is(deepguard: Run, home: Path) -> None:
    rows = {line.split()[0]: line for line in deepguard("doctor").output.splitlines() if line.strip()}
    for what in ("Python", "torch", "cores", "memory", "GPU", "device", "home", "shelf"):
        assert len(rows[what].split()) > 1, what


def test_a_damaged_file_is_a_fault_with_the_command_that_mends_it(deepguard: Run, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "yunet_n_dynamic.onnx").write_bytes(b"damaged")
    result = deepguard("doctor")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "broken" in said
    assert "deepguard models pull yunet" in said


def test_an_unknown_device_is_a_usage_error(deepguard: Run) -> None:
    assert deepguard("doctor", "--device", "toaster").exit_code == 2


def test_a_plug_in_lacks_its_python_packages_first_and_its_files_then(tmp_path: Path) -> None:
    registry: Registry[str] = Registry("toy", "xml.parsers")
    file = Weights("toy.bin", 0, "", "MIT", "made by the tests", ("https://example.org/toy.bin",))
    own = Weights("own.bin", 0, "", "MIT", "made by the tests")
    for name, weights, module in (("a", file, "no_such_module"), ("b", file, "json"), ("c", own, "json")):
        registry.register(name, weights, extra=Extra("vit", module))(lambda paths, device: "made")
    shelf = Shelf(tmp_path)
    lacks = [command.bringing(registry.entry(name), shelf) for name in registry.names()]
    assert lacks == [
        "pip install 'deepguard[vit]'",
        "deepguard models pull b",
        "deepguard models import DIR, with a file of your own",
    ]
    assert command.trial(registry, "b", shelf, torch.device("cpu"), str) == (f"not here; run: {lacks[1]}", "")


@pytest.mark.parametrize(("verdict", "state"), [("", "works"), ("is blind", "broken: is blind")])
def test_what_is_here_is_tried_and_its_fault_is_named(tmp_path: Path, verdict: str, state: str) -> None:
    registry: Registry[str] = Registry("toy", "xml.parsers")
    registry.register("toy")(lambda paths, device: verdict)
    assert command.trial(registry, "toy", Shelf(tmp_path), torch.device("cpu"), str)[0] == state


@pytest.mark.parametrize(
    ("vectors", "fault"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], ""),
        ([[1.0, 0.0], [1.0, 0.0]], "takes the sample photo's face upside down for the same"),
        ([[float("nan"), 0.0], [1.0, 0.0]], "has no vector for the sample photo's face"),
    ],
)
def test_an_encoder_must_tell_a_face_from_itself_upside_down(
    vectors: list[list[float]], fault: str, astronaut: torch.Tensor
) -> None:
    encoder = SimpleNamespace(template=ARCFACE, embed=lambda crops: torch.tensor(vectors))
    assert command.recognises(encoder, astronaut) == fault
