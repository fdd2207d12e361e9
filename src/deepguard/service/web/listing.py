"""Lists of jobs: what is searched for, page by page."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session, selectinload

from deepguard.service.states import State
from deepguard.service.tables import Job
from deepguard.service.web.faults import Fault
from deepguard.service.web.visible import IDENTIFIER

MOST = 100
MOST_KINDS = 20


class Search(BaseModel):
    """Which jobs are wanted."""

    search: str = Field("", description="part of the file's name", examples=["holiday"], max_length=255)
    state: list[State] = Field(
        default_factory=list,
        description="only jobs in this state; repeated, in any of them",
        examples=[["done"]],
        max_length=len(State),
    )
    kind: list[Annotated[str, Field(max_length=32)]] = Field(
        default_factory=list,
        description="only jobs of this kind; repeated, of any of them",
        examples=[["protect"]],
        max_length=MOST_KINDS,
    )
    limit: Annotated[int, Field(ge=1, le=MOST)] = Field(20, description="most jobs of one page", examples=[20])
    cursor: str = Field("", description="`next` of the page before", max_length=200)
    all: bool = Field(False, description="the jobs of everybody; needs an admin's key")


def find_jobs(session: Session, whose: ColumnElement[bool], search: Search) -> tuple[Sequence[Job], str | None]:
    """Return one page of jobs, the newest first, and the cursor of the next one; None after the last.

    A cursor says after which job the page begins, so jobs that are added meanwhile move nothing.
    """
    query = (
        select(Job)
        .options(selectinload(Job.results))
        .where(whose, *_wanted(search))
        .order_by(Job.created.desc(), Job.id.desc())
        .limit(search.limit + 1)
    )
    found = session.scalars(query).all()
    page = found[: search.limit]
    return page, _cursor(page[-1]) if len(found) > search.limit else None


def _wanted(search: Search) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    # names are kept in this form, and hold no signs that are unseen
    text = unicodedata.normalize("NFC", search.search).replace("\x00", "")
    if text:
        wanted.append(Job.name.icontains(text, autoescape=True))
    if search.state:
        wanted.append(Job.state.in_(search.state))
    # an empty one has always stood for any
    if kinds := [each.replace("\x00", "") for each in search.kind if each]:
        wanted.append(Job.kind.in_(kinds))
    if search.cursor:
        created, job_id = _place(search.cursor)
        wanted.append(or_(Job.created < created, and_(Job.created == created, Job.id < job_id)))
    return wanted


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(json.dumps([job.created.isoformat(), job.id]).encode()).decode()


def _place(cursor: str) -> tuple[datetime.datetime, str]:
    try:
        created, job_id = json.loads(base64.urlsafe_b64decode(cursor))
        moment = datetime.datetime.fromisoformat(created).astimezone(datetime.UTC)
        if not IDENTIFIER.fullmatch(job_id):
            raise ValueError(job_id)
    except (ValueError, TypeError, OverflowError, binascii.Error) as error:
        raise Fault("option", "the cursor is none that was given here; begin again without one") from error
    return moment, job_id
