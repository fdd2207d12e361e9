"""Everything in one call: send a file, wait, get what was made of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from deepguard.errors import OptionError
from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE, State
from deepguard.service.tables import Job, Result
from deepguard.service.web import (
    addresses,
    catalogue,
    jobs,
    multipart,
    options,
    progress,
    proofs,
    results,
    shapes,
    uploads,
)
from deepguard.service.web.access import Owner
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import STATUS, Fault
from deepguard.service.web.visible import no_job

FIELDS: Mapping[str, str] = MappingProxyType(
    {"options": "options of the kind, as a JSON object", "preset": "name of the preset; short for options.preset"}
)
WAIT_SECONDS, MOST_WAIT_SECONDS = 300, 900

router = APIRouter(prefix=f"{API}/run", tags=["run"])
Kind = Annotated[str, Path(description="kind of job; `GET /kinds` lists them", max_length=200, examples=["protect"])]
Wait = Annotated[int, Query(description="seconds to wait for the result", ge=0, le=MOST_WAIT_SECONDS)]

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "the job's first result", "content": {"application/octet-stream": {}}},
    202: {"model": shapes.Job, "description": "it takes longer; the job goes on, `Location` says where it is seen"},
    307: {"description": "the object storage delivers the result"},
}


@router.post(
    "/{kind}",
    response_class=Response,
    dependencies=[multipart.BODY],
    responses=_ANSWERS | shapes.problems(400, 404, 408, 409, 413, 415, 507),
    openapi_extra=multipart.described(FIELDS),
    summary="Send a file, get the result",
)
async def run(request: Request, kind: Kind, parts: Open, visitor: Owner, wait: Wait = WAIT_SECONDS) -> Response:
    """Make a job of a file and answer with its first result; 202 with the job where that takes too long.

    The job is a job like any other: it goes on when the caller leaves, and `X-Job-Id` names it.
    """
    # the time that the file takes to arrive counts
    until = time.monotonic() + wait
    ability = await run_in_threadpool(_ability, parts, kind)
    clips = catalogue.takes_clips(ability)
    form = await multipart.open_form(request, uploads.most_bytes(parts.settings, clips=clips), FIELDS)
    upload = await uploads.receive(
        parts,
        visitor,
        form,
        lambda whole: options.check_options(ability["schema"], options_in(whole.fields)),
        clips=clips,
    )
    job_id = await run_in_threadpool(jobs.begin, request, visitor, kind, upload, options_in(form.fields))
    await _over(request, job_id, until - time.monotonic())
    job = await run_in_threadpool(_look, parts, job_id)
    headers = {"X-Job-Id": job_id, "Location": addresses.job_of(request, job_id)}
    if job.state in ACTIVE:
        shape = await run_in_threadpool(jobs.shown, request, visitor, job_id)
        return JSONResponse(shape.model_dump(mode="json"), 202, headers)
    alone = proofs.shared_with_nobody(job)
    return await results.delivered(parts, first_result(job), alone=alone, headers=headers)


def options_in(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that a form's fields name, or raise Fault("option")."""
    try:
        chosen = json.loads(fields.get("options", "").strip() or "{}")
    except (ValueError, RecursionError):
        chosen = None
    if not isinstance(chosen, dict):
        raise Fault("option", 'the field options is no JSON object; write one such as {"preset": "balanced"}')
    preset = fields.get("preset", "")
    if preset and chosen.setdefault("preset", preset) != preset:
        raise Fault("option", "the preset is named twice, and differently; name it once")
    return chosen


def first_result(job: Job) -> Result:
    """Return the first result of a job that is over; Fault with the job's own error where it made none."""
    if job.state == State.DONE and job.results:
        return job.results[0]
    if job.state == State.EXPIRED:
        raise Fault("expired", results.GONE, job=job.id)
    if job.state == State.CANCELLED:
        raise Fault("cancelled", "the job was cancelled before its end", job=job.id)
    code = job.error_code if job.error_code in STATUS else "internal"
    raise Fault(code, job.error_message or "the job made nothing", job=job.id)


def _ability(parts: Parts, kind: str) -> Mapping[str, Any]:
    try:
        return catalogue.ability_of(parts, kind)
    except OptionError as error:
        # here it is a part of the address
        raise Fault("not_found", str(error)) from error


async def _over(request: Request, job_id: str, seconds: float) -> None:
    """Wait until the job is over, the time is, or the caller has left."""
    waiting = asyncio.create_task(progress.over(request, job_id, seconds))
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiting, leaving):
            task.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _look(parts: Parts, job_id: str) -> Job:
    with parts.database.reading() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise no_job()
        # the results are read now: the session ends here
        list(job.results)
        return job
