"""Jobs in any state, and every move that may be tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.jobs import Claim, Ending, JobGone, WrongState
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, identifier, now

MOST = 3


def add(database: Database, state: State = State.QUEUED, **columns: Any) -> str:
    """A job in a state; one that was begun is in its first attempt, held by the worker `ours`."""
    job = jobs.new_job(
        id=identifier(),
        kind="protect",
        owner="visit:1",
        name="a.jpg",
        upload_id=identifier(),
        options={},
        expires=now(),
    )
    job.state = state
    if state is not State.QUEUED:
        job.attempt, job.worker, job.started = 1, "ours", now()
    for name, value in columns.items():
        setattr(job, name, value)
    with database.writing() as session:
        session.add(job)
    return job.id


def stored(database: Database, job_id: str) -> Job:
    with database.reading() as session:
        return session.get_one(Job, job_id)


def result(job_id: str, name: str = "picture") -> Result:
    return Result(
        job_id=job_id,
        name=name,
        filename="a.jpg",
        media_type="image/jpeg",
        size=1,
        sha256="",
        key=f"results/{job_id}/1/{name}",
    )


def held(job: Job) -> Claim:
    return Claim(job.id, 1, "ours")


def told(move: Callable[[], object]) -> object:
    """What a move returns, or the class of what it raises."""
    try:
        return move()
    except (JobGone, WrongState) as error:
        return type(error)


MOVES: dict[str, Callable[[Session, Job], object]] = {
    "claim": lambda session, job: jobs.claim(session, job.id, "other"),
    "beat": lambda session, job: jobs.beat(session, held(job)),
    "report": lambda session, job: jobs.report(session, held(job), {"share": 0.5}),
    "end done": lambda session, job: jobs.end(session, held(job), Ending(State.DONE, results=[result(job.id)])),
    "end failed": lambda session, job: jobs.end(session, held(job), Ending(State.FAILED, "no_face", "none")),
    "end stopped": lambda session, job: jobs.end(session, held(job), Ending(State.QUEUED)),
    "lose": lambda session, job: jobs.lose(session, job.id, 1, MOST),
    "lose the last": lambda session, job: jobs.lose(session, job.id, 1, 1),
    "cancel": jobs.cancel,
    "retry": jobs.retry,
    "expire": lambda session, job: jobs.expire(session, job.id),
}
