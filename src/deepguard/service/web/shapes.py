"""What the API takes and gives as JSON, and how a row becomes it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from deepguard.service import clock, tables
from deepguard.service.states import State
from deepguard.service.web import addresses

MOST_DELETED = 200
_PROBLEMS: Mapping[int, str] = MappingProxyType(
    {
        400: "it cannot be read as a request; what was cut off too",
        401: "the key is wrong",
        403: "this is not for everybody",
        404: "there is none, or it is somebody else's",
        408: "nothing came for too long",
        409: "not in this state",
        410: "removed after its time",
        413: "larger than the limit, in bytes or in pixels",
        415: "the file is no picture or clip, or of a kind that is not worked on",
        422: "the request does not fit; the message names what",
        429: "too many; `Retry-After` says when",
        503: "something is down; `Retry-After` says when to try again",
        507: "there is no room left",
    }
)
ID = "6f1c1d0e-7a53-4a52-9b1e-0d6b7f3f9a11"
TIME = "2026-03-14T09:26:53.589793Z"
_ANY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def _zoned(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC)


Time = Annotated[datetime.datetime, AfterValidator(_zoned)]
"""A moment as ISO 8601 in UTC, ending in Z."""


class Given(BaseModel):
    """What a caller sends; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Wish(Given):
    """A job that a caller wants, or wants an estimate of."""

    kind: str = Field(description="kind of job; `GET /kinds` lists them", examples=["protect"], max_length=200)
    upload: str = Field(description="id of the upload to work on", examples=[ID], max_length=200)
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the kind, as its JSON schema says; what is left out has its default",
        examples=[{"preset": "balanced"}],
    )


class Chosen(Given):
    """Jobs by their ids."""

    # the bound makes sure that it is text at all
    ids: list[Annotated[str, Field(max_length=200)]] = Field(
        description="ids of jobs", examples=[[ID]], min_length=1, max_length=MOST_DELETED
    )


class Problem(BaseModel):
    """What every answer about something that went wrong looks like."""

    code: str = Field(description="stable, for programs", examples=["not_found"])
    message: str = Field(description="one sentence for people", examples=["there is no such job"])
    details: dict[str, Any] = Field(description="what else is known, by code", examples=[{}])
    request_id: str = Field(description="finds the request in the service's logs", examples=["4f6c21d09a7b4a0e"])


class Question(Wish):
    """A job that an estimate is wanted of."""

    job: str = Field(
        default="",
        description="id of the job where it waits already: `waiting_seconds` is how long it still does",
        examples=[""],
        max_length=200,
    )


class Upload(BaseModel):
    """A file that was sent and waits for jobs."""

    id: str = Field(description="identifier", examples=[ID])
    name: str = Field(description="the sender's name for the file", examples=["holiday.jpg"])
    container: str = Field(description="format of the file, by its content", examples=["JPEG"])
    size: int = Field(description="size in bytes", examples=[2_481_152])
    sha256: str = Field(description="SHA-256 of the file", examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])
    width: int | None = Field(description="width in pixels as stored, null where unknown", examples=[4032])
    height: int | None = Field(description="height in pixels as stored, null where unknown", examples=[3024])
    created: Time = Field(description="when it came", examples=[TIME])
    expires: Time = Field(description="when it will be removed", examples=[TIME])


class Result(BaseModel):
    """One file that a job made."""

    name: str = Field(description="name within the job", examples=["picture"])
    filename: str = Field(description="what it should be saved as", examples=["holiday.protected.jpg"])
    media_type: str = Field(description="media type", examples=["image/jpeg"])
    size: int = Field(description="size in bytes", examples=[2_512_411])
    sha256: str = Field(description="SHA-256 of the file", examples=["9f86d081884c7d659a2feaa0c55ad015" * 2])
    url: str = Field(
        description="where it is downloaded", examples=[f"http://127.0.0.1:5000/api/v1/jobs/{ID}/results/picture"]
    )


class Progress(BaseModel):
    """How far a running job is; empty values while it does not run."""

    stage: str = Field("", description="what is being done", examples=["protect"])
    done: int = Field(0, description="steps of this stage that are done", examples=[12])
    total: int = Field(0, description="steps of this stage, 0 where unknown", examples=[40])
    share: float = Field(0.0, description="share of the whole that is done, 0 to 1", examples=[0.3])
    seconds_left: float | None = Field(None, description="seconds until the end, null where unknown", examples=[21.5])
    detectors: dict[str, bool] = Field(
        default_factory=dict,
        description="detector -> whether it still finds a face, as far as was looked",
        examples=[{"retinaface": False, "mtcnn": True}],
    )


class Failure(BaseModel):
    """Why a job failed."""

    code: str = Field(description="stable, for programs", examples=["unreadable_image"])
    message: str = Field(description="one sentence for people", examples=["the file is no picture"])


