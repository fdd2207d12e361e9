"""Requests made up from the OpenAPI description, right and wrong ones: none makes the service fail."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import schemathesis
import torch
from fastapi import FastAPI
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from sqlalchemy import update

from deepguard.service import clock, jobs, keys
from deepguard.service.kinds.roles import kinds
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Upload, Worker, now
from deepguard.weights.shelf import Shelf

EXAMPLES = 40


@pytest.fixture(scope="session")
def abilities(empty_shelf: Shelf) -> dict[str, Any]:
    """What a worker without weights publishes."""
    made = {name: kinds.create(name, empty_shelf, torch.device("cpu")) for name in kinds.names()}
    return {name: dataclasses.asdict(kind.ability(empty_shelf)) for name, kind in made.items()}


@pytest.fixture
def api_schema(app: FastAPI, parts: Parts, abilities: dict[str, Any]) -> Any:
    """The description of a service with a worker, an upload, and a job in every state."""
    with parts.database.writing() as session:
        wish = keys.Wish("fuzz", admin=True, rate="100000/minute", jobs_per_day=100_000)
        key, token = keys.create(session, wish)
        owner = f"key:{key.id}"
        session.add(
            Worker(name="one", host="here", pid=1, version="0", ready=True, inferred=now(), abilities=abilities)
        )
        expires = clock.expiry(session, 24)
        facts = {"name": "face.png", "container": "PNG", "size": 4, "sha256": "0" * 64, "width": 2, "height": 2}
        upload = Upload(owner=owner, expires=expires, **facts)
        session.add(upload)
        session.flush()
        parts.store.put(f"uploads/{upload.id}", b"face")
        made = [
            jobs.new_job(kind="find", owner=owner, name="face.png", upload_id=upload.id, options={}, expires=expires)
            for _ in State
        ]
        for job, state in zip(made, State, strict=True):
            job.state = state
        session.add_all(made)
        session.flush()
        known = {"upload_id": [upload.id], "job_id": [job.id for job in made], "key_id": [key.id]}
        app.state.known = known
        app.state.token = token
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_makes_the_service_fail(mode: GenerationMode, api_schema: Any, app: FastAPI, parts: Parts) -> None:
    operations = [each.ok() for each in api_schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        # on a slow machine the worker would be taken for dead before all is asked
        with parts.database.writing() as session:
            session.execute(update(Worker).values(seen=now()))

        @seed(0)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            hold(case, app)

        try:
            ask()
        except Unsatisfiable:
            # nothing can be wrong about an address without parameters
            assert mode is GenerationMode.NEGATIVE


def hold(case: Case, app: FastAPI) -> None:
    """Send one request and look at the answer."""
    known = app.state.known
    for name in known.keys() & (case.path_parameters or {}).keys():
        # most made-up ids exist nowhere; one in three is one that does
        value = str(case.path_parameters[name])
        if len(value) % 3 == 0 and name != "key_id":
            case.path_parameters[name] = known[name][len(value) // 3 % len(known[name])]
    if isinstance(case.body, dict) and isinstance(case.body.get("upload"), str):
        case.body["upload"] = known["upload_id"][0]
        if len(str(case.body.get("kind"))) % 2:
            case.body["kind"] = "find"
    if case.path.startswith("/api/v1/run") or "wait" in (case.query or {}):
        case.query = {**(case.query or {}), "wait": 0}
    answer = case.call(headers={"Authorization": f"Bearer {app.state.token}"})
    assert answer.status_code < 500, (answer.status_code, answer.text)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"code", "message", "details", "request_id"}


def test_the_description_names_every_address(app: FastAPI) -> None:
    described = set(app.openapi()["paths"])
    assert {"/api/v1/uploads", "/api/v1/jobs", "/api/v1/run/{kind}", "/api/v1/estimates", "/readyz"} <= described
    operations = [each for path in app.openapi()["paths"].values() for each in path.values()]
    assert all(each.get("summary") for each in operations)
