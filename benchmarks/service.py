"""What the service costs: the seconds of a job besides its work, and what large uploads do to the web process."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks._machine import place
from benchmarks._service import Served, fetched, running

WEB = ("deepguard.service.web",)
WORKER = ("benchmarks._resting", "--name", "bench-0")
LARGE = 5_000_000
ROUNDS = 3
"""Of large uploads: memory that grew with each would show."""
REST = 0.02


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks service", description=__doc__)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--broker", default="", help="address of a Redis server; otherwise a folder")
    parser.add_argument("--database", default="", help="address of a database server; otherwise SQLite")
    options = parser.parse_args(arguments)
    print("## The service", end="\n\n")
    print("Web process, worker and load generator, each its own process: `python -m benchmarks service`.", end="\n\n")
    print(place(), end="\n\n")
    extra = {"DEEPGUARD_BROKER": options.broker, "DEEPGUARD_DATABASE": options.database}
    with tempfile.TemporaryDirectory() as folder, running((WEB, WORKER), Path(folder), extra) as served:
        print(overhead(served, options), end="\n\n")
        print(uploads(served, options))


def overhead(served: Served, options: argparse.Namespace) -> str:
    """Return the table of what a job takes besides its work."""
    rows = _load(served, "jobs", clients=options.clients, count=options.jobs, rest=REST)
    lines = [
        f"{len(rows)} jobs by {options.clients} clients at once, each pausing 2 s on average; the job itself rests "
        f"{1000 * REST:.0f} ms, which is taken off.",
        "",
        "| part | median, ms | 95 %, ms |\n|---|--:|--:|",
    ]
    for part in ("upload", "create", "wait", "download", "overhead"):
        taken = sorted(1000 * row[part] for row in rows)
        name = {"wait": "wait for the end", "overhead": "**all but the work**"}.get(part, part)
        lines.append(f"| {name} | {statistics.median(taken):.1f} | {taken[int(0.95 * len(taken))]:.1f} |")
    return "\n".join(lines)


def uploads(served: Served, options: argparse.Namespace) -> str:
    """Return what many large uploads at once did to the web process, and whether all arrived."""
    rounds = []
    arrived = 0
    for _ in range(ROUNDS):
        memory = Memory(served.processes[0])
        with memory:
            rows = _load(served, "uploads", clients=options.clients, count=options.uploads, bytes=LARGE)
        arrived += sum(row["whole"] for row in rows)
        rounds.append((memory, statistics.median(row["seconds"] for row in rows)))
    told = "; ".join(f"{memory.most:.0f} at most, {memory.last:.0f} afterwards" for memory, _ in rounds)
    return (
        f"{ROUNDS} rounds of {options.uploads} uploads of {LARGE / 1e6:.0f} MB, {options.clients} at a time: {arrived} "
        f"arrived whole, median {rounds[0][1]:.2f} s. Memory of the web process (resident, MiB): "
        f"{rounds[0][0].first:.0f} before; {told}."
    )


class Memory:
    """Watches a process's resident memory, in MiB."""

    def __init__(self, process: int) -> None:
        self._process = psutil.Process(process)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.first = self.most = self.last = self._now()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.last = self._now()
            self.most = max(self.most, self.last)

    def _now(self) -> float:
        return self._process.memory_info().rss / 2**20


def _load(served: Served, what: str, **options: Any) -> list[dict[str, Any]]:
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    ask = [sys.executable, "-m", "benchmarks._load", served.address, what, "--key", served.key, *words]
    rows: list[dict[str, Any]] = json.loads(subprocess.run(ask, check=True, stdout=subprocess.PIPE).stdout)
    fetched(f"{served.address}/healthz")
    return rows
