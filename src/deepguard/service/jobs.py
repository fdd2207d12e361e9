"""What may happen to a job, each as one change of its row.

Every change of state compares and sets: it names the states that it may come from, and does nothing where another
process was faster. So a message may be delivered twice, and a worker that was thought dead may come back.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError
from deepguard.service import clock
from deepguard.service.database import changed
from deepguard.service.guesses import Size, first_guess
from deepguard.service.states import ACTIVE, State, sources
from deepguard.service.tables import Job, Outcome, Result, Worker, now

LOST = "worker_lost"


class JobGone(DeepguardError):
    """The job was cancelled, deleted, or given to another worker; whoever works on it must stop."""

    code = "cancelled"


class WrongState(DeepguardError):
    """The job is in a state in which this cannot be done."""

    code = "wrong_state"


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to work on a job: it holds as long as the job runs in this attempt."""

    job_id: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker's attempt ended: `state` is done, failed, or queued for an attempt that was interrupted."""

    state: State
    code: str = ""
    message: str = ""
    summary: Mapping[str, Any] | None = None
    results: Sequence[Result] = ()


def new_job(**columns: Any) -> Job:
    """Return a job that waits, not yet in any session."""
    fresh = {"state": State.QUEUED, "attempt": 0, "losses": 0, "beat": 0, "revision": 0, "progress": {}, "summary": {}}
    return Job(**{**fresh, "worker": "", "share": secrets.token_urlsafe(24), **columns})


def claim(session: Session, job_id: str, worker: str) -> Claim | None:
    """Take a waiting job for a worker; None where there is nothing to take (any more)."""
    job = session.get(Job, job_id)
    if job is None or job.state != State.QUEUED:
        return None
    attempt = job.attempt + 1
    taken = changed(
        session,
        _moving(State.RUNNING)
        .where(Job.id == job_id, Job.attempt == job.attempt)
        .values(attempt=attempt, worker=worker, started=now(), ended=None, beat=Job.beat + 1, progress={}),
    )
    return Claim(job_id, attempt, worker) if taken else None


def beat(session: Session, held: Claim) -> None:
    """Give a sign of life; JobGone where the claim does not hold any more."""
    _held(session, held, update(Job).values(beat=Job.beat + 1))


def report(session: Session, held: Claim, progress: Mapping[str, Any]) -> None:
    """Write how far a job is; JobGone where the claim does not hold any more."""
    _held(session, held, update(Job).values(beat=Job.beat + 1, revision=Job.revision + 1, progress=dict(progress)))


def end(session: Session, held: Claim, ending: Ending) -> bool:
    """End an attempt; False where the claim did not hold any more, and then its results must be thrown away.

    A job that somebody asked to cancel meanwhile is cancelled, however the attempt ended.
    """
    over = ending.state is not State.QUEUED
    change = (
        _moving(ending.state)
        # a failed job may be queued again too, but not by whoever held it
        .where(*_of(held), Job.state == State.RUNNING)
        .values(
            ended=now() if over else None,
            progress={},
            error_code=ending.code,
            error_message=ending.message,
            summary=dict(ending.summary or {}),
            **({} if over else {"queued": now(), "worker": ""}),
        )
    )
    done = changed(session, change) == 1
    if done and over:
        session.add_all(ending.results)
        _note(session, held.job_id)
    # asked second: a job may begin to be cancelled in between, but never cease to be
    elif not done and changed(session, _moving(State.CANCELLED).where(*_of(held)).values(ended=now(), progress={})):
        _note(session, held.job_id)
    return done


def lose(session: Session, job_id: str, attempt: int, most: int) -> State | None:
    """Take a running job from a worker that gives no sign of life; after `most` such losses it has failed.

    Returns the state that it has now, None where it was not lost after all.
    """
    job = session.get(Job, job_id)
    if job is None or job.attempt != attempt or job.state not in {State.RUNNING, State.CANCELLING}:
        return None
    lost = Claim(job_id, attempt, job.worker)
    if job.state == State.CANCELLING:
        return None if end(session, lost, Ending(State.FAILED)) else State.CANCELLED
    final = job.losses + 1 >= most
    sentence = f"the work on this file stopped its worker {most} times; try another file or a smaller one"
    ending = Ending(State.FAILED, LOST, sentence) if final else Ending(State.QUEUED)
    if not end(session, lost, ending):
        return None
    session.execute(update(Job).where(Job.id == job_id).values(losses=Job.losses + 1))
    return ending.state


