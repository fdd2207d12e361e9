"""A house: `deepguard serve` as users start it, with a worker that has the embedded detector alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS = 60.0
ADDRESS = re.compile(r"http://[\w.:]+/")


@dataclass(frozen=True)
class House:
    """A running service: its address and its home."""

    address: str
    home: Path


@contextmanager
def housed(folder: Path, **variables: str) -> Iterator[House]:
    """Start the whole service in a folder of its own, lend it once it can work, and end it."""
    home = folder / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPGUARD_")}
    environment |= {
        "DEEPGUARD_HOME": str(home), "DEEPGUARD_OFFLINE": "1", "DEEPGUARD_LOG_FORMAT": "json", "OMP_NUM_THREADS": "1",
    } | variables  # fmt: skip
    command = [sys.executable, "-m", "deepguard", "serve", "--port", "0"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=folder)
    assert process.stdout is not None
    try:
        found = ADDRESS.search(process.stdout.readline())
        assert found, (folder / "log").read_text()
        address = found[0].rstrip("/")
        _await(address)
        yield House(address, home)
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
        _, left = psutil.wait_procs(family, timeout=5)
        for each in left:
            each.kill()


def _await(address: str) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except urllib.error.HTTPError:
            assert time.monotonic() < end, "the service does not become ready"
            time.sleep(0.2)
