"""Housekeeping: every worker does a little of it every few seconds, and all of them may do it at once."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from deepguard.service import folder, joblogs, removal
from deepguard.service.clock import Ticker
from deepguard.service.leases import Leases, Reminder
from deepguard.service.orphans import Orphans
from deepguard.service.parts import Parts

ROUNDS = 2
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """One part of the work, and the seconds between two times that it is done."""

    name: str
    period: float
    work: Callable[[], None]


class Tidy:
    """All chores, each at its own pace and each failing alone: a store that is down stops no lease.

    With `eager`, every step does every chore and waits for nothing: a whole sweep, for tests and for the end of an
    endurance run. It is safe only while nobody uploads and nothing runs: what is being written has no row yet.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        eager: bool = False,
        steady: Callable[[], float] = time.monotonic,
        ticker: Ticker | None = None,
    ) -> None:
        self._steady = steady
        self._eager = eager
        self._chores = _chores(parts, eager, steady, ticker or Ticker())
        self._due = dict.fromkeys((chore.name for chore in self._chores), -float("inf"))

    def step(self) -> None:
        """Do what is due. Nothing is raised: what failed is logged, and tried again when it is due again."""
        for chore in self._chores:
            at = self._steady()
            if self._eager or at >= self._due[chore.name]:
                self._due[chore.name] = at + chore.period
                try:
                    chore.work()
                except Exception as error:  # noqa: BLE001 - whatever is down, the other chores go on
                    log.warning("a chore failed", chore=chore.name, error=str(error))


def _chores(parts: Parts, eager: bool, steady: Callable[[], float], ticker: Ticker) -> tuple[Chore, ...]:
    leases = Leases(parts, steady)
    reminder = Reminder(parts, steady, *([0.0] if eager else []))
    workers = removal.DeadWorkers(parts, steady)
    orphans = Orphans(parts, steady, *([0.0] if eager else []))
    grace = datetime.timedelta() if eager else removal.GRACE

    def tick() -> None:
        with parts.database.writing() as session:
            ticker.tick(session)

    def sweep() -> None:
        orphans.step()
        # a second round removes what the first one suspected
        for _ in range(ROUNDS if eager else 0):
            while not orphans.resting:
                orphans.step()
            orphans.step()

    return (
        Chore("clock", 2.0, tick),
        Chore("leases", 1.0, leases.step),
        Chore("messages", 15.0, reminder.step),
        Chore("logs", 5.0, lambda: joblogs.keep(parts)),
        Chore("broken messages", 600.0, lambda: folder.sweep(parts.settings.queue_folder)),
        Chore("expiry", 30.0, lambda: removal.expire(parts, grace)),
        Chore("rows", 600.0, lambda: removal.forget(parts)),
        Chore("workers", 60.0, workers.step),
        Chore("orphans", 10.0, sweep),
    )
