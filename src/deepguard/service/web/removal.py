"""Deletion now: what a job made, what it was made from, and then every trace of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError
from deepguard.service import joblogs, jobs
from deepguard.service.earlier import OF
from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE, State
from deepguard.service.store import upload_key
from deepguard.service.tables import Job, Upload
from deepguard.service.web.access import Visitor
from deepguard.service.web.visible import own_job

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Removal:
    """Which jobs go, the objects that go with them, and why others stay."""

    gone: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refused: list[tuple[str, DeepguardError]] = field(default_factory=list)


def remove(parts: Parts, visitor: Visitor, job_ids: Iterable[str]) -> Removal:
    """Delete jobs that are over, with their results, and with their uploads where no other job needs them.

    The rows go last: where the store does not answer, StoreDown is raised, the jobs are expired, and deleting them
    again does the rest.
    """
    joblogs.keep_if_possible(parts)
    removal = Removal()
    with parts.database.writing() as session:
        for job_id in dict.fromkeys(job_ids):
            try:
                _expire(session, own_job(session, visitor, job_id), removal)
            except DeepguardError as error:
                removal.refused.append((job_id, error))
    parts.store.delete(*removal.keys)
    _forget(parts, removal.gone)
    return removal


def _expire(session: Session, job: Job, removal: Removal) -> None:
    for proof in _going_on_from(session, job):
        _expire(session, proof, removal)
    keys = [each.key for each in job.results]
    if job.state != State.EXPIRED and not jobs.expire(session, job.id):
        session.refresh(job)
        if job.state in ACTIVE:
            raise jobs.WrongState(f"the job is {job.state}; cancel it first, and delete it when it is over")
    removal.keys.extend(keys)
    if not _needed(session, job):
        session.execute(delete(Upload).where(Upload.id == job.upload_id))
        removal.keys.append(upload_key(job.upload_id))
    removal.gone.append(job.id)


def _going_on_from(session: Session, job: Job) -> list[Job]:
    """Return the jobs that went on from this one and show the same photo: they go with it."""
    same = select(Job).where(Job.upload_id == job.upload_id, Job.owner == job.owner, Job.id != job.id)
    return [each for each in session.scalars(same) if each.options.get(OF) == job.id]


def _needed(session: Session, job: Job) -> bool:
    """Return whether another job works on the same upload, or may again."""
    # a job that is being made of it right now is waited for
    session.scalar(select(Upload.id).where(Upload.id == job.upload_id).with_for_update())
    others = select(Job.id).where(Job.upload_id == job.upload_id, Job.id != job.id, Job.state != State.EXPIRED)
    return session.scalar(others.limit(1)) is not None


def _forget(parts: Parts, job_ids: Sequence[str]) -> None:
    with parts.database.writing() as session:
        session.execute(delete(Job).where(Job.id.in_(job_ids), Job.state == State.EXPIRED))
