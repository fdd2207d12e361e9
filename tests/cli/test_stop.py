"""Ctrl-C in the middle of the work, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Photo, files_in


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_leaves_nothing_half_written_and_a_report_of_what_was_done(
    home: Path, photo: Photo, tmp_path: Path
) -> None:
    photo("a.png", np.full((64, 64, 3), 128, np.uint8))
    photo("b.png")
    photo("c.png")
    report = tmp_path / "report.json"
    words = [sys.executable, "-m", "deepguard", "protect", str(tmp_path / "photos"), "--report", str(report)]
    with subprocess.Popen(
        [*words, "--steps", "10000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "b.png: about" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "deepguard: stopped; nothing was left half-written"
    assert "Traceback" not in errors
    assert files_in(tmp_path / "photos") == {"a.png", "b.png", "c.png"}
    body = json.loads(report.read_text())
    assert not body["complete"]
    assert [each["input"]["name"] for each in body["photos"]] == ["a.png"]
