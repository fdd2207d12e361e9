"""What a job's kind says of its progress, as everybody sees it; and where a job stops that nobody wants any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from deepguard.errors import DeepguardError
from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.jobs import Claim
from deepguard.types import Progress

log = structlog.get_logger(__name__)

WRITE_SECONDS = 0.25
"""Least pause between two writes of a stage's progress; what is asked at each step is only whether to go on."""
PAUSES = (1.0, 5.0)
"""Seconds for which a database that does not answer is left alone: at first, and at most."""


class Interrupted(DeepguardError):
    """The worker was told to stop; the job goes back to where it waited."""

    code = "interrupted"


class Tracker:
    """Watches one attempt: writes its progress, and stops it with JobGone or Interrupted.

    `spans` are the kind's; a stage that they do not name counts as the whole. A database that does not answer stops
    nothing: the work goes on, and whether it still counts is decided in the end.
    """

    def __init__(
        self,
        database: Database,
        held: Claim,
        spans: Mapping[str, tuple[float, float]],
        stopping: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._held = held
        self._stopping = stopping
        self._now = now
        self._course = Course(spans, now())
        self._written = -1e9
        self._stage = ""
        self._pause = 0.0
        self._silent_until = -1e9

    def __call__(self, progress: Progress) -> None:
        """Tell how far the work is."""
        if self._stopping():
            raise Interrupted("the worker is stopping")
        now = self._now()
        body = self._course.body(progress, now)
        due = progress.stage != self._stage or now - self._written >= WRITE_SECONDS
        if now < self._silent_until:
            return
        try:
            with self._database.writing() as session:
                if due:
                    jobs.report(session, self._held, body)
                else:
                    jobs.beat(session, self._held)
        except SQLAlchemyError as error:
            self._pause = min(PAUSES[1], max(PAUSES[0], 2 * self._pause))
            self._silent_until = self._now() + self._pause
            log.warning("progress cannot be written", error=type(error).__name__, pause=self._pause)
            return
        self._pause = 0.0
        if due:
            self._written, self._stage = now, progress.stage


class Course:
    """How far a job is on the whole, from what is known of its stages; it never goes back."""

    def __init__(self, spans: Mapping[str, tuple[float, float]], start: float) -> None:
        self._spans = spans
        self._start = start
        self._share = 0.0
        self._detectors: dict[str, bool] = {}
        self._forecast: tuple[float, float, float] | None = None

    def body(self, progress: Progress, now: float) -> dict[str, Any]:
        """Return the progress as the API gives it: `share` of the whole in [0, 1], `seconds_left` or None."""
        begin, end = self._spans.get(progress.stage.partition(" (")[0], (0.0, 1.0))
        part = min(1.0, progress.done / progress.total) if progress.total else 0.0
        self._share = max(self._share, begin + (end - begin) * part)
        if progress.seconds is not None:
            self._forecast = (now, progress.seconds, self._share)
        self._detectors.update(progress.found)
        left = self._left(now)
        return {
            "stage": progress.stage,
            "done": progress.done,
            "total": progress.total,
            "share": round(self._share, 4),
            "seconds_left": None if left is None else round(left, 1),
            "detectors": dict(self._detectors),
        }

    def _left(self, now: float) -> float | None:
        """Return the seconds that are left: the kind's own estimate at first, more and more the pace since then."""
        if self._forecast is None:
            return None
        at, seconds, share = self._forecast
        done = (self._share - share) / (1 - share) if share < 1 else 1.0
        estimated = max(0.0, seconds * (1 - done))
        paced = (now - at) * (1 - done) / done if done > 0 else estimated
        return (1 - done) * estimated + done * paced if done < 1 else 0.0
