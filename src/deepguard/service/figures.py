"""What the database knows about the whole service, as figures: whichever process asks, they are the same."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from deepguard.service.jobs import seconds_between
from deepguard.service.states import State
from deepguard.service.tables import Job, Outcome, Result, Upload, Worker, now

SECONDS = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 300, 600, 1200, 1800)
"""Upper bounds of the buckets of how long jobs took, in seconds."""

LIVE_SECONDS = 15.0
"""A worker that was seen less long ago is alive."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How many values there were up to each of `SECONDS`, how many in all, and their sum."""

    upto: tuple[int, ...]
    count: int
    total: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The service at one moment. `workers` are those alive, by name; sizes are in bytes, ages in seconds."""

    jobs: Mapping[tuple[str, str], int]
    ended: Mapping[tuple[str, str], int]
    failures: Mapping[tuple[str, str], int]
    seconds: Mapping[str, Spread]
    waiting: Mapping[str, Spread]
    queue_length: int
    queue_oldest: float
    workers: Sequence[Worker]
    objects: Mapping[str, int]
    stored: Mapping[str, int]


def read_figures(session: Session) -> Figures:
    """Read all of them in one transaction."""
    queued = select(func.count(), func.min(Job.queued)).where(Job.state == State.QUEUED)
    length, oldest = session.execute(queued).one()
    stored = {name: _stored(session, table) for name, table in (("uploads", Upload), ("results", Result))}
    ended, failures = _outcomes(session)
    return Figures(
        jobs={(kind, state): n for kind, state, n in session.execute(_counted(Job.kind, Job.state))},
        ended=ended,
        failures=failures,
        seconds=_spread(session, Outcome.seconds, begun=True),
        waiting=_spread(session, Outcome.waited, begun=False),
        queue_length=length,
        queue_oldest=seconds_between(oldest, now()),
        workers=live_workers(session),
        objects={name: count for name, (count, _) in stored.items()},
        stored={name: size for name, (_, size) in stored.items()},
    )


def live_workers(session: Session) -> Sequence[Worker]:
    """Return the workers that gave a sign of life just now, by name."""
    since = now() - datetime.timedelta(seconds=LIVE_SECONDS)
    return session.scalars(select(Worker).where(Worker.seen > since).order_by(Worker.name)).all()


def stored_bytes() -> ColumnElement[int]:
    """Return the expression for the bytes that all uploads and results take."""
    sizes = (func.coalesce(select(func.sum(each.size)).scalar_subquery(), 0) for each in (Upload, Result))
    return sum(sizes, literal(0))


def _counted(*columns: InstrumentedAttribute[str]) -> Any:
    return select(*columns, func.count()).group_by(*columns)


def _outcomes(session: Session) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    ended: dict[tuple[str, str], int] = {}
    failures: dict[tuple[str, str], int] = {}
    for kind, state, code, count in session.execute(_counted(Outcome.kind, Outcome.state, Outcome.code)):
        ended[kind, state] = ended.get((kind, state), 0) + count
        if state == State.FAILED:
            failures[kind, code] = count
    return ended, failures


def _spread(session: Session, column: InstrumentedAttribute[float], *, begun: bool) -> dict[str, Spread]:
    # the first bound that a value is not above; each row is put into one bucket, and the sums are made here
    bucket = case(*((column <= bound, place) for place, bound in enumerate(SECONDS)), else_=len(SECONDS))
    query = select(Outcome.kind, bucket, func.count(), func.sum(column)).group_by(Outcome.kind, bucket)
    if begun:
        # one that was cancelled while it waited took no time at all
        query = query.where(Outcome.seconds > 0)
    counts: dict[str, list[int]] = {}
    totals: dict[str, float] = {}
    for kind, place, count, total in session.execute(query):
        counts.setdefault(kind, [0] * (len(SECONDS) + 1))[place] = count
        totals[kind] = totals.get(kind, 0.0) + float(total)
    return {kind: Spread(tuple(accumulate(each[:-1])), sum(each), totals[kind]) for kind, each in counts.items()}


def _stored(session: Session, table: type[Upload] | type[Result]) -> tuple[int, int]:
    count, size = session.execute(select(func.count(), func.coalesce(func.sum(table.size), 0))).one()
    return count, int(size)
