"""`deepguard evaluate classifier`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.forensics.toy_judges import Bright
from tests.forensics.training.faces_of import Middle, fill

from deepguard.cli.main import main
from deepguard.models.roles import classifiers


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fill(tmp_path / "faces" / "real", 52, side=40)
    fill(tmp_path / "faces" / "fake", 52, seed=1, side=40)
    monkeypatch.setattr("deepguard.cli.evaluate.landmark_detector", lambda *given: Middle())
    made = classifiers.create
    toys = {"efficientnet-b0-sbi": Bright()}
    monkeypatch.setattr(classifiers, "create", lambda name, *rest: toys.get(name) or made(name, *rest))
    monkeypatch.setenv("DEEPGUARD_MODELS", str(tmp_path / "shelf"))
    return tmp_path / "faces"


def _evaluated(*told: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", "classifier", *told])


def test_tables_json_and_plots_are_written(faces: Path, tmp_path: Path) -> None:
    rows = [
        f"{file.relative_to(faces)},{file.parent.name},{place % 2}" for place, file in enumerate(faces.rglob("*.png"))
    ]
    (faces / "list.csv").write_text("\n".join(["file,label,side", *rows]))
    out = tmp_path / "out"
    result = _evaluated(
        "--data", str(faces), "--out", str(out), "--by", "side", "--attack", "2", "--plots", "--limit", "12"
    )
    assert result.exit_code == 0, result.output
    body = json.loads((out / "evaluation.json").read_text())
    assert body["schema"] == "deepguard/classifier-evaluation/1"
    assert set(body["readings"]) == {"plain", "small", "jpeg15", "jpeg75", "median", "mean"}
    assert body["readings"]["mean"]["real"] == 12
    assert [each["attack"]["aim"] for each in body["robustness"]] == ["plain", "mean"]
    page = (out / "evaluation.md").read_text()
    for heading in ("Readings of a face", "After compression", "By side", "Accuracy under attack"):
        assert heading in page
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_a_fitted_calibration_is_written_where_it_was_asked_for(faces: Path, tmp_path: Path) -> None:
    fit = tmp_path / "calibration.json"
    result = _evaluated("--data", str(faces), "--out", str(tmp_path / "out"), "--fit", str(fit), "--cropped", "0.2")
    assert result.exit_code == 0, result.output
    body = json.loads(fit.read_text())
    assert body["classifier"] == "efficientnet-b0-sbi"
    assert body["temperature"] > 0
    assert 0 <= body["real_to"] < body["fake_from"] <= 1
    assert body["validation"] == "faces: 52 real faces and 52 fakes"


@pytest.mark.parametrize(
    ("told", "sentence", "code"),
    [
        (("--weights", "nowhere.safetensors"), "is not there; a training run leaves best.safetensors", 2),
        (("--classifier", "efficientnet-b0-sb"), "did you mean efficientnet-b0-sbi", 2),
        (("--by", "age"), "no column age", 1),
    ],
)
def test_a_mistake_is_one_sentence(
    faces: Path, tmp_path: Path, told: tuple[str, ...], sentence: str, code: int
) -> None:
    result = _evaluated("--data", str(faces), "--out", str(tmp_path / "out"), "--limit", "5", *told)
    assert result.exit_code == code
    assert sentence in result.output


def test_a_column_that_is_not_there_is_told_before_any_face_is_read(faces: Path, tmp_path: Path) -> None:
    result = _evaluated("--data", str(faces), "--out", str(tmp_path / "out"), "--by", "age")
    assert "no column age" in result.output
    assert "reading the faces" not in result.output


def test_weights_that_are_none_are_refused(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    result = _evaluated(
        "--data", str(faces), "--out", str(tmp_path / "out"), "--weights", str(tmp_path / "torn.safetensors")
    )
    assert result.exit_code == 1
    assert "cannot be read as a state dict" in result.output
