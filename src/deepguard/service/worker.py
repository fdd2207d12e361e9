"""One worker process: takes jobs from the queue, one at a time, until it is told to stop.

`python -m deepguard.service.worker --name NAME [--follow]`
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import platform
import shutil
import signal
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import celery.worker.state
import filelock
import structlog
from celery.worker import WorkController
from sqlalchemy.exc import SQLAlchemyError

from deepguard import api
from deepguard.errors import DeepguardError, OptionError
from deepguard.service import logs
from deepguard.service.attempt import Bench, attempt
from deepguard.service.deafness import Deafness
from deepguard.service.guard import Guard
from deepguard.service.leases import take_back
from deepguard.service.parts import Parts, open_parts
from deepguard.service.queue import TASK
from deepguard.service.readiness import Readiness
from deepguard.service.settings import read_settings
from deepguard.service.supervise import follow_parent
from deepguard.service.tidy import Tidy

log = structlog.get_logger(__name__)

TIDY_SECONDS = 2.0
LOCK = ".lock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deepguard.service.worker", description="Work on jobs.")
    parser.add_argument("--name", default=f"{platform.node()}-1", help="a name of its own among all workers")
    parser.add_argument("--follow", action="store_true", help="end when the process that started this one has gone")
    chosen = parser.parse_args(arguments)
    if chosen.follow:
        follow_parent()
    settings = read_settings()
    logs.configure(settings, f"worker {chosen.name}")
    parts = open_parts(settings)
    try:
        return serve(parts, chosen.name)
    except DeepguardError as error:
        log.critical("the worker cannot start", code=error.code, error=str(error))
        return 1
    finally:
        parts.database.close()


def serve(parts: Parts, name: str) -> int:
    """Work until SIGTERM or SIGINT; what is at hand then goes back to where it waited."""
    device = api.device_named(parts.settings.device)
    folder = parts.settings.folder / "work" / urllib.parse.quote(name, safe="")
    guard = Guard(parts, name, folder)
    bench = Bench(parts, guard, device, folder, name)
    readiness = Readiness(parts, name, device, guard)
    with _signals(bench.stopping, readiness.hurry), _room(folder):
        readiness.introduce()
        take_back(parts, name)
        guard.start()
        readiness.check()
        readiness.start()
        threading.Thread(target=_keep_tidy, args=(parts, guard, bench.stopping), name="tidy", daemon=True).start()
        log.info("a worker is ready", device=str(device))
        if not bench.stopping.is_set():
            _consume(bench)
        readiness.stop()
        guard.stop()
    log.info("a worker ends")
    return 0


def _consume(bench: Bench) -> None:
    app = bench.parts.celery

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def work(job_id: str) -> None:
        if bench.stopping.is_set():
            bench.parts.sender.wake(job_id)
            return
        try:
            attempt(bench, job_id)
        except SQLAlchemyError as error:
            # the job still waits, and housekeeping will send for it
            log.warning("a job cannot be claimed", job_id=job_id, error=type(error).__name__)

    for noise in ("celery.worker.strategy", "celery.app.trace"):
        # says of each message what the job's own lines say better
        logging.getLogger(noise).setLevel(logging.WARNING)
    app.finalize()
    controller = WorkController(
        app=app,
        hostname=bench.name,
        pool_cls="solo",
        concurrency=1,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    controller.start()


@contextmanager
def _signals(stopping: threading.Event, also: Callable[[], None]) -> Iterator[None]:
    """Stop softly at SIGTERM and SIGINT."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        also()
        # Celery's own flag; it looks at it between two messages
        celery.worker.state.should_stop = 0

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Make the folder for what is worked on, and remove what killed workers left in theirs: other people's photos.

    OptionError where a worker of that name lives already.
    """
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    alive = filelock.FileLock(parent / f"{folder.name}{LOCK}")
    # one at a time: between the look at another's lock and its removal nobody may take it
    with filelock.FileLock(parent / LOCK):
        for lock in [each for each in parent.glob(f"*{LOCK}") if each.name != LOCK]:
            with contextlib.suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        try:
            alive.acquire(timeout=0)
        except filelock.Timeout as error:
            raise OptionError(f"a worker called {folder.name} runs already; give this one another --name") from error
    try:
        folder.mkdir(mode=0o700)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        alive.release()


def _keep_tidy(parts: Parts, guard: Guard, stopping: threading.Event) -> None:
    tidy = Tidy(parts)
    deafness = Deafness(parts, lambda: guard.busy)
    while not stopping.wait(TIDY_SECONDS):
        try:
            tidy.step()
            deafness.step()
        except Exception:
            # housekeeping goes on with the next step; what is down now comes back
            log.exception("a step of housekeeping failed")


if __name__ == "__main__":
    raise SystemExit(main())
