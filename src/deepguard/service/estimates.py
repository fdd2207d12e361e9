"""How long a job will take, and how long it will wait, from what was seen here."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from deepguard.service.figures import live_workers
from deepguard.service.guesses import Size, first_guess, variant_of
from deepguard.service.jobs import seconds_between
from deepguard.service.states import State
from deepguard.service.tables import Job, Outcome, now

SAMPLES = 50
"""How many of the last jobs of the same kind and variant count."""
ENOUGH = 3
"""Fewer say less than the first guess."""
ALIKE = 3.0
"""Jobs that were guessed to take more or less than so many times as long were other work."""
USUAL = Size(12.0)
"""A picture whose size is not known yet counts as a telephone's photo."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of work, and from how many jobs that is known; 0 where it is the first guess that workers publish."""

    seconds: float
    samples: int


def estimate(session: Session, ability: Mapping[str, Any], options: Mapping[str, Any], size: Size | None) -> Estimate:
    """Return how long work takes: the first guess, corrected by how wrong it was in the last jobs like it.

    The correction is the median of seconds / guess, each of the guess at that time: only the guess knows the picture's
    size, the user's own options and the weights that were here. Three quick steps say nothing of fifty: only jobs of
    about the same guess count. `ability` is what workers published of the kind.
    """
    guess = first_guess(ability, options, size or USUAL)
    seen = (
        select(Outcome.seconds / Outcome.guess)
        .where(
            Outcome.kind == ability["name"],
            Outcome.variant == variant_of(ability, options),
            Outcome.state == State.DONE,
            Outcome.guess.between(guess / ALIKE, guess * ALIKE),
            Outcome.guess > 0,
        )
        .order_by(Outcome.ended.desc())
        .limit(SAMPLES)
    )
    wrong = session.scalars(seen).all()
    if len(wrong) >= ENOUGH:
        return Estimate(statistics.median(wrong) * guess, len(wrong))
    return Estimate(guess, 0)


def waiting_seconds(session: Session, since: datetime.datetime | None = None) -> float:
    """Return how long a job waits until a worker is free; 0 where one is.

    The job is one that came now, or one that waits `since` then: those that came later do not count.
    """
    before = select(func.count(), func.sum(Job.estimate)).where(Job.state == State.QUEUED)
    if since is not None:
        before = before.where(Job.queued < since)
    count, queued = session.execute(before).one()
    query = select(Job.estimate, Job.started).where(Job.state.in_((State.RUNNING, State.CANCELLING)))
    running = session.execute(query).all()
    workers = max(1, len(live_workers(session)))
    if count == 0 and len(running) < workers:
        return 0.0
    return (float(queued or 0.0) + sum(_left(running))) / workers


def _left(running: Iterable[Row[float | None, datetime.datetime | None]]) -> Iterable[float]:
    moment = now()
    return (max(0.0, (seconds or 0.0) - seconds_between(started, moment)) for seconds, started in running)
