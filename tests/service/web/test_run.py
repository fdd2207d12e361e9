"""One call from the file to the result, and what comes instead."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient
from tests.service.web.sending import files, nothing_kept, picture, rows, settled
from tests.service.web.serving import head, part, serving, whole

from deepguard.service import jobs
from deepguard.service.jobs import Ending
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Upload, Worker
from deepguard.service.web import run
from deepguard.service.web.faults import STATUS, Fault

RUN = "/api/v1/run/protect"
MADE = b"what was made"
SCHEMA = {
    "type": "object",
    "properties": {"preset": {"enum": ["balanced", "strong"]}, "steps": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def abilities(parts: Parts) -> None:
    """A worker that has reported what it can do."""
    ability = {
        "name": "protect",
        "summary": "",
        "schema": SCHEMA,
        "presets": [],
        "seconds": {"": [1.0, 1.0]},
        "results": ["picture"],
        "missing": {},
    }
    with parts.database.writing() as session:
        session.add(Worker(name="w", host="h", pid=1, version="0", abilities={"protect": ability}))


def only_job(parts: Parts) -> Job | None:
    with parts.database.reading() as session:
        return session.scalars(select(Job)).one_or_none()


@contextmanager
def working(parts: Parts, ending: Ending) -> Iterator[None]:
    """A worker's hands: takes the first job that comes and ends it so."""

    def work() -> None:
        until = time.monotonic() + 10
        while (job := only_job(parts)) is None and time.monotonic() < until:
            time.sleep(0.01)
        assert job is not None
        key = f"results/{job.id}/1/picture"
        with parts.database.writing() as session:
            held = jobs.claim(session, job.id, "w")
        assert held is not None
        made = []
        if ending.state is State.DONE:
            parts.store.put(key, MADE)
            sized = {"filename": "사진.jpg", "media_type": "image/jpeg", "size": len(MADE), "sha256": "ab" * 32}
            made = [Result(job_id=job.id, name="picture", position=0, key=key, **sized)]
        with parts.database.writing() as session:
            jobs.end(session, held, Ending(ending.state, ending.code, ending.message, {}, made))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def call(client: TestClient, data: bytes | None = None, wait: int = 10, **fields: str):
    file = {"file": ("photo.jpg", picture() if data is None else data)}
    return client.post(RUN, params={"wait": wait}, files=file, data=fields)


def test_one_call_gives_the_result_and_names_the_job(client, parts):
    with working(parts, Ending(State.DONE)):
        given = call(client, options=json.dumps({"steps": 3}), preset="strong")
    assert (given.status_code, given.content) == (200, MADE)
    assert given.headers["content-type"] == "image/jpeg"
    job = only_job(parts)
    assert job is not None
    assert job.options == {"steps": 3, "preset": "strong"}
    assert given.headers["x-job-id"] == job.id
    assert client.get(given.headers["location"]).json()["state"] == "done"


def test_a_job_that_takes_longer_is_shown_and_goes_on(client, parts):
    began = time.monotonic()
    given = call(client, wait=1)
    assert 0.9 < time.monotonic() - began < 5
    assert (given.status_code, given.json()["state"]) == (202, "queued")
    assert given.json()["id"] == given.headers["x-job-id"]
    job = only_job(parts)
    assert job is not None
    assert job.state == State.QUEUED


def test_no_waiting_at_all_gives_the_job(client):
    assert call(client, wait=0).status_code == 202


@pytest.mark.parametrize(
    ("code", "status"),
    [("no_face", 422), ("unreadable_image", 415), ("worker_lost", 422), ("over_memory", 422), ("weights_missing", 503)],
)
def test_a_failed_job_answers_with_its_own_error(client, parts, code, status):
    with working(parts, Ending(State.FAILED, code, "this is why")):
        given = call(client)
    said = given.json()
    assert (given.status_code, said["code"], said["message"]) == (status, code, "this is why")
    job = only_job(parts)
    assert job is not None
    assert said["details"] == {"job": job.id}


@pytest.mark.parametrize(
    ("state", "code"), [(State.CANCELLED, "cancelled"), (State.EXPIRED, "expired"), (State.FAILED, "internal")]
)
def test_a_job_that_ended_otherwise_says_so(state, code):
    job = jobs.new_job(id="j", error_code="who knows", error_message="")
    job.state = state
    with pytest.raises(Fault) as caught:
        run.first_result(job)
    assert caught.value.code == code
    assert caught.value.code in STATUS


