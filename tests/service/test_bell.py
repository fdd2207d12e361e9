from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deepguard.service.bell import Bell

PATIENCE = 20.0


def waited(bell: Bell) -> float:
    start = time.monotonic()
    bell.wait()
    return time.monotonic() - start


def test_whoever_waits_hears_another_process_ring(tmp_path: Path) -> None:
    bell = Bell(tmp_path, 0.05)
    bell.wait()  # begins to listen
    patient = Bell(tmp_path, PATIENCE)
    heard: list[float] = []
    listener = threading.Thread(target=lambda: heard.append(waited(patient)))
    listener.start()
    code = f"from pathlib import Path; from deepguard.service.bell import Bell; Bell(Path({str(tmp_path)!r}), 1).ring()"
    while listener.is_alive():
        # the first ring may come before the other listens
        subprocess.run([sys.executable, "-c", code], check=True)
        listener.join(0.5)
    assert heard[0] < PATIENCE / 2


def test_what_happens_between_two_waits_is_not_missed(tmp_path: Path) -> None:
    bell = Bell(tmp_path, PATIENCE)
    thread = threading.Timer(0.2, bell.ring)
    thread.start()
    bell.wait()
    bell.ring()
    time.sleep(0.05)
    assert waited(bell) < PATIENCE / 2


def test_nobody_waits_longer_than_agreed(tmp_path: Path) -> None:
    assert waited(Bell(tmp_path, 0.2)) < PATIENCE / 2


def test_a_folder_that_goes_away_ends_no_waiting_early_and_breaks_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bell"
    bell = Bell(folder, 0.1)
    shutil.rmtree(folder)
    assert waited(bell) == pytest.approx(0.1, abs=0.09)
    bell.ring()
