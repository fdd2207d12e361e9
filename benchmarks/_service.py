"""A real service in a temporary folder, for measuring it from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEEPGUARD = (sys.executable, "-m", "deepguard")
KEY = ("keys", "create", "benchmark", "--rate", "100000/minute", "--jobs-per-day", "100000")
PATIENCE = 60.0
"""Seconds until a service must be ready."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running service: its address, a key without limits, and the process ids in the order of the commands."""

    address: str
    key: str
    processes: tuple[int, ...]


@contextmanager
def running(commands: Sequence[Sequence[str]], home: Path, extra: Mapping[str, str]) -> Iterator[Served]:
    """Run Python modules side by side over one home; lend them once the service is ready, then end all."""
    port = free_port()
    environment = {
        **os.environ,
        "DEEPGUARD_HOME": str(home),
        "DEEPGUARD_OFFLINE": "1",
        "DEEPGUARD_LOG_FORMAT": "json",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        **extra,
    }
    with (home / "service.log").open("wb") as log:
        subprocess.run([*DEEPGUARD, "database", "upgrade"], env=environment, check=True, stdout=log)
        key = subprocess.run(
            [*DEEPGUARD, *KEY], env=environment, check=True, stdout=subprocess.PIPE, stderr=log, text=True
        )
        children = [
            subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=log, stderr=log)
            for words in commands
        ]
        try:
            address = f"http://127.0.0.1:{port}"
            _await(address, children, home / "service.log")
            yield Served(address, key.stdout.strip(), tuple(child.pid for child in children))
        except Exception:
            print((home / "service.log").read_text(errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                _end(child)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetched(address: str) -> Any:
    """Return the JSON behind an address."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def _await(address: str, children: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if any(child.poll() is not None for child in children):
            break
        try:
            fetched(f"{address}/readyz")
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    sys.exit(f"the service did not become ready:\n{log.read_text(errors='replace')[-4000:]}")


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
