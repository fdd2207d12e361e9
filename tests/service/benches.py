"""What the tests of workers share: parts over a folder, uploads, jobs, and kinds of job that misbehave."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from deepguard.registry import Entry
from deepguard.service import jobs, schema
from deepguard.service.attempt import Bench
from deepguard.service.guard import Guard
from deepguard.service.jobs import Claim
from deepguard.service.kinds.roles import Ability, Done, Made, Work, kinds
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Job, Upload, Worker, identifier, now

OWNER = "visit:somebody"
ROOT = Path(__file__).parents[2]


def parts_in(home: Path, **settings: Any) -> Parts:
    parts = open_parts(ServiceSettings(home=home, _env_file=None, fetch_weights=False, **settings))
    schema.upgrade(parts.database)
    return parts


def bench_in(parts: Parts, name: str = "one") -> Bench:
    folder = parts.settings.folder / "work" / name
    folder.mkdir(parents=True, exist_ok=True)
    return Bench(parts, Guard(parts, name, folder), torch.device("cpu"), folder, name)


def queued(parts: Parts, data: bytes, kind: str = "protect", name: str = "me.jpg", **options: Any) -> str:
    """Return the id of a new job that waits, about a new upload."""
    expires = now() + datetime.timedelta(days=1)
    upload = Upload(
        id=identifier(), owner=OWNER, name=name, container="JPEG", size=len(data), sha256="0" * 64, expires=expires
    )
    parts.store.put(f"uploads/{upload.id}", data)
    job = jobs.new_job(
        id=identifier(), kind=kind, owner=OWNER, name=name, upload_id=upload.id, options=options, expires=expires
    )
    with parts.database.writing() as session:
        session.add_all([upload, job])
    return job.id


def claimed(parts: Parts, job_id: str, name: str = "one") -> Claim:
    """Let the worker `name` begin a job."""
    with parts.database.writing() as session:
        claim = jobs.claim(session, job_id, name)
    assert claim is not None
    return claim


def job_of(parts: Parts, job_id: str) -> Job:
    with parts.database.reading() as session:
        job = session.get_one(Job, job_id)
        assert job.results is not None
        session.expunge_all()
        return job


def worker_of(parts: Parts, name: str) -> Worker | None:
    with parts.database.reading() as session:
        return session.get(Worker, name)


def cancelled(parts: Parts, job_id: str) -> None:
    with parts.database.writing() as session:
        jobs.cancel(session, session.get_one(Job, job_id))


def result_keys(parts: Parts) -> list[str]:
    return sorted(each.key for each in parts.store.everything("results"))


class Odd:
    """A kind of job that does what a test says."""

    def __init__(self, act: Callable[[Work], Done]) -> None:
        self.act = act
        self.spans: dict[str, tuple[float, float]] = {}

    def ability(self, shelf: object) -> Ability:
        return Ability("odd", "does what a test says", {}, (), {}, ("text",), {})

    def run(self, work: Work) -> Done:
        return self.act(work)


def done(*names: str, **summary: Any) -> Done:
    made = tuple(Made(name, f"{name}.txt", "text/plain", name.encode()) for name in names or ("text",))
    return Done(made, summary)


def register(patch: pytest.MonkeyPatch, name: str, act: Callable[[Work], Done]) -> None:
    """Add a kind of job for one test."""
    kinds.names()
    patch.setitem(kinds._entries, name, Entry(name, (), lambda paths, device: Odd(act), "odd"))


@contextmanager
def worker(parts: Parts, name: str = "real", **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a real worker process with the odd kinds of `odd_worker`; it is killed in the end if it lives."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DEEPGUARD_")}
    environment |= {
        "DEEPGUARD_HOME": str(parts.settings.home),
        "DEEPGUARD_FETCH_WEIGHTS": "0",
        # what a test kills is taken from it by the test, not by another worker's housekeeping
        "DEEPGUARD_LEASE_SECONDS": "600",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.service.odd_worker", "--name", name],
        env=environment,
        cwd=parts.settings.home,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    process.lines = lines
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        if process.stderr:
            process.stderr.close()


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
