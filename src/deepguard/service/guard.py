"""The threads of a worker that give signs of life and end work that takes too much."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import structlog
import torch
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from deepguard.service import jobs
from deepguard.service.database import changed
from deepguard.service.jobs import Claim, Ending, JobGone
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Worker, now

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.1
"""Pause between two looks at the memory: a decoder fills a gigabyte in a second."""
MARK_SECONDS = 10.0
"""How long it is tried to write down why the worker ends itself."""
OVER_TIME, OVER_MEMORY = 71, 72
"""Exit codes of a worker that ended itself, beside those of sysexits.h that mean the like."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What a job took too much of."""

    exit_code: int
    code: str
    message: str


class Guard:
    """Watches over one worker process; `folder` is where it keeps what it works on.

    `unlisted` is set where the database does not know the worker, which must then introduce itself again.
    """

    def __init__(self, parts: Parts, name: str, folder: Path, leave: Callable[[int], None] = os._exit) -> None:
        self._parts = parts
        self._name = name
        self._folder = folder
        self._leave = leave
        self._process = psutil.Process()
        self.unlisted = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._held: Claim | None = None
        self._begun: float | None = None

    def start(self) -> None:
        """Begin to watch, until `stop`."""
        self._process.cpu_percent()
        # two, so that a database that hangs does not lift the limits
        threading.Thread(target=self._repeat, args=(self._beat, BEAT_SECONDS), name="beat", daemon=True).start()
        threading.Thread(target=self._repeat, args=(self._limit, LOOK_SECONDS), name="limit", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self._over.set()

    @property
    def busy(self) -> bool:
        """Whether a job is being worked on."""
        return self._held is not None

    @contextmanager
    def beating(self, held: Claim) -> Iterator[None]:
        """Keep a job's lease."""
        self._held = held
        try:
            yield
        finally:
            self._held = None

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """End the process if the work inside takes too long or too much memory."""
        with self._lock:
            self._begun = time.monotonic()
        try:
            yield
        finally:
            # waits for a verdict that is being carried out: what has been marked as failed must not go on
            with self._lock:
                self._begun = None

    def _repeat(self, what: Callable[[], None], pause: float) -> None:
        while not self._over.wait(pause):
            try:
                what()
            except Exception:
                # a worker without a guard would be taken for dead, or could take everything
                log.exception("the guard failed")

    def _limit(self) -> None:
        with self._lock:
            excess = self._excess()
            if excess is not None and self._held is not None:
                self._end(excess, self._held)

    def _excess(self) -> Excess | None:
        if self._begun is None:
            return None
        settings = self._parts.settings
        if time.monotonic() - self._begun > settings.job_seconds:
            longest = f"it took longer than the {settings.job_seconds:,} seconds that a job may run"
            return Excess(OVER_TIME, "over_time", f"{longest}; make the picture smaller or take fewer steps")
        if self._process.memory_info().rss > settings.job_bytes:
            most = f"it took more than the {settings.job_bytes / 2**30:.3g} GiB of memory that a job may take"
            return Excess(OVER_MEMORY, "over_memory", f"{most}; make the picture smaller")
        return None

    def _end(self, excess: Excess, held: Claim) -> None:
        """Mark the job as failed and end the process; the work itself cannot be stopped from here."""
        log.error("a job takes too much", job_id=held.job_id, code=excess.code)
        given_up = time.monotonic() + MARK_SECONDS
        while True:
            try:
                with self._parts.database.writing() as session:
                    jobs.end(session, held, Ending(State.FAILED, excess.code, excess.message))
                break
            except SQLAlchemyError as error:
                log.warning("the excess cannot be noted", job_id=held.job_id, error=type(error).__name__)
                if time.monotonic() > given_up:
                    # the lease will run out, and that counts as a loss
                    break
                time.sleep(BEAT_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._begun = None
        self._leave(excess.exit_code)

    def _beat(self) -> None:
        held = self._held
        try:
            with self._parts.database.writing() as session:
                self._sign(session, held)
            if held is not None:
                with self._parts.database.writing() as session:
                    jobs.beat(session, held)
        except JobGone:
            # the work itself notices at its next step
            pass
        except SQLAlchemyError as error:
            log.warning("no sign of life can be given", error=type(error).__name__)

    def _sign(self, session: Session, held: Claim | None) -> None:
        values = {"beat": Worker.beat + 1, "seen": now(), "load": self._load(), "job_id": held.job_id if held else ""}
        change = update(Worker).where(Worker.name == self._name).values(**values)
        if not changed(session, change):
            self.unlisted.set()

    def _load(self) -> dict[str, Any]:
        load: dict[str, Any] = {
            "memory_bytes": self._process.memory_info().rss,
            "cpu_ratio": self._process.cpu_percent() / 100,
        }
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            load["gpu_memory_bytes"] = torch.cuda.memory_reserved()
        return load
