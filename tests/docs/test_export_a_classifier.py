"""The page's table is the command's, and its program runs on an exported file."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import torch
from tests.forensics.exporting_toys import SPEC, toy

from deepguard.cli.export import classifier
from deepguard.forensics.calibration import Calibration
from deepguard.forensics.exporting.exported import exported
from deepguard.forensics.exporting.graph import TOLERANCE
from deepguard.forensics.verdict import Threshold

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export-a-classifier.md"


def test_the_page_tells_of_every_option_and_the_tolerance() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for parameter in classifier.params:
        assert isinstance(parameter, click.Option)
        assert f"`{parameter.opts[0]}" in page
    assert f"**{TOLERANCE:g}**" in page


def test_the_pages_program_judges_with_an_exported_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rng: torch.Generator
) -> None:
    reading = Calibration("toy", SPEC, 1.0, 0.0, Threshold(0.9, 0.4, 0.03, 0.2, "made by the tests"), 0.5)
    crops = torch.rand(4, 3, SPEC.side, SPEC.side, generator=rng)
    (tmp_path / "classifier.onnx").write_bytes(exported("toy", toy(), reading, crops).data)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, str(PAGE), "exec"), {})
    assert capsys.readouterr().out in {"likely fake\n", "not likely fake\n"}
