"""Jobs whose worker has gone are given to another; jobs that wait without a message are sent for again.

Only this process's own steady clock counts, and only as far as this process itself looked: a wall clock that jumps, a
machine that slept, or a database that was away take no job from a worker that lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import func, select

from deepguard.service import jobs
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Job

LOOKS = 4
"""Looks in a row, at least, that find a job without a sign of life until it is lost."""
PATIENCE_SECONDS = 15.0
"""How long a job waits until its message is thought lost."""
MESSAGES = 100
"""Most messages that one look sends again."""

log = structlog.get_logger(__name__)
Steady = Callable[[], float]
Running = tuple[str, int]
"""A job's id and attempt."""


class Leases:
    """Takes running jobs from workers that give no sign of life."""

    def __init__(self, parts: Parts, steady: Steady = time.monotonic) -> None:
        self._parts = parts
        self._steady = steady
        self._looked: float | None = None
        self._silence: dict[Running, tuple[int, float]] = {}

    def step(self) -> None:
        """Look once; jobs that were silent through the lease wait again, or have failed."""
        lease = self._parts.settings.lease_seconds
        at = self._steady()
        passed = 0.0 if self._looked is None else min(at - self._looked, lease / LOOKS)
        beats = self._beats()
        self._looked = at
        self._silence = {running: (beat, self._silent(running, beat, passed)) for running, beat in beats.items()}
        for running, (beat, seconds) in self._silence.items():
            if seconds >= lease:
                self._lose(running, beat)

    def _beats(self) -> dict[Running, int]:
        query = select(Job.id, Job.attempt, Job.beat).where(Job.state.in_((State.RUNNING, State.CANCELLING)))
        with self._parts.database.reading() as session:
            return {(job_id, attempt): beat for job_id, attempt, beat in session.execute(query)}

    def _silent(self, running: Running, beat: int, passed: float) -> float:
        """Return for how long a job has been silent: since the look that first found this beat."""
        before, seconds = self._silence.get(running, (None, 0.0))
        return seconds + passed if before == beat else 0.0

    def _lose(self, running: Running, beat: int) -> None:
        job_id, attempt = running
        with self._parts.database.writing() as session:
            if session.scalar(select(Job.beat).where(Job.id == job_id)) != beat:
                return
            state = jobs.lose(session, job_id, attempt, self._parts.settings.losses)
        _tell(self._parts, running, state)


def take_back(parts: Parts, name: str) -> None:
    """Take the jobs of a worker that has just started from the one that had its name, and so is dead."""
    held = select(Job.id, Job.attempt).where(Job.worker == name, Job.state.in_((State.RUNNING, State.CANCELLING)))
    with parts.database.reading() as session:
        orphans = [(job_id, attempt) for job_id, attempt in session.execute(held)]
    for job_id, attempt in orphans:
        with parts.database.writing() as session:
            state = jobs.lose(session, job_id, attempt, parts.settings.losses)
        _tell(parts, (job_id, attempt), state)


def _tell(parts: Parts, running: Running, state: State | None) -> None:
    job_id, attempt = running
    if state is not None:
        log.warning("a worker was lost", job_id=job_id, attempt=attempt, state=str(state))
    if state is State.QUEUED:
        parts.sender.wake(job_id)


class Reminder:
    """Sends again for jobs that wait although the queue has fewer messages than jobs wait.

    Messages are lost where a broker starts anew or a reader is killed. One too many does no harm: who takes it finds
    nothing to do.
    """

    def __init__(self, parts: Parts, steady: Steady = time.monotonic, patience: float = PATIENCE_SECONDS) -> None:
        self._parts = parts
        self._steady = steady
        self._patience = patience
        self._since: dict[Running, float] = {}

    def step(self) -> None:
        """Look once; QueueDown where the broker does not answer."""
        at = self._steady()
        total, oldest = self._waiting()
        self._since = {job: self._since.get(job, at) for job in oldest}
        due = [job_id for (job_id, _), since in self._since.items() if at - since >= self._patience]
        if not due:
            return
        lacking = due[: max(0, total - self._parts.sender.check())]
        for job_id in lacking:
            self._parts.sender.send(job_id)
        if lacking:
            log.info("sent again for jobs that wait", count=len(lacking))

    def _waiting(self) -> tuple[int, Sequence[Running]]:
        waits = Job.state == State.QUEUED
        with self._parts.database.reading() as session:
            total = session.scalar(select(func.count()).select_from(Job).where(waits)) or 0
            # by revision: a job that ran meanwhile and waits again has a message of its own
            rows = session.execute(select(Job.id, Job.revision).where(waits).order_by(Job.queued).limit(MESSAGES))
            return total, [(job_id, revision) for job_id, revision in rows]