class Job(BaseModel):
    """One piece of work."""

    id: str = Field(description="identifier", examples=[ID])
    kind: str = Field(description="kind of job", examples=["protect"])
    name: str = Field(description="the sender's name for the file", examples=["holiday.jpg"])
    upload: str = Field(description="id of the upload", examples=[ID])
    options: dict[str, Any] = Field(description="options as they were given", examples=[{"preset": "balanced"}])
    state: State = Field(
        description="what it is doing; only done, failed, cancelled and expired stay", examples=["done"]
    )
    revision: int = Field(description="grows with every change", examples=[7])
    progress: Progress = Field(description="how far it is, while it runs", examples=[{"share": 1.0}])
    summary: dict[str, Any] = Field(
        description="figures of what was reached, once it is done", examples=[{"found_before": 9, "found_after": 0}]
    )
    estimate: float | None = Field(description="seconds that the work was thought to take", examples=[38.0])
    error: Failure | None = Field(description="why it failed, null where it did not", examples=[None])
    results: list[Result] = Field(description="what it made, the most important first")
    attempt: int = Field(description="how many workers have begun it", examples=[1])
    created: Time = Field(description="when it was asked for", examples=[TIME])
    queued: Time = Field(description="when it was last queued", examples=[TIME])
    started: Time | None = Field(description="when a worker last began it", examples=[TIME])
    ended: Time | None = Field(description="when it was over", examples=[TIME])
    expires: Time = Field(description="when its files will be removed", examples=[TIME])
    address: str = Field(description="where a person looks at it", examples=[f"http://127.0.0.1:5000/jobs/{ID}"])
    share: str | None = Field(
        description="whoever has it may read this job, as query parameter `share`; null for all but its owner,"
        " empty for a job that is shared with nobody",
        examples=["J5xJdUeDXfB0vQ3mGBkFyqQBuWcSAPVn"],
    )


class Page(BaseModel):
    """Some of the jobs, the newest first."""

    jobs: list[Job] = Field(description="jobs, the newest first")
    next: str | None = Field(description="`cursor` for the next page, null after the last", examples=[None])


class Estimate(BaseModel):
    """How long a job would take."""

    seconds: float = Field(description="seconds of work", examples=[38.0])
    waiting_seconds: float = Field(description="seconds until a worker is free", examples=[0.0])
    based_on: Literal["experience", "first guess"] = Field(
        description="on what happened here, or not yet", examples=["experience"]
    )
    samples: int = Field(description="how many jobs of the same kind were looked at", examples=[17])


class Refused(BaseModel):
    """A job that was not deleted, and why."""

    id: str = Field(description="identifier", examples=[ID])
    code: str = Field(description="stable, for programs", examples=["wrong_state"])
    message: str = Field(description="one sentence for people", examples=["the job is running; cancel it first"])


class Deleted(BaseModel):
    """What became of the jobs that should be deleted."""

    deleted: list[str] = Field(description="ids of the jobs that are gone", examples=[[ID]])
    refused: list[Refused] = Field(description="the others")


def upload_shape(session: Session, row: tables.Upload) -> Upload:
    """Return an upload as its owner sees it."""
    return Upload(
        id=row.id,
        name=row.name,
        container=row.container,
        size=row.size,
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        created=row.created,
        expires=clock.on_wall(session, row.expires),
    )


def job_shape(session: Session, row: tables.Job, connection: HTTPConnection, owner: str) -> Job:
    """Return a job as `owner` sees it, with addresses as the one who asked over `connection` reaches them."""
    return job_shapes(session, [row], connection, owner)[0]


def job_shapes(session: Session, rows: Iterable[tables.Job], connection: HTTPConnection, owner: str) -> list[Job]:
    """Return several jobs as `owner` sees them, in their order."""
    shift = clock.on_wall(session, _ANY) - _ANY
    return [_job(row, shift, connection, owner) for row in rows]


def _job(row: tables.Job, shift: datetime.timedelta, connection: HTTPConnection, owner: str) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        name=row.name,
        upload=row.upload_id,
        options=row.options,
        state=State(row.state),
        revision=row.revision,
        progress=Progress.model_validate(row.progress or {"share": float(row.state == State.DONE)}),
        summary=row.summary,
        estimate=row.estimate,
        error=Failure(code=row.error_code, message=row.error_message) if row.error_code else None,
        results=result_shapes(row, connection),
        attempt=row.attempt,
        created=row.created,
        queued=row.queued,
        started=row.started,
        ended=row.ended,
        expires=row.expires + shift,
        address=addresses.page_of(connection, row.id),
        share=row.share if owner and row.owner == owner else None,
    )


def result_shapes(row: tables.Job, connection: HTTPConnection) -> list[Result]:
    """Return what a job made, the most important first."""
    return [
        Result(
            name=each.name,
            filename=each.filename,
            media_type=each.media_type,
            size=each.size,
            sha256=each.sha256,
            url=addresses.result_of(connection, row.id, each.name),
        )
        for each in row.results
    ]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what an address' description says of its errors."""
    return {
        status: {"model": Problem, "description": _PROBLEMS[status]}
        for status in sorted({*statuses, 401, 422, 429, 503})
    }
