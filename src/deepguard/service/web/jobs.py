"""Jobs: asked for, looked at, cancelled, tried again and deleted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pymysql.constants import ER
from sqlalchemy import Select, case, func, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from deepguard.errors import UnsupportedClip
from deepguard.service import clock, estimates, figures
from deepguard.service import jobs as moves
from deepguard.service.guesses import Size
from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE, State
from deepguard.service.tables import Job, Upload, identifier
from deepguard.service.web import addresses, catalogue, progress, proofs, shapes, uploads
from deepguard.service.web.access import Owner, Reader, Visitor, spend
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.listing import Search, find_jobs
from deepguard.service.web.options import check_options
from deepguard.service.web.removal import remove
from deepguard.service.web.results import holds_already
from deepguard.service.web.visible import IDENTIFIER, of_visitor, own_job, readable_job

TRIES = 5
"""How often a job is written when other requests are in the way: one with the same key, or one that waits for us."""
MOST_WAIT_SECONDS = 60
DEADLOCKS = {str(ER.LOCK_DEADLOCK), "40P01", "40001"}

log = structlog.get_logger(__name__)
router = APIRouter(prefix=API, tags=["jobs"])
JobId = Annotated[str, Path(description="id of the job", max_length=200, examples=[shapes.ID])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="any text of yours; the same key with the same wish gives the same job",
        min_length=1,
        max_length=255,
    ),
]

_NEW: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Job, "description": "the same wish came before under this key"},
    201: {"model": shapes.Job, "description": "the job waits; `Location` says where it is seen"},
}
_SAME: dict[int | str, dict[str, Any]] = {304: {"description": "the caller has it already"}}
_STOPPING: dict[int | str, dict[str, Any]] = {202: {"model": shapes.Job, "description": "it stops within a step"}}


class Look(BaseModel):
    """How a job is looked at."""

    share: str = Field("", description="the job's share token, instead of being its owner", max_length=200)
    wait: float = Field(
        0.0,
        description="seconds to wait for a change after `revision`, or without it for the end of the job",
        ge=0,
        le=MOST_WAIT_SECONDS,
    )
    revision: int | None = Field(None, description="the newest revision that is known to you")


def begin(
    request: Request, visitor: Visitor, kind: str, upload: Upload, options: Mapping[str, Any], once: str = ""
) -> str:
    """Write down a job about an upload that came for it alone, send for a worker, and return the job's id.

    OptionError or Fault for what is wrong with the wish, and where a limit is reached: then the upload is removed. A
    queue that is down is no fault: the job waits until housekeeping sends for it. Where the same visitor sent the same
    file with the same options and the same `once` before, the new upload is removed and the first job's id returned.
    """
    parts: Parts = request.app.state.parts
    wish = shapes.Wish(kind=kind, upload=upload.id, options=dict(options))
    # what it is about, instead of the id that every upload has of its own
    same = wish.model_copy(update={"upload": upload.sha256})
    key = f"{once} {_hash_of(same)}" if once else None
    try:
        job, replayed = _create(request, visitor, wish, key, _hash_of(same))
    except BaseException:
        uploads.remove(parts, upload)
        raise
    if replayed:
        uploads.remove(parts, upload)
    return job.id


@router.post("/jobs", status_code=201, responses=_NEW | shapes.problems(404, 409, 410, 507), summary="Ask for a job")
def start(wish: shapes.Wish, request: Request, visitor: Owner, idempotency_key: IdempotencyKey = None) -> Response:
    """Have a worker do something with an upload."""
    job, replayed = _create(request, visitor, wish, idempotency_key, _hash_of(wish))
    headers = {"Location": addresses.job_of(request, job.id)}
    if replayed:
        headers["Idempotent-Replay"] = "true"
    return _answer(shown(request, visitor, job.id), 200 if replayed else 201, headers)


@router.get("/jobs", responses=shapes.problems(403), summary="List jobs")
def list_jobs(request: Request, parts: Open, visitor: Reader, search: Annotated[Search, Query()]) -> shapes.Page:
    """Return your own jobs, the newest first, page by page."""
    with parts.database.reading() as session:
        found, after = find_jobs(session, of_visitor(visitor, everybody=search.all), search)
        return shapes.Page(jobs=shapes.job_shapes(session, found, request, visitor.owner), next=after)


@router.post("/jobs/delete", responses=shapes.problems(), summary="Delete several jobs")
def delete_several(chosen: shapes.Chosen, parts: Open, visitor: Reader) -> shapes.Deleted:
    """Delete jobs that are over, with all their files; the answer tells which were not, and why."""
    removal = remove(parts, visitor, chosen.ids)
    refused = [shapes.Refused(id=each, code=error.code, message=str(error)) for each, error in removal.refused]
    return shapes.Deleted(deleted=removal.gone, refused=refused)


@router.get(
    "/jobs/{job_id}",
    response_model=shapes.Job,
    responses=_SAME | shapes.problems(404),
    summary="Show a job",
)
async def show(
    request: Request, job_id: JobId, parts: Open, visitor: Reader, look: Annotated[Look, Query()]
) -> Response:
    """Return a job as it is now; with `wait`, once it has changed or the seconds have passed."""
    job = await run_in_threadpool(shown, request, visitor, job_id, look.share)
    if look.wait and job.state in ACTIVE and look.revision in {None, job.revision}:
        if look.revision is None:
            await progress.over(request, job_id, look.wait)
        else:
            await progress.changed(request, job_id, look.revision, look.wait)
        job = await run_in_threadpool(shown, request, visitor, job_id, look.share)
    tag = f'W/"{job.revision}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, X-API-Key"}
    return Response(status_code=304, headers=headers) if holds_already(request, tag) else _answer(job, 200, headers)


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=shapes.Job,
    responses=_STOPPING | shapes.problems(404, 409),
    summary="Cancel a job",
)
def cancel(request: Request, job_id: JobId, parts: Open, visitor: Reader) -> Response:
    """Stop a job: at once where it waits, within a step where it runs. To do so twice is no error."""
    with parts.database.writing() as session:
        job = own_job(session, visitor, job_id)
        again = job.state in {State.CANCELLING, State.CANCELLED}
        state = job.state if again else moves.cancel(session, job)
    stopping = state == State.CANCELLING and not again
    return _answer(shown(request, visitor, job_id), 202 if stopping else 200)


@router.post("/jobs/{job_id}/retry", responses=shapes.problems(404, 409, 410, 507), summary="Try a job again")
def retry(request: Request, job_id: JobId, parts: Open, visitor: Reader) -> shapes.Job:
    """Queue a job again that failed or was cancelled; it counts as a new one of the day."""
    with parts.database.writing() as session:
        job = own_job(session, visitor, job_id)
        moves.retry(session, job)
        _file_of(session, visitor, job)
        _refuse_where_full(parts, session, job.owner, others=1)
        if proofs.shared_with_nobody(job):
            proofs.count(request.app.state.rates, parts.settings.proof_rate, visitor)
        spend(session, visitor)
        expires = clock.expiry(session, parts.settings.keep_hours)
        session.execute(update(Job).where(Job.id == job_id).values(expires=expires))
    parts.sender.wake(job_id)
    return shown(request, visitor, job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=shapes.problems(404, 409), summary="Delete a job")
def delete(job_id: JobId, parts: Open, visitor: Reader) -> None:
    """Delete a job that is over, now: its results, and its upload where no other job needs it."""
    removal = remove(parts, visitor, [job_id])
    for _, error in removal.refused:
        raise error


@router.post("/estimates", responses=shapes.problems(404, 410), summary="Estimate a job")
def estimate(wish: shapes.Question, parts: Open, visitor: Reader) -> shapes.Estimate:
    """Return how long a job would take and wait; nothing is begun."""
    with parts.database.reading() as session:
        ability, upload = _checked(session, visitor, wish)
        guess = estimates.estimate(session, ability, wish.options, size_of(upload))
        since = own_job(session, visitor, wish.job).queued if wish.job else None
        waiting = estimates.waiting_seconds(session, since)
    return shapes.Estimate(
        seconds=guess.seconds,
        waiting_seconds=waiting,
        based_on="experience" if guess.samples else "first guess",
        samples=guess.samples,
    )


def size_of(upload: Upload) -> Size | None:
    """Return how large an upload's picture or clip is, None where it is not known."""
    if upload.container in uploads.CLIPS:
        return Size(upload.size / 1e6, clip=True)
    return Size(upload.width * upload.height / 1e6) if upload.width and upload.height else None


