"""Photos of every sort, and the command run inside this process with an empty shelf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from deepguard.cli.main import main

Run = Callable[..., Result]
Photo = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: only the detector that comes with the installation works."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DEEPGUARD_HOME", str(folder))
    for name in ("DEEPGUARD_MODELS", "DEEPGUARD_OFFLINE", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def deepguard(home: Path) -> Run:
    """Run the command with these words; protect does two steps."""

    def run(*words: str | Path) -> Result:
        steps = ["--steps", "2"] if words[0] == "protect" and "--steps" not in words else []
        result = CliRunner().invoke(main, [*(str(word) for word in words), *steps])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def portrait() -> NDArray[np.uint8]:
    """The sample's head and shoulders, 200 x 200 pixels, with a face of about 92 x 119."""
    return np.ascontiguousarray(data.astronaut()[20:220, 130:330])


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Return a function that saves pixels, the portrait by default, and returns the path."""

    def save(name: str = "photo.jpg", pixels: NDArray[np.uint8] | None = None) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(portrait() if pixels is None else pixels).save(path)
        return path

    return save


def files_in(folder: Path) -> set[str]:
    """Return the names of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def one_sentence(result: Result) -> str:
    """Return the only line of the error stream that the command itself wrote."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("deepguard: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    return lines[0]
