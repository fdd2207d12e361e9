"""What became of the jobs of the last days, without names."""

from __future__ import annotations

import datetime
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from deepguard.service.states import State
from deepguard.service.tables import Outcome, now
from deepguard.service.web.access import Reader
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.shapes import problems

MOST_DAYS = 366
MOST_ROWS = 5000
"""Medians are of this many of the last jobs at most."""

router = APIRouter(prefix=API, tags=["statistics"])
Place = tuple[datetime.date, str]
Days = Annotated[int, Query(description="how many days, today included", ge=1, le=MOST_DAYS)]


class Day(BaseModel):
    """The jobs of one kind that ended on one day."""

    day: datetime.date = Field(description="day in UTC", examples=["2026-03-14"])
    kind: str = Field(description="kind of job", examples=["protect"])
    states: dict[State, int] = Field(description="how many ended in which state", examples=[{"done": 12, "failed": 1}])
    failures: dict[str, int] = Field(description="how many failed by error code", examples=[{"no_face": 1}])
    seconds_median: float | None = Field(description="median seconds of work of those done", examples=[31.5])
    seconds_90: float | None = Field(description="9 of 10 of those done took at most so long", examples=[52.0])
    waited_median: float | None = Field(description="median seconds that those done had waited", examples=[0.2])
    found_before: float | None = Field(description="mean number of detectors that found a face before", examples=[8.5])
    found_after: float | None = Field(description="mean number of detectors that still find one", examples=[0.4])
    verdicts: dict[str, int] = Field(
        default_factory=dict, description="how many of those done came to which word", examples=[{"uncertain": 2}]
    )


class Statistics(BaseModel):
    """Days and kinds in which something ended, the newest first."""

    days: list[Day] = Field(description="what ended, by day and kind")


@router.get("/statistics", responses=problems(403), summary="Show statistics")
def show_statistics(parts: Open, visitor: Reader, days: Days = 30) -> Statistics:
    """Return what became of the jobs of the last days; the service keeps neither names nor owners of them."""
    if not (parts.settings.public_statistics or visitor.admin):
        raise Fault("forbidden", "the statistics are not public here; use an admin's key")
    first = now().date() - datetime.timedelta(days=days - 1)
    since = Outcome.ended >= datetime.datetime.combine(first, datetime.time(), datetime.UTC)
    with parts.database.reading() as session:
        return Statistics(days=read_days(session, since))


def read_days(session: Session, since: ColumnElement[bool]) -> list[Day]:
    """Return what the outcomes tell that fit the condition `since`: the newest day first, kinds by name."""
    place = (_day_of(session), Outcome.kind)
    done = (since, Outcome.state == State.DONE)
    sums = (Outcome.state, Outcome.code, func.count())
    means = (func.avg(Outcome.found_before), func.avg(Outcome.found_after))
    last = select(*place, Outcome.seconds, Outcome.waited).where(*done).order_by(Outcome.ended.desc()).limit(MOST_ROWS)
    counts = _by_place(session.execute(select(*place, *sums).where(since).group_by(*place, *sums[:2])))
    effects = _by_place(session.execute(select(*place, *means).where(*done).group_by(*place)))
    times = _by_place(session.execute(last))
    words = select(*place, Outcome.verdict, func.count()).where(*done, Outcome.verdict != "")
    verdicts = _by_place(session.execute(words.group_by(*place, Outcome.verdict)))
    places = sorted(counts, key=lambda each: (-each[0].toordinal(), each[1]))
    days = (_day(each, counts[each], effects.get(each, [(None, None)])[0], times.get(each, [])) for each in places)
    return [day.model_copy(update={"verdicts": dict(verdicts.get((day.day, day.kind), ()))}) for day in days]


def _day_of(session: Session) -> ColumnElement[Any]:
    if session.get_bind().dialect.name == "postgresql":
        # a moment there has a time zone, and its date is the session's
        return func.date(func.timezone("UTC", Outcome.ended))
    return func.date(Outcome.ended)


def _by_place(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[Place, list[tuple[Any, ...]]]:
    found: dict[Place, list[tuple[Any, ...]]] = {}
    for day, kind, *values in rows:
        found.setdefault((datetime.date.fromisoformat(str(day)), kind), []).append(tuple(values))
    return found


def _day(
    place: Place, counts: Iterable[tuple[Any, ...]], effect: tuple[Any, ...], times: Sequence[tuple[Any, ...]]
) -> Day:
    states: Counter[State] = Counter()
    failures: Counter[str] = Counter()
    for state, code, count in counts:
        states[State(state)] += count
        failures[code] += count if state == State.FAILED else 0
    seconds = sorted(each[0] for each in times)
    before, after = (None if mean is None else float(mean) for mean in effect)
    return Day(
        day=place[0],
        kind=place[1],
        states=dict(states),
        failures={code: count for code, count in failures.items() if count},
        seconds_median=statistics.median(seconds) if seconds else None,
        # the smallest that 9 of 10 do not exceed
        seconds_90=seconds[math.ceil(0.9 * len(seconds)) - 1] if seconds else None,
        waited_median=statistics.median(each[1] for each in times) if times else None,
        found_before=before,
        found_after=after,
    )
