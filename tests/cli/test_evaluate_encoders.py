"""`deepguard evaluate encoders`, as a user calls it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from tests.forensics.training.faces_of import Middle, fill

from deepguard.cli.main import main
from deepguard.models.embedding import ARCFACE
from deepguard.models.roles import Template, detectors, encoders
from deepguard.models.thresholds import parsed, thresholds
from deepguard.types import Images


@dataclass(frozen=True)
class Colour:
    """Tells people apart by the colours of four parts of their faces."""

    template: Template = ARCFACE
    family: str = "toy"
    gradient: bool = True

    def embed(self, crops: Images) -> torch.Tensor:
        parts = torch.nn.functional.adaptive_avg_pool2d(crops, 2).flatten(1)
        return torch.nn.functional.normalize(parts - parts.mean(dim=1, keepdim=True))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(detectors, "create", lambda *given: Middle())
    monkeypatch.setattr(encoders, "create", lambda *given: Colour())
    lfw, faces = fill(tmp_path / "lfw", 160, side=24), fill(tmp_path / "faces", 12, seed=1, side=24)
    for place, file in enumerate(sorted(lfw.glob("*.png"))):
        file.rename(lfw / f"P{place // 2}_{place % 2 + 1:04}.png")
    (lfw / "pairs.txt").write_text("1 2\nP0 1 2\nP1 1 2\n")
    for place, file in enumerate(sorted(faces.glob("*.png"))):
        file.rename(faces / f"30_{place % 2}_2_{place}.png")
    return tmp_path


def _evaluated(folder: Path, *told: str) -> Result:
    given = ["evaluate", "encoders", "--lfw", str(folder / "lfw"), "--out", str(folder / "out.json"), *told]
    return CliRunner().invoke(main, given)


def test_thresholds_groups_and_the_run_are_written_and_no_name(folder: Path) -> None:
    result = _evaluated(
        folder, "--faces", str(folder / "faces"), "--encoders", "mobilefacenet-ms1m", "--commit", "0123abc"
    )
    assert result.exit_code == 0, result.output
    text = (folder / "out.json").read_text()
    known = parsed(text)["mobilefacenet-ms1m"]
    assert set(known.groups) == {"Asian men", "Asian women"}
    assert known.run["command"] == "deepguard evaluate encoders --lfw lfw --faces faces --detector retinaface"
    assert known.run["commit"] == "0123abc"
    assert known.run["photos"] == "160"
    assert known.run["pairs of one person"] == "2 of 2"
    assert known.run["pairs of different people"] == str(160 * 159 // 2 - 80)
    assert "P0" not in text
    assert str(folder) not in text


def test_what_the_file_holds_of_other_encoders_stays(folder: Path) -> None:
    for name in ("mobilefacenet-ms1m", "mobilefacenet-casia"):
        assert _evaluated(folder, "--encoders", name).exit_code == 0
    assert set(json.loads((folder / "out.json").read_text())) == {"mobilefacenet-ms1m", "mobilefacenet-casia"}


@pytest.mark.parametrize(
    ("told", "sentence", "code"),
    [
        (("--encoders", "mobilefacenet-ms2m"), "did you mean mobilefacenet-ms1m", 2),
        (("--faces", "nowhere"), "there is no folder nowhere", 1),
    ],
)
def test_a_mistake_is_one_sentence(folder: Path, told: tuple[str, ...], sentence: str, code: int) -> None:
    result = _evaluated(folder, *told)
    assert result.exit_code == code
    assert sentence in result.output


def test_a_file_of_something_else_is_not_written_over(folder: Path) -> None:
    (folder / "out.json").write_text('{"a": 1}')
    result = _evaluated(folder, "--encoders", "mobilefacenet-ms1m")
    assert result.exit_code == 1
    assert "is not what deepguard evaluate encoders wrote" in result.output


def test_otherwise_the_shelf_keeps_them_for_encoders_that_nobody_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_MODELS", str(folder / "shelf"))
    assert thresholds("arcface-w600k-mbf") is None
    given = ["evaluate", "encoders", "--lfw", str(folder / "lfw"), "--encoders", "arcface-w600k-mbf"]
    assert CliRunner().invoke(main, given).exit_code == 0
    known = thresholds("arcface-w600k-mbf")
    assert known is not None
    assert known.far_1e3 <= known.far_1e4


def test_no_encoder_at_hand_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPGUARD_MODELS", str(folder / "shelf"))
    result = _evaluated(folder)
    assert result.exit_code == 2
    assert "no encoder is here; run: deepguard models pull" in result.output