def _create(request: Request, visitor: Visitor, wish: shapes.Wish, key: str | None, asked: str) -> tuple[Job, bool]:
    """Return a job, and whether it was made before under the same key; `asked` says whether the wish is the same."""
    parts: Parts = request.app.state.parts
    limit = _once(lambda: proofs.count(request.app.state.rates, parts.settings.proof_rate, visitor))
    # hashed: some databases take capital letters and final spaces for the same
    hidden = None if key is None else hashlib.sha256(key.encode()).hexdigest()
    for left in reversed(range(TRIES)):
        try:
            with parts.database.writing() as session:
                job = _earlier(session, visitor, hidden, asked)
                if job is not None:
                    return job, True
                job = _new(parts, session, visitor, wish, limit)
                job.idempotency_key, job.request_hash, job.request_id = hidden, asked, request.state.request_id
        except DBAPIError as error:
            if not left or not _collided(error):
                raise
        else:
            parts.sender.wake(job.id)
            return job, False
    raise AssertionError


def _hash_of(wish: shapes.Wish) -> str:
    return hashlib.sha256(json.dumps(wish.model_dump(), sort_keys=True).encode()).hexdigest()


def _earlier(session: Session, visitor: Visitor, idempotency_key: str | None, request_hash: str) -> Job | None:
    if idempotency_key is None:
        return None
    query = select(Job).where(Job.owner == visitor.owner, Job.idempotency_key == idempotency_key)
    job = session.scalar(query)
    if job is not None and job.request_hash != request_hash:
        raise Fault("idempotency", "this idempotency key was used for another wish; use a new key for a new wish")
    return job


