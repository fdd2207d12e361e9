"""The service's own time: it passes as time really passes, however a wall clock is set.

See docs/decisions/0009-the-services-own-time.md. `expires` of uploads and jobs is in this time; all else that is kept
is wall time.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from deepguard.service.database import changed
from deepguard.service.tables import Clock, now

SETTLING_SECONDS = 60.0
"""How long wall clock and steady clock must agree until the wall clock is believed after a start."""
TOLERANCE_SECONDS = 1.0
"""A wall clock that moves by more than this against the steady clock was set."""
LONGEST_GAP = datetime.timedelta(days=30)
"""Longest time without any worker that is believed; a machine without a battery clock starts in 1970."""
ONLY = 1
"""The row's id."""

Wall = Callable[[], datetime.datetime]
Steady = Callable[[], float]


def steady() -> float:
    """Return seconds that pass while the machine sleeps too, and that nobody can set."""
    # elsewhere than on Linux, CLOCK_MONOTONIC is the one that counts sleep
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class _Reading:
    time: datetime.datetime
    wall: datetime.datetime
    settled: bool


class Ticker:
    """One process's part in moving the service's time on; call `tick` every few seconds.

    The time moves on by what this process's steady clock has counted since it saw the row as it is. What passed before
    this process came is taken from the wall clock once, when nobody else was there and the wall clock has settled.
    """

    def __init__(self, wall: Wall = now, steady: Steady = steady) -> None:
        self._wall = wall
        self._steady = steady
        self._seen: _Reading | None = None
        self._seen_at = 0.0
        self._anchor: tuple[datetime.datetime, float] | None = None
        self._newcomer = True

    def tick(self, session: Session) -> None:
        """Move the service's time on, in a transaction that writes."""
        row = _read(session)
        # after the row was read, which may have waited for others: it must not seem to be seen before it was written
        wall, at = self._wall(), self._steady()
        settled = self._agree(wall, at)
        if row is None:
            session.add(Clock(id=ONLY, time=wall, wall=wall, settled=True))
            session.flush()
            self._remember(_Reading(wall, wall, True), at)
            return
        if row != self._seen:
            # somebody else moved it: whoever did so settled has accounted for the time before
            self._newcomer &= self._seen is None or not row.settled
            self._remember(row, at)
            return
        after = self._next(row, wall, datetime.timedelta(seconds=max(0.0, at - self._seen_at)), settled)
        if _replaced(session, row, after):
            self._newcomer &= not after.settled
            self._remember(after, at)

    def _agree(self, wall: datetime.datetime, at: float) -> bool:
        """Return whether the wall clock has not been set for the settling time."""
        if self._anchor is None:
            self._anchor = wall, at
        before, then = self._anchor
        if abs((wall - before).total_seconds() - (at - then)) > TOLERANCE_SECONDS:
            self._anchor = wall, at
            return False
        return at - then >= SETTLING_SECONDS

    def _next(self, row: _Reading, wall: datetime.datetime, passed: datetime.timedelta, settled: bool) -> _Reading:
        if not self._newcomer:
            return _Reading(row.time + passed, wall, True)
        if not settled:
            # the wall moves by as much, so that what it lacks stays to be seen, by this process or the next
            return _Reading(row.time + passed, row.wall + passed, False)
        return _Reading(row.time + max(passed, _gap(row, wall)), wall, True)

    def _remember(self, row: _Reading, at: float) -> None:
        self._seen, self._seen_at = row, at


_tickers: WeakKeyDictionary[Pool, Ticker] = WeakKeyDictionary()


def tick(session: Session) -> None:
    """Move the time on with this process's own ticker for the session's database."""
    _tickers.setdefault(session.get_bind().engine.pool, Ticker()).tick(session)


def service_time(session: Session) -> datetime.datetime:
    """Return the service's time as of the last tick: what has expired by it has really lived its time."""
    row = _read(session)
    return row.time if row else now()


def expiry(session: Session, hours: float, wall: Wall = now) -> datetime.datetime:
    """Return the service's moment that is some hours from now.

    Where nobody has moved the time on for a while it counts from where the time will be when somebody does.
    """
    row, moment = _read(session), wall()
    start = row.time + _gap(row, moment) if row else moment
    return start + datetime.timedelta(hours=hours)


def on_wall(session: Session, moment: datetime.datetime) -> datetime.datetime:
    """Return a moment of the service's time as wall time, to show it."""
    row = _read(session)
    return moment + (row.wall - row.time) if row else moment


def _read(session: Session) -> _Reading | None:
    # columns, not the object: a session would show what it had read before
    found = session.query(Clock.time, Clock.wall, Clock.settled).filter(Clock.id == ONLY).one_or_none()
    return _Reading(*found) if found else None


def _gap(row: _Reading, wall: datetime.datetime) -> datetime.timedelta:
    """Return for how long nobody has moved the time on, by the wall clock; zero where that cannot be believed."""
    gap = wall - row.wall
    return gap if datetime.timedelta() <= gap <= LONGEST_GAP else datetime.timedelta()


def _replaced(session: Session, row: _Reading, after: _Reading) -> bool:
    change = (
        update(Clock)
        .where(Clock.id == ONLY, Clock.time == row.time, Clock.wall == row.wall)
        .values(time=after.time, wall=after.wall, settled=after.settled)
    )
    return changed(session, change) == 1
