"""Whether anything is lost: many jobs, workers and web process killed, the broker restarted, all counted at the end."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import psutil
from sqlalchemy import func, select

from benchmarks._machine import place
from benchmarks._service import Served, free_port, running
from deepguard.cli.demo import sample_file
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Job, Outcome, Result, Upload
from deepguard.service.tidy import Tidy

PATIENCE = 1800.0


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown; exit 1 where anything was lost or done twice."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks endurance", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=3, help="workers to kill")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print("## Endurance", end="\n\n")
    print("`deepguard serve` with Redis under `kill -9`: `python -m benchmarks endurance`.", end="\n\n")
    print(place(), end="\n\n")
    with tempfile.TemporaryDirectory() as folder, Broker() as broker:
        extra = {"DEEPGUARD_BROKER": broker.address, "DEEPGUARD_WORKERS": str(options.workers)}
        settings = ServiceSettings(_env_file=None, home=Path(folder), broker=broker.address)
        with running((("deepguard", "serve"),), Path(folder), extra) as served:
            started = time.monotonic()
            _queue(served, options.jobs)
            events = _trouble(served.processes[0], broker, settings, options)
            _await(settings, options.jobs)
            seconds = time.monotonic() - started
        faults = report(open_parts(settings), options.jobs, events, seconds)
    sys.exit(1 if faults else 0)


class Broker:
    """A Redis server that keeps nothing on disk, so that a restart loses every message."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Broker:
        server = shutil.which("redis-server") or sys.exit("redis-server is not here; install it first")
        words = [server, "--port", str(self._port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Kill the server and start it again, empty, after a second."""
        self.__exit__()
        time.sleep(1)
        self.__enter__()


def report(parts: Parts, wanted: int, events: Sequence[str], seconds: float) -> list[str]:
    """Print what happened and what is left; return what is wrong."""
    Tidy(parts, eager=True).step()
    with parts.database.reading() as session:
        states = Counter(session.scalars(select(Job.state)))
        attempts = Counter(session.scalars(select(Job.attempt)))
        ended = session.scalar(select(func.count()).select_from(Outcome).where(Outcome.state == "done")) or 0
        known = {
            *session.scalars(select(Result.key)),
            *(f"uploads/{each}" for each in session.scalars(select(Upload.id))),
        }
    stored = {each.key for each in parts.store.everything()}
    print(f"{wanted} jobs in {seconds:.0f} s. " + "; ".join(events) + ".", end="\n\n")
    print(f"States in the end: {dict(states)}; attempts: {dict(sorted(attempts.items()))}; ended as done: {ended};")
    print(f"objects without a row: {len(stored - known)}; rows without an object: {len(known - stored)}.")
    faults = [f"{wanted} jobs, done {states['done']}, ended {ended}"] if {states["done"], ended} != {wanted} else []
    return faults + (["the store and the rows differ"] if stored != known else [])


def _queue(served: Served, count: int) -> None:
    key = {"Authorization": f"Bearer {served.key}"}
    with httpx.Client(base_url=served.address, timeout=60, headers=key) as client:
        photo = sample_file().read_bytes()
        answer = client.post("/api/v1/uploads", files={"file": ("astronaut.png", photo)}).raise_for_status()
        for number in range(count):
            wish = {"kind": "find", "upload": answer.json()["id"], "options": {}}
            client.post("/api/v1/jobs", json=wish, headers={"Idempotency-Key": f"{number}"}).raise_for_status()


def _trouble(root: int, broker: Broker, settings: ServiceSettings, options: argparse.Namespace) -> list[str]:
    """Kill and restart at random moments while jobs run; return what was done when."""
    chance = random.Random(options.seed)
    steps = ["worker"] * options.kills + ["web", "broker"]
    chance.shuffle(steps)
    events = []
    parts = open_parts(settings)
    for number, step in enumerate(steps):
        # spread over the first two thirds of the jobs
        after = round(options.jobs * (number + chance.random()) * 2 / 3 / len(steps))
        _await_done(parts, after)
        if step == "broker":
            broker.restart()
        else:
            os.kill(_victim(root, step, chance), signal.SIGKILL)
        events.append(f"{'restarted the broker' if step == 'broker' else f'killed a {step}'} after {after} jobs")
    parts.database.close()
    return events


def _victim(root: int, role: str, chance: random.Random) -> int:
    module = f"deepguard.service.{role}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # a killed child is a zombie until the supervisor has looked
        with contextlib.suppress(psutil.Error):
            found = [child.pid for child in psutil.Process(root).children() if module in child.cmdline()]
            if found:
                return chance.choice(found)
        time.sleep(0.1)
    sys.exit(f"no {role} process is running")


def _await_done(parts: Parts, count: int) -> None:
    for done in _counting(parts):
        if done >= count:
            return


def _await(settings: ServiceSettings, count: int) -> None:
    parts = open_parts(settings)
    _await_done(parts, count)
    parts.database.close()


def _counting(parts: Parts) -> Iterator[int]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with parts.database.reading() as session:
            yield session.scalar(select(func.count()).select_from(Job).where(Job.ended.is_not(None))) or 0
        time.sleep(0.2)
    sys.exit("the jobs did not end in time")