def test_a_job_that_is_deleted_while_it_is_waited_for_is_not_found(client, parts):
    def delete() -> None:
        while (job := only_job(parts)) is None:
            time.sleep(0.01)
        with parts.database.writing() as session:
            session.delete(session.get_one(Job, job.id))

    thread = threading.Thread(target=delete)
    thread.start()
    given = call(client)
    thread.join()
    assert (given.status_code, given.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"options": "[1]"}, "no JSON object"),
        ({"options": "{"}, "no JSON object"),
        ({"options": "[" * 20_000}, "no JSON object"),
        ({"options": '{"steps": 0}'}, "steps"),
        ({"options": '{"stepps": 1}'}, "did you mean steps"),
        ({"preset": "wild"}, "wild"),
        ({"options": '{"preset": "strong"}', "preset": "balanced"}, "twice"),
        ({"option": "{}"}, "no field called 'option'"),
    ],
)
def test_options_that_do_not_fit_are_refused_and_the_file_is_not_kept(client, parts, fields, word):
    given = call(client, **fields)
    assert (given.status_code, given.json()["code"]) == (422, "option")
    assert word in given.json()["message"]
    assert nothing_kept(parts)
    assert only_job(parts) is None


@pytest.mark.parametrize("wait", [-1, 901, "long"])
def test_a_time_to_wait_out_of_bounds_is_refused(client, wait):
    assert call(client, wait=wait).status_code == 422


def test_an_unknown_kind_is_refused_before_the_file_is_read(tmp_path, app):
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        sender.sendall(head("/api/v1/run/protekt", 5 << 20))
        said = sender.recv(1 << 16)
    assert said.startswith(b"HTTP/1.1 404 ")
    assert b"did you mean protect?" in said


def test_a_file_that_is_no_picture_makes_no_job(client, parts):
    assert call(client, b"MZ" + bytes(100)).status_code == 415
    assert nothing_kept(parts)
    assert only_job(parts) is None


def test_a_job_that_may_not_be_made_takes_its_file_back(client, parts, monkeypatch):
    def refuse(*_: object, **__: object) -> Job:
        raise Fault("quota", "the jobs of today are used up", after=60)

    monkeypatch.setattr(run.jobs, "_create", refuse)
    given = call(client)
    assert (given.status_code, given.headers["retry-after"]) == (429, "60")
    assert nothing_kept(parts)


def test_the_job_goes_on_when_the_caller_leaves(parts: Parts, app: FastAPI):
    body = whole(part("file", picture(), "photo.jpg"))
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
            sender.sendall(head(f"{RUN}?wait=60", len(body)) + body)
            assert settled(lambda: only_job(parts) is not None)
        # the server ends at once: nobody waits for the sixty seconds
        began = time.monotonic()
    assert time.monotonic() - began < 5
    job = only_job(parts)
    assert job is not None
    assert job.state == State.QUEUED
    assert (rows(parts), len(files(parts))) == (1, 1)


def test_sixty_callers_who_wait_leave_room_for_others(client, parts, app):
    cookie = "; ".join(f"{name}={value}" for name, value in owner_of(client).items()).encode()
    body = whole(part("file", picture(), "photo.jpg"))
    call_in = head(f"{RUN}?wait=60", len(body)).replace(b"Host:", b"Cookie: " + cookie + b"\r\nHost:") + body

    def jobs_made() -> int:
        with parts.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Job)) or 0

    with serving(app) as port, ExitStack() as waiting:
        for _ in range(60):
            sender = waiting.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            sender.sendall(call_in)
        assert settled(lambda: jobs_made() == 60, 30)
        # more wait than there are threads to answer with
        with socket.create_connection(("127.0.0.1", port), timeout=5) as other:
            other.sendall(head("/api/v1/run/protekt", 0))
            assert other.recv(1 << 16).startswith(b"HTTP/1.1 404 ")


def owner_of(client: TestClient) -> dict[str, str]:
    """Make the client somebody, and return its cookies."""
    assert client.post("/api/v1/uploads", files={"file": ("a.jpg", picture())}).status_code == 201
    return dict(client.cookies)


def test_the_call_is_described(client):
    described = client.get("/openapi.json").json()["paths"]["/api/v1/run/{kind}"]["post"]
    form = described["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "options", "preset"}
    assert {"200", "202", "413", "415", "422"} <= set(described["responses"])
    with pytest.raises(Fault):
        run.options_in({"options": "null"})


def test_nothing_of_an_upload_is_left_unowned(client, parts):
    assert call(client, wait=0).status_code == 202
    with parts.database.reading() as session:
        upload = session.scalars(select(Upload)).one()
        job = session.scalars(select(Job)).one()
    assert (job.upload_id, job.owner, job.name) == (upload.id, upload.owner, "photo.jpg")
