"""The examples of the API guide, run as they stand against a real service."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from deepguard.cli.demo import sample_file
from deepguard.media.read import read_picture

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-api.md"
ADDRESS = "http://127.0.0.1:5000"


def examples(language: str) -> str:
    """All examples of one language, in their order, as one script."""
    text = GUIDE.read_text(encoding="utf-8")
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running service's surroundings; `ADDRESS` stands in them."""
    home = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = Path(sys.executable).parent
    values = {
        **os.environ,
        "PATH": f"{found}{os.pathsep}{os.environ['PATH']}",
        "DEEPGUARD_HOME": str(home),
        "DEEPGUARD_OFFLINE": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ADDRESS": f"http://127.0.0.1:{port}",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "deepguard", "serve"], env=values, stdout=log, stderr=log)
        try:
            await_ready(values["ADDRESS"], process, home / "log")
            yield values
        finally:
            process.terminate()
            process.wait(60)


def await_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text(errors="replace")
            time.sleep(0.2)
    pytest.fail(log.read_text(errors="replace"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with a photo.jpg."""
    with Image.open(sample_file()) as photo:
        photo.save(tmp_path / "photo.jpg", quality=92)
    return tmp_path


def test_the_examples_for_the_shell_run_as_they_stand(environment: dict[str, str], folder: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = "set -euo pipefail\n" + examples("sh").replace(ADDRESS, environment["ADDRESS"])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    photo = read_picture(folder / "photo.jpg")
    for name in ("photo.protected.jpg", "fainter.jpg", "protected.jpg"):
        changed = read_picture(folder / name)
        assert (changed.width, changed.height) == (photo.width, photo.height)
        assert not changed.images.equal(photo.images)
    assert '"judgements"' in (folder / "report.json").read_text(encoding="utf-8")
    assert "done" in done.stdout.split()
    assert "dg_" in done.stdout


def test_the_examples_in_python_run_as_they_stand(environment: dict[str, str], folder: Path) -> None:
    script = examples("python").replace(ADDRESS, environment["ADDRESS"])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "photo.protected.jpg").is_file()
    lines = done.stdout.splitlines()
    assert any(line.startswith("done") for line in lines)
    assert any("mtcnn" in line for line in lines)