def _new(parts: Parts, session: Session, visitor: Visitor, wish: shapes.Wish, limit: Callable[[], None]) -> Job:
    """Add a job to the session; `limit` counts those of the test bench."""
    ability, upload = _checked(session, visitor, wish)
    _refuse_where_full(parts, session, visitor.owner)
    job = moves.new_job(
        id=identifier(),
        kind=wish.kind,
        owner=visitor.owner,
        name=upload.name,
        upload_id=upload.id,
        options=wish.options,
        estimate=estimates.estimate(session, ability, wish.options, size_of(upload)).seconds,
        expires=clock.expiry(session, parts.settings.keep_hours),
        **proofs.columns(ability, parts.settings),
    )
    if proofs.shared_with_nobody(job):
        limit()
        proofs.record(session, job, upload)
    # last, as others of this owner wait for it
    spend(session, visitor)
    session.add(job)
    return job


def _once(act: Callable[[], None]) -> Callable[[], None]:
    """Return what does it the first time only, for a transaction that is tried again."""
    left = [act]
    return lambda: left.pop()() if left else None


def _checked(session: Session, visitor: Visitor, wish: shapes.Wish) -> tuple[Mapping[str, Any], Upload]:
    """Return the kind and the upload of a wish that can be done."""
    ability = catalogue.ability(session, wish.kind)
    check_options(ability["schema"], wish.options)
    upload = _kept(session, visitor, wish.upload)
    if upload.container in uploads.CLIPS and not catalogue.takes_clips(ability):
        raise UnsupportedClip(uploads.no_clips(upload.name))
    proofs.check_earlier(session, visitor, ability, wish.options, upload.id)
    return ability, upload


def _kept(session: Session, visitor: Visitor, upload_id: str) -> Upload:
    """Return an upload that may be used, and keep others from removing it until the transaction ends."""
    if IDENTIFIER.fullmatch(upload_id):
        session.get(Upload, upload_id, with_for_update={"read": True})
    return uploads.own_upload(session, visitor, upload_id)


def _file_of(session: Session, visitor: Visitor, job: Job) -> None:
    try:
        _kept(session, visitor, job.upload_id)
    except Fault as error:
        raise Fault("expired", "the file of this job is removed; send it again and start a new job") from error


def _refuse_where_full(parts: Parts, session: Session, owner: str, others: int = 0) -> None:
    """Raise Fault where no more can be taken in; `others` of those that wait do not count."""
    settings = parts.settings
    waiting, own, size = (int(each) for each in session.execute(_load(owner)).one())
    waiting, own = waiting - others, own - others
    if waiting >= settings.queue_length or own >= settings.queue_length_each:
        # when the next one is likely over
        after = estimates.waiting_seconds(session) / max(1, waiting)
        whose = "too many jobs wait" if waiting >= settings.queue_length else "too many of your jobs wait"
        raise Fault("queue_full", f"{whose} already; try again when some are done", after=after)
    if size >= settings.store_bytes:
        raise Fault("store_full", "the storage is full; try again when older files have been removed")


def _load(owner: str) -> Select[int, int, int]:
    """Ask at once how many jobs wait or run, how many of them are the owner's, and how many bytes are stored."""
    own = func.coalesce(func.sum(case((Job.owner == owner, 1), else_=0)), 0)
    return select(func.count(), own, figures.stored_bytes()).where(Job.state.in_(sorted(ACTIVE)))


def _collided(error: DBAPIError) -> bool:
    if isinstance(error, IntegrityError):
        return True
    codes = (getattr(error.orig, "sqlstate", ""), *getattr(error.orig, "args", ())[:1])
    return any(str(code) in DEADLOCKS for code in codes)


def shown(request: Request, visitor: Visitor, job_id: str, share: str = "") -> shapes.Job:
    """Return a job as the visitor sees it, or raise Fault("not_found")."""
    parts: Parts = request.app.state.parts
    with parts.database.reading() as session:
        return shapes.job_shape(session, readable_job(session, visitor, job_id, share), request, visitor.owner)


def _answer(job: shapes.Job, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(job.model_dump_json(), status, dict(headers or {}), "application/json")