def cancel(session: Session, job: Job) -> State:
    """Cancel a job: at once where it waits, within a step where it runs; WrongState where it is over."""
    if changed(
        session, _moving(State.CANCELLED).where(Job.id == job.id, Job.state == State.QUEUED).values(ended=now())
    ):
        _note(session, job.id)
        return State.CANCELLED
    if changed(session, _moving(State.CANCELLING).where(Job.id == job.id)):
        return State.CANCELLING
    state = session.scalar(select(Job.state).where(Job.id == job.id))
    if state == State.CANCELLING:
        return State.CANCELLING
    if state in {State.QUEUED, State.RUNNING}:
        # it moved between the two questions
        return cancel(session, job)
    raise WrongState(f"the job is {state or 'gone'} and cannot be cancelled")


def retry(session: Session, job: Job) -> None:
    """Queue a job again that failed or was cancelled; WrongState otherwise."""
    again = (
        _moving(State.QUEUED)
        .where(Job.id == job.id, Job.state.in_((State.FAILED, State.CANCELLED)))
        .values(
            queued=now(), started=None, ended=None, losses=0, error_code="", error_message="", summary={}, worker=""
        )
    )
    if not changed(session, again):
        raise WrongState(f"the job is {job.state}; only a failed or cancelled one can be tried again")


def expire(session: Session, job_id: str) -> bool:
    """Mark a job that is over as expired and forget its name and options; its files are for the caller to remove."""
    gone = {"name": "", "options": {}, "progress": {}, "error_message": ""}
    return changed(session, _moving(State.EXPIRED).where(Job.id == job_id).values(**gone)) == 1


def waiting(session: Session, owner: str | None = None) -> int:
    """Return how many jobs wait or run, in all or of one owner."""
    query = select(func.count()).select_from(Job).where(Job.state.in_(sorted(ACTIVE)))
    return session.scalar(query if owner is None else query.where(Job.owner == owner)) or 0


def seconds_between(start: datetime.datetime | None, end: datetime.datetime | None) -> float:
    """Return the seconds between two moments; 0 where one is missing or the clock was set back."""
    return max(0.0, (end - start).total_seconds()) if start and end else 0.0


def _moving(target: State) -> Update:
    return update(Job).where(Job.state.in_(sources(target))).values(state=target, revision=Job.revision + 1)


def _of(held: Claim) -> tuple[Any, ...]:
    return Job.id == held.job_id, Job.attempt == held.attempt, Job.worker == held.worker


def _held(session: Session, held: Claim, change: Update) -> None:
    if not changed(session, change.where(*_of(held), Job.state == State.RUNNING)):
        raise JobGone("the job was cancelled")


def _note(session: Session, job_id: str) -> None:
    """Keep what statistics need of a job that has just ended, and let a short life begin now."""
    session.expire_all()
    job = session.get_one(Job, job_id)
    if job.lifetime is not None:
        job.expires = clock.expiry(session, job.lifetime / 3600)
    facts = job.summary
    session.add(
        Outcome(
            kind=job.kind,
            state=job.state,
            code=job.error_code,
            variant=str(facts.get("variant", "")),
            megapixels=facts.get("megapixels"),
            waited=seconds_between(job.queued, job.started or job.ended),
            seconds=seconds_between(job.started, job.ended),
            guess=_guess(session, job),
            found_before=facts.get("found_before"),
            found_after=facts.get("found_after"),
            verdict=str(facts.get("verdict", "")),
        )
    )


def _guess(session: Session, job: Job) -> float | None:
    """Return the seconds that a job which is over could be expected to take on its worker; None where unknown."""
    worker = session.get(Worker, job.worker)
    ability = worker.abilities.get(job.kind) if worker else None
    pixels, size = (job.summary.get(each) for each in ("megapixels", "clip_megabytes"))
    known = Size(size, clip=True) if size else Size(pixels) if pixels else None
    return first_guess(ability, job.options, known) if ability and known else None
