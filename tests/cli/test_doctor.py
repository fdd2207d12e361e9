"""`deepguard doctor`, on an empty shelf and on a damaged one."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run

from deepguard.models.roles import detectors


def test_missing_weights_are_no_fault_and_the_embedded_detector_really_works(deepguard: Run, home: Path) -> None:
    result = deepguard("doctor", "--device", "cpu")
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert "works" in rows["mtcnn"]
    assert "deepguard models pull retinaface" in rows["retinaface"]
    assert set(detectors.names()) <= set(rows)
    assert "1 of 9 detectors are here" in result.output
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
