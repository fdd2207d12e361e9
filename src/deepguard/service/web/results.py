"""Results: the files that a job made, and the code that leads a phone to them."""

from __future__ import annotations

import datetime
import io
from collections.abc import Mapping
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from deepguard.service.disposition import disposition
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.store import ObjectMissing
from deepguard.service.tables import Job, Result
from deepguard.service.web import addresses, shapes
from deepguard.service.web.access import Reader
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.proofs import shared_with_nobody
from deepguard.service.web.visible import readable_job

SIGNED_FOR = datetime.timedelta(minutes=10)
GONE = "the result was kept for its time and is removed; start the job again with the file"

router = APIRouter(prefix=f"{API}/jobs/{{job_id}}", tags=["results"])
JobId = Annotated[str, Path(description="id of the job", max_length=200, examples=[shapes.ID])]
Name = Annotated[str, Path(description="name of the result, as the list says it", max_length=200, examples=["picture"])]
Share = Annotated[str, Query(description="the job's share token, instead of being its owner", max_length=200)]
Inline = Annotated[bool, Query(description="to be shown by a browser instead of saved")]

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the file", "content": {"application/octet-stream": {}}},
    304: {"description": "the caller has it already"},
    307: {"description": "the object storage delivers it"},
}
_SVG: dict[int | str, dict[str, Any]] = {200: {"description": "the code", "content": {"image/svg+xml": {}}}}


@router.get("/results", responses=shapes.problems(404, 410), summary="List a job's results")
def every(request: Request, job_id: JobId, parts: Open, visitor: Reader, share: Share = "") -> list[shapes.Result]:
    """Tell what a job made, the most important first; nothing while it is not done."""
    with parts.database.reading() as session:
        return shapes.result_shapes(_kept(readable_job(session, visitor, job_id, share)), request)


@router.get(
    "/results/{name}",
    response_class=Response,
    responses=_BYTES | shapes.problems(404, 410),
    summary="Download a result",
)
async def download(
    request: Request,
    job_id: JobId,
    name: Name,
    parts: Open,
    visitor: Reader,
    share: Share = "",
    inline: Inline = False,
) -> Response:
    """Give the bytes of one result, or the address where the object storage gives them."""

    def find() -> tuple[Result, bool]:
        with parts.database.reading() as session:
            job = _kept(readable_job(session, visitor, job_id, share))
            return result_of(session, job, name), shared_with_nobody(job)

    result, alone = await run_in_threadpool(find)
    if holds_already(request, _tag(result)):
        return Response(status_code=304, headers=_kept_as(result))
    return await delivered(parts, result, inline=inline, alone=alone)


@router.get("/qr.svg", response_class=Response, responses=_SVG | shapes.problems(404, 409, 410), summary="QR code")
def code(request: Request, job_id: JobId, parts: Open, visitor: Reader, share: Share = "") -> Response:
    """Draw the address of the job's page, with which a phone sees the job without a sign-in."""
    with parts.database.reading() as session:
        job = _kept(readable_job(session, visitor, job_id, share))
        if shared_with_nobody(job):
            raise Fault("not_found", "this job is shared with nobody, so it has no code")
        address = addresses.phone_page_of(request, job.id, job.share)
    drawing = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawing, kind="svg", omitsize=True, xmldecl=False, light="#fff", title=address, nl=False
    )
    return Response(drawing.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "private, no-cache"})


def result_of(session: Session, job: Job, name: str) -> Result:
    """Return one result of a job, or raise Fault("not_found")."""
    for each in job.results:
        if each.name == name:
            return each
    made = ", ".join(each.name for each in job.results) or f"nothing, for it is {job.state}"
    raise Fault("not_found", f"the job has no such result; it made: {made}")


async def delivered(
    parts: Parts,
    result: Result,
    *,
    inline: bool = False,
    alone: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer with a result's bytes; Fault "not_found" where they are gone, StoreDown where none comes.

    With `alone` nobody but the caller gets them: no address is given away, and browsers keep no copy.
    """
    kept = {**_kept_as(result), **(headers or {}), **({"Cache-Control": "private, no-store"} if alone else {})}
    signed = None if alone else await run_in_threadpool(parts.store.signed, result.key, SIGNED_FOR)
    if signed is not None:
        # an address that ends soon must not be kept
        return RedirectResponse(signed, 307, {**kept, "Cache-Control": "private, no-store"})
    try:
        pieces = await parts.store.stream(result.key)
    except ObjectMissing as error:
        raise Fault("not_found", "the result was deleted") from error
    return StreamingResponse(
        pieces,
        media_type=result.media_type,
        headers={
            **kept,
            "Content-Length": str(result.size),
            "Content-Disposition": disposition(result.filename, inline=inline),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        },
    )


def holds_already(request: Request, tag: str) -> bool:
    """Return whether the caller says that it has what goes by this tag (If-None-Match, RFC 9110)."""
    tags = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags


def _kept(job: Job) -> Job:
    if job.state == State.EXPIRED:
        raise Fault("expired", GONE)
    return job


def _kept_as(result: Result) -> dict[str, str]:
    return {"ETag": _tag(result), "Cache-Control": "private, no-cache"}


def _tag(result: Result) -> str:
    return f'"{result.sha256}"'
