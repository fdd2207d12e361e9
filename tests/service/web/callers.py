"""Who calls the API in tests, and what is there for them: a worker that reported, uploads, jobs in any state."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from deepguard.service import jobs, keys
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Upload, Visit, Worker, identifier, now
from deepguard.service.web.access import COOKIE

JOBS = "/api/v1/jobs"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "preset": {"enum": ["balanced", "strong"], "default": "balanced", "description": "set of options"},
        "steps": {"type": "integer", "minimum": 1, "maximum": 200, "description": "steps"},
        "strength": {"type": "number", "exclusiveMinimum": 0, "maximum": 4, "description": "strength"},
        "detectors": {"type": "array", "items": {"enum": ["mtcnn", "retinaface"]}, "description": "detectors"},
    },
}
ABILITIES = {
    "protect": {
        "name": "protect",
        "summary": "Protects.",
        "schema": SCHEMA,
        "presets": [{"name": "balanced", "summary": "Faint.", "options": {}}],
        "seconds": {"": [10.0, 2.0], "strong": [20.0, 4.0]},
        "results": ["picture", "log"],
        "missing": {"dsfd": "deepguard models pull dsfd"},
    },
    "find": {
        "name": "find",
        "summary": "Finds.",
        "schema": {"type": "object", "properties": {}, "additionalProperties": False},
        "presets": [],
        "seconds": {"": [0.5, 1.0]},
        "results": ["faces"],
        "missing": {},
    },
}
HEALTH = {
    "models": {
        "mtcnn": {
            "role": "detector",
            "available": True,
            "summary": "Small.",
            "licence": "MIT",
            "missing": "",
            "fault": "",
        },
        "lpips": {
            "role": "measure",
            "available": False,
            "summary": "Likeness.",
            "licence": "BSD",
            "missing": "deepguard models pull lpips",
            "fault": "",
        },
    }
}


def report(parts: Parts, name: str = "worker", *, age: float = 0.0, **columns: Any) -> None:
    """Let a worker report; `age` is how many seconds ago it started and was last seen."""
    moment = now() - datetime.timedelta(seconds=age)
    values = {"abilities": ABILITIES, "health": HEALTH, "ready": True} | columns
    with parts.database.writing() as session:
        session.add(Worker(name=name, host="here", pid=1, version="1", started=moment, seen=moment, **values))


def caller(app: FastAPI, parts: Parts) -> tuple[TestClient, str]:
    """A browser that has been here before, and who it is."""
    token = identifier()
    visit = Visit(id=identifier(), token_hash=keys.hashed(token))
    with parts.database.writing() as session:
        session.add(visit)
    return TestClient(app, cookies={COOKIE: token}, raise_server_exceptions=False), f"visit:{visit.id}"


def program(app: FastAPI, parts: Parts, *, admin: bool = False, jobs_per_day: int = 100) -> tuple[TestClient, str]:
    """A program with a key, and who it is."""
    with parts.database.writing() as session:
        key, token = keys.create(session, keys.Wish("program", "100000/minute", jobs_per_day, admin=admin))
    headers = {"Authorization": f"Bearer {token}"}
    return TestClient(app, headers=headers, raise_server_exceptions=False), f"key:{key.id}"


def bring(parts: Parts, owner: str, *, name: str = "a.jpg", hours: float = 1.0, size: int = 5) -> str:
    """An upload whose bytes are in the store, 2 megapixels large."""
    upload = Upload(
        id=identifier(),
        owner=owner,
        name=name,
        container="JPEG",
        size=size,
        sha256="",
        width=2000,
        height=1000,
        expires=now() + datetime.timedelta(hours=hours),
    )
    parts.store.put(f"uploads/{upload.id}", b"bytes")
    with parts.database.writing() as session:
        session.add(upload)
    return upload.id


def put(parts: Parts, owner: str, state: State = State.QUEUED, **columns: Any) -> str:
    """A job in some state; a finished one has a result in the store."""
    job_id = identifier()
    values = {"kind": "protect", "name": "a.jpg", "upload_id": identifier(), "options": {}, "expires": now()} | columns
    job = jobs.new_job(id=job_id, owner=owner, **values)
    job.state = state
    if state is not State.QUEUED:
        job.attempt, job.worker, job.started = 1, "worker", values.get("started") or now()
    if state is State.DONE:
        key = f"results/{job_id}/1/picture"
        parts.store.put(key, b"picture")
        made = hashlib.sha256(b"picture").hexdigest()
        job.results = [Result(name="picture", filename="b.jpg", media_type="image/jpeg", size=7, sha256=made, key=key)]
    with parts.database.writing() as session:
        session.add(job)
    return job_id


def row(parts: Parts, job_id: str) -> Job | None:
    """A job as it stands in the database."""
    with parts.database.reading() as session:
        return session.get(Job, job_id)


def wish(upload: str, **options: object) -> dict[str, object]:
    """What to ask for: a picture to be protected."""
    return {"kind": "protect", "upload": upload, "options": options}
