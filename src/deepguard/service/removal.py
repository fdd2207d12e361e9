"""What has lived its time goes: files by the service's own time, then the rows that tell of them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, exists, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from deepguard.service import clock, joblogs, jobs
from deepguard.service.database import changed
from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE, State, sources
from deepguard.service.store import upload_key
from deepguard.service.tables import Job, Outcome, Quota, Result, Statement, Upload, Visit, Worker

BATCH = 100
"""Most rows of one table that one step removes."""
GRACE = datetime.timedelta(minutes=1)
"""How long expired files stay: a request that still found them has ended by then."""
VISIT_DAYS, QUOTA_DAYS, OUTCOME_DAYS, STATEMENT_DAYS = 40, 7, 400, 400
DEAD_SECONDS = 3600.0
"""How long a worker gives no sign of life until its row goes."""

log = structlog.get_logger(__name__)


def expire(parts: Parts, grace: datetime.timedelta = GRACE) -> None:
    """Remove the files of jobs and the uploads that have lived their time, a bounded number at once."""
    joblogs.keep_if_possible(parts)
    with parts.database.writing() as session:
        over = clock.service_time(session) - grace
        for job_id in session.scalars(
            select(Job.id).where(Job.state.in_(sources(State.EXPIRED)), Job.expires <= over).limit(BATCH)
        ).all():
            jobs.expire(session, job_id)
    _empty(parts)
    _remove_uploads(parts, over)


def _empty(parts: Parts) -> None:
    """Remove expired jobs' files, then the rows that name them: who is stopped in between begins again."""
    query = select(Result.job_id, Result.key).join(Job).where(Job.state == State.EXPIRED).limit(BATCH)
    with parts.database.reading() as session:
        found = session.execute(query).all()
    for job_id, key in found:
        parts.store.delete(key)
        with parts.database.writing() as session:
            session.execute(delete(Result).where(Result.job_id == job_id, Result.key == key))


def _remove_uploads(parts: Parts, over: datetime.datetime) -> None:
    unused = ~exists().where(Job.upload_id == Upload.id, Job.state.in_(sorted(ACTIVE)))
    with parts.database.reading() as session:
        found = session.scalars(select(Upload.id).where(Upload.expires <= over, unused).limit(BATCH)).all()
    for upload_id in found:
        with parts.database.writing() as session:
            gone = changed(session, delete(Upload).where(Upload.id == upload_id, Upload.expires <= over, unused))
        if gone:
            # what stays behind if this fails is an object without a row, see `orphans`
            parts.store.delete(upload_key(upload_id))


def forget(parts: Parts) -> None:
    """Remove rows that nobody needs any more, a bounded number at once.

    All is judged by the service's own time, which is never ahead: a wall clock that jumps forward forgets nothing.
    """
    with parts.database.writing() as session:
        today = clock.service_time(session)
        emptied = ~exists().where(Result.job_id == Job.id)
        kept = today - datetime.timedelta(days=parts.settings.keep_days)
        _forget(session, Job.id, (Job.state == State.EXPIRED) & (Job.expires <= kept) & emptied)
        _forget(session, Outcome.id, Outcome.ended < today - datetime.timedelta(days=OUTCOME_DAYS))
        owner = literal("visit:") + Visit.id
        alone = ~exists().where(Job.owner == owner) & ~exists().where(Upload.owner == owner)
        _forget(session, Visit.id, (Visit.seen < today - datetime.timedelta(days=VISIT_DAYS)) & alone)
        _forget(session, Statement.id, Statement.stated < today - datetime.timedelta(days=STATEMENT_DAYS))
        past = (today - datetime.timedelta(days=QUOTA_DAYS)).date().isoformat()
        session.execute(delete(Quota).where(Quota.day < past))


def _forget(session: Session, column: InstrumentedAttribute[Any], condition: ColumnElement[bool]) -> None:
    found: Sequence[Any] = session.scalars(select(column).where(condition).limit(BATCH)).all()
    if found:
        changed(session, delete(column.class_).where(column.in_(found)))


class DeadWorkers:
    """Removes the rows of workers that have long given no sign of life, by this process's steady clock."""

    def __init__(
        self, parts: Parts, steady: Callable[[], float] = time.monotonic, patience: float = DEAD_SECONDS
    ) -> None:
        self._parts = parts
        self._steady = steady
        self._patience = patience
        self._since: dict[tuple[str, int, datetime.datetime], float] = {}

    def step(self) -> None:
        """Look once. The row that tells last what workers can do stays, so that jobs can be taken in meanwhile."""
        at = self._steady()
        query = select(Worker.name, Worker.beat, Worker.started, Worker.abilities)
        with self._parts.database.reading() as session:
            rows = session.execute(query.order_by(Worker.started.desc())).all()
        last = next((row.name for row in rows if row.abilities), None)
        lives = {(row.name, row.beat, row.started) for row in rows}
        self._since = {life: self._since.get(life, at) for life in lives}
        for (name, beat, started), since in self._since.items():
            if name != last and at - since >= self._patience:
                with self._parts.database.writing() as session:
                    same = (Worker.name == name, Worker.beat == beat, Worker.started == started)
                    session.execute(delete(Worker).where(*same))
