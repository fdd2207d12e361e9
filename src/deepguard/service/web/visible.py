"""Who sees which job: its owner, an admin, and whoever has its share token. For everybody else there is none."""

from __future__ import annotations

import re
import secrets

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from deepguard.service import tables
from deepguard.service.web.access import Visitor
from deepguard.service.web.faults import Fault

IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
"""What an identifier looks like; others are not even asked for: a database refuses some characters."""


def readable_job(session: Session, visitor: Visitor, job_id: str, share: str = "") -> tables.Job:
    """Return a job that the visitor may read, or raise Fault("not_found")."""
    job = _job(session, job_id)
    if job is not None and (_owns(visitor, job.owner) or _shared(job, share)):
        return job
    raise no_job()


def own_job(session: Session, visitor: Visitor, job_id: str) -> tables.Job:
    """Return a job that the visitor may change, or raise Fault("not_found")."""
    job = _job(session, job_id)
    if job is not None and _owns(visitor, job.owner):
        return job
    raise no_job()


def no_job() -> Fault:
    """Return the error for a job that is not there, or not for this visitor."""
    return Fault("not_found", "there is no such job; it was deleted, or belongs to somebody else")


def of_visitor(visitor: Visitor, *, everybody: bool) -> ColumnElement[bool]:
    """Return the condition for the jobs that a visitor lists; those of `everybody` are an admin's only."""
    if not everybody:
        return tables.Job.owner == visitor.owner
    if not visitor.admin:
        raise Fault("forbidden", "only an admin's key lists the jobs of everybody; leave out all=true")
    return true()


def _job(session: Session, job_id: str) -> tables.Job | None:
    return session.get(tables.Job, job_id) if IDENTIFIER.fullmatch(job_id) else None


def _owns(visitor: Visitor, owner: str) -> bool:
    return visitor.admin or (visitor.owner != "" and visitor.owner == owner)


def _shared(job: tables.Job, share: str) -> bool:
    return share != "" and secrets.compare_digest(job.share.encode(), share.encode(errors="replace"))
