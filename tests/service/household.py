"""What the tests of housekeeping share: uploads, jobs and results to keep house for, time that passes, broken parts."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from sqlalchemy import select, update
from tests.service.benches import claimed

from deepguard.service import jobs
from deepguard.service.jobs import Ending
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Clock, Job, Result, Upload, identifier

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


class Timer:
    """A steady clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 50.0

    def __call__(self) -> float:
        return self.at


class Broken:
    """Stands for any part that is down: whatever is asked of it fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.folder = None

    def __getattr__(self, name: str) -> object:
        def fail(*args: object, **named: object) -> None:
            raise self.error

        return fail


def add_upload(parts: Parts, lives: datetime.timedelta = DAY) -> str:
    upload_id = identifier()
    parts.store.put(f"uploads/{upload_id}", b"picture")
    with parts.database.writing() as session:
        time = session.scalars(select(Clock.time)).one()
        session.add(
            Upload(
                id=upload_id,
                owner="visit:1",
                name="사진.jpg",
                container="jpeg",
                size=7,
                sha256="0",
                expires=time + lives,
            )
        )
    return upload_id


def add_job(parts: Parts, upload_id: str = "none", lives: datetime.timedelta = DAY) -> str:
    with parts.database.writing() as session:
        time = session.scalars(select(Clock.time)).one()
        job = jobs.new_job(
            id=identifier(),
            kind="protect",
            owner="visit:1",
            name="secret name 사진.jpg",
            upload_id=upload_id,
            options={},
            expires=time + lives,
        )
        session.add(job)
        return job.id


def finish(parts: Parts, job_id: str, *, fails: bool = False) -> list[str]:
    """Let a worker do the job; return the keys of what it made."""
    held = claimed(parts, job_id)
    names = [] if fails else ["picture", "log"]
    keys = [f"results/{job_id}/{held.attempt}/{name}" for name in names]
    for key in keys:
        parts.store.put(key, json.dumps({"of": job_id}).encode())
    results = [
        Result(job_id=job_id, name=name, position=n, filename=name, media_type="x/y", size=9, sha256="0", key=key)
        for n, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    ending = Ending(State.FAILED, "no_face", "none") if fails else Ending(State.DONE, results=results)
    with parts.database.writing() as session:
        assert jobs.end(session, held, ending)
    return keys


def row(parts: Parts, job_id: str) -> Job | None:
    with parts.database.reading() as session:
        return session.get(Job, job_id)


def later(parts: Parts, passed: datetime.timedelta) -> None:
    """Let the service's time pass."""
    with parts.database.writing() as session:
        session.execute(update(Clock).values(time=session.scalars(select(Clock.time)).one() + passed))


def messages(parts: Parts) -> int:
    return parts.sender.check()


def copies(parts: Parts) -> list[Path]:
    return sorted(parts.settings.log_folder.glob("*"))
