"""Jobs over the API: by whom they are seen, stopped, tried again and deleted."""

from __future__ import annotations

import datetime
import json

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from tests.service.web.callers import JOBS, bring, caller, program, put, row, wish

from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE, State
from deepguard.service.store import StoreDown
from deepguard.service.tables import Job, Outcome, Quota, Result, Upload, identifier, now
from deepguard.service.web.app import make_app


@pytest.fixture
def others(app: FastAPI, me: TestClient, owner: str, parts: Parts) -> dict[str, TestClient]:
    """Everybody who may come by."""
    return {
        "anonymous": TestClient(app, raise_server_exceptions=False),
        "stranger": caller(app, parts)[0],
        "key": program(app, parts)[0],
        "owner": me,
        "admin": program(app, parts, admin=True)[0],
    }


ASKED = {
    "show": (State.DONE, "GET", "", 200),
    "results": (State.DONE, "GET", "/results", 200),
    "cancel": (State.QUEUED, "POST", "/cancel", 200),
    "retry": (State.FAILED, "POST", "/retry", 200),
    "delete": (State.DONE, "DELETE", "", 204),
}


@pytest.mark.parametrize("who", ["anonymous", "stranger", "key", "owner", "admin"])
@pytest.mark.parametrize("what", ASKED)
def test_a_job_is_there_for_its_owner_and_an_admin_only(others, owner, upload, parts, who, what):
    state, method, path, status = ASKED[what]
    job_id = put(parts, owner, state, upload_id=upload)
    answer = others[who].request(method, f"{JOBS}/{job_id}{path}")
    allowed = who in {"owner", "admin"}
    assert answer.status_code == (status if allowed else 404)
    if not allowed:
        assert answer.json()["code"] == "not_found"
        assert row(parts, job_id).state == state


@pytest.mark.parametrize("who", ["anonymous", "stranger", "key", "owner", "admin"])
def test_everybody_lists_their_own_jobs_and_an_admin_those_of_all(others, owner, parts, who):
    job_id = put(parts, owner)
    listed = others[who].get(JOBS)
    assert [each["id"] for each in listed.json()["jobs"]] == ([job_id] if who == "owner" else [])
    everybody = others[who].get(JOBS, params={"all": "true"})
    if who == "admin":
        assert [each["id"] for each in everybody.json()["jobs"]] == [job_id]
    else:
        assert (everybody.status_code, everybody.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("who", ["anonymous", "stranger", "key", "owner", "admin"])
def test_the_share_token_is_told_to_the_owner_and_lets_anybody_read_and_nothing_more(others, owner, parts, who):
    job_id = put(parts, owner)
    share = row(parts, job_id).share
    shown = others[who].get(f"{JOBS}/{job_id}", params={"share": share})
    assert shown.status_code == 200
    assert shown.json()["share"] == (share if who == "owner" else None)
    wrong = others[who].get(f"{JOBS}/{job_id}", params={"share": "é"})
    assert wrong.status_code == (200 if who in {"owner", "admin"} else 404)
    if who not in {"owner", "admin"}:
        assert others[who].post(f"{JOBS}/{job_id}/cancel", params={"share": share}).status_code == 404


@pytest.mark.parametrize("job_id", ["nothing", "%00", "..%2F..", "0" * 36, "'; DROP TABLE jobs; --", "é" * 36])
def test_a_job_that_cannot_be_is_not_there(me, job_id):
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")):
        answer = me.request(method, f"{JOBS}/{job_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_job_that_has_not_changed_is_not_sent_again(me, owner, parts):
    job_id = put(parts, owner)
    tag = me.get(f"{JOBS}/{job_id}").headers["etag"]
    same = me.get(f"{JOBS}/{job_id}", headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    me.post(f"{JOBS}/{job_id}/cancel")
    changed = me.get(f"{JOBS}/{job_id}", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


@pytest.mark.parametrize(
    ("state", "status", "after"),
    [
        (State.QUEUED, 200, State.CANCELLED),
        (State.RUNNING, 202, State.CANCELLING),
        (State.CANCELLING, 200, State.CANCELLING),
        (State.CANCELLED, 200, State.CANCELLED),
        (State.DONE, 409, State.DONE),
        (State.FAILED, 409, State.FAILED),
        (State.EXPIRED, 409, State.EXPIRED),
    ],
)
def test_cancelling_from_every_state_also_twice(me, owner, parts, state, status, after):
    job_id = put(parts, owner, state)
    answer = me.post(f"{JOBS}/{job_id}/cancel")
    assert (answer.status_code, row(parts, job_id).state) == (status, after)
    assert answer.json()["code"] == "wrong_state" if status == 409 else answer.json()["state"] == after
    assert me.post(f"{JOBS}/{job_id}/cancel").status_code == (409 if status == 409 else 200)


@pytest.mark.parametrize("state", State)
def test_only_what_failed_or_was_cancelled_is_tried_again(me, owner, upload, parts, sent, state):
    job_id = put(parts, owner, state, upload_id=upload)
    answer = me.post(f"{JOBS}/{job_id}/retry")
    if state in {State.FAILED, State.CANCELLED}:
        assert (answer.status_code, answer.json()["state"], sent) == (200, "queued", [job_id])
        left = datetime.datetime.fromisoformat(answer.json()["expires"]) - now()
        assert left > datetime.timedelta(hours=23)
        with parts.database.reading() as session:
            assert session.scalars(select(Quota.used)).all() == [1, 1]
    else:
        assert (answer.status_code, answer.json()["code"], sent) == (409, "wrong_state", [])
        assert row(parts, job_id).state == state


def test_a_job_whose_file_is_gone_cannot_be_tried_again(me, owner, parts):
    for upload in (identifier(), bring(parts, owner, hours=-1)):
        job_id = put(parts, owner, State.FAILED, upload_id=upload)
        answer = me.post(f"{JOBS}/{job_id}/retry")
        assert (answer.status_code, answer.json()["code"]) == (410, "expired")
        assert row(parts, job_id).state == State.FAILED


def test_trying_again_has_the_limits_of_a_new_job(small, monkeypatch):
    monkeypatch.setattr(small.sender, "send", lambda job_id: None)
    app = make_app(small)
    with TestClient(app):
        somebody, owner = caller(app, small)
        upload = bring(small, owner)
        for _ in range(2):
            put(small, owner)
        failed = put(small, owner, State.FAILED, upload_id=upload)
        answer = somebody.post(f"{JOBS}/{failed}/retry")
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert row(small, failed).state == State.FAILED


def test_delete_now_means_now(me, owner, upload, parts):
    job_id = put(parts, owner, State.DONE, upload_id=upload)
    assert me.delete(f"{JOBS}/{job_id}").status_code == 204
    assert list(parts.store.everything()) == []
    with parts.database.reading() as session:
        assert [session.scalar(select(func.count()).select_from(each)) for each in (Job, Result, Upload)] == [0, 0, 0]
    for path in ("", "/results", "/results/picture", "/qr.svg"):
        assert me.get(f"{JOBS}/{job_id}{path}").status_code == 404
    assert me.delete(f"{JOBS}/{job_id}").status_code == 404


def test_the_upload_stays_while_another_job_needs_it(me, owner, upload, parts):
    first, second = (put(parts, owner, State.DONE, upload_id=upload) for _ in range(2))
    expired = put(parts, owner, State.EXPIRED, upload_id=upload)
    me.delete(f"{JOBS}/{first}")
    assert parts.store.holds(f"uploads/{upload}")
    assert me.get(f"/api/v1/uploads/{upload}").status_code == 200
    me.delete(f"{JOBS}/{second}")
    # one that has expired can do nothing with it any more
    assert row(parts, expired) is not None
    assert list(parts.store.everything()) == []
    assert me.get(f"/api/v1/uploads/{upload}").status_code == 404


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_a_job_that_is_not_over_must_be_cancelled_first(me, owner, upload, parts, state):
    job_id = put(parts, owner, State(state), upload_id=upload)
    answer = me.delete(f"{JOBS}/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "cancel it first" in answer.json()["message"]
    assert parts.store.holds(f"uploads/{upload}")


def test_several_are_deleted_at_once_and_the_others_named_with_why(me, owner, upload, parts):
    done, failed, shared = (
        put(parts, owner, each, upload_id=upload) for each in (State.DONE, State.FAILED, State.CANCELLED)
    )
    running, foreign, nothing = put(parts, owner, State.RUNNING), put(parts, "visit:2", State.DONE), "%"
    answer = me.post(f"{JOBS}/delete", json={"ids": [done, failed, shared, done, running, foreign, nothing]})
    assert answer.json()["deleted"] == [done, failed, shared]
    refused = {each["id"]: each["code"] for each in answer.json()["refused"]}
    assert refused == {running: "wrong_state", foreign: "not_found", nothing: "not_found"}
    assert [each.key for each in parts.store.everything()] == [f"results/{foreign}/1/picture"]
    assert me.post(f"{JOBS}/delete", json={"ids": [done] * 201}).status_code == 422
    assert me.post(f"{JOBS}/delete", json={"ids": []}).status_code == 422


def test_a_store_that_is_down_stops_a_deletion_and_the_next_one_does_the_rest(me, owner, upload, parts, monkeypatch):
    job_id = put(parts, owner, State.DONE, upload_id=upload)
    with monkeypatch.context() as broken:
        broken.setattr(parts.store, "delete", lambda *keys: (_ for _ in ()).throw(StoreDown("no answer")))
        answer = me.delete(f"{JOBS}/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_down")
    # nobody gets anything of it meanwhile
    assert me.get(f"{JOBS}/{job_id}").json()["state"] == "expired"
    assert me.get(f"{JOBS}/{job_id}/results/picture").status_code == 410
    assert me.delete(f"{JOBS}/{job_id}").status_code == 204
    assert list(parts.store.everything()) == []
    assert row(parts, job_id) is None


def test_the_log_of_a_job_is_copied_before_the_job_is_deleted(me, owner, parts):
    job_id = put(parts, owner, State.FAILED, error_code="no_face", ended=now())
    me.delete(f"{JOBS}/{job_id}")
    copies = [json.loads(each.read_bytes()) for each in parts.settings.log_folder.glob("*.json")]
    assert [(each["id"], each["code"]) for each in copies] == [(job_id, "no_face")]


def test_deleting_leaves_what_statistics_need(me, owner, upload, parts):
    job_id = me.post(JOBS, json=wish(upload)).json()["id"]
    me.post(f"{JOBS}/{job_id}/cancel")
    me.delete(f"{JOBS}/{job_id}")
    with parts.database.reading() as session:
        assert session.scalars(select(Outcome.state)).all() == ["cancelled"]


def test_a_failed_job_says_why_and_a_running_one_how_far_it_is(me, owner, parts):
    failed = put(parts, owner, State.FAILED, error_code="no_face", error_message="there is no face")
    assert me.get(f"{JOBS}/{failed}").json()["error"] == {"code": "no_face", "message": "there is no face"}
    running = put(parts, owner, State.RUNNING)
    progress = {
        "stage": "protect",
        "done": 3,
        "total": 40,
        "share": 0.2,
        "seconds_left": 12.5,
        "detectors": {"mtcnn": True, "retinaface": False},
    }
    with parts.database.writing() as session:
        session.get_one(Job, running).progress = progress
    assert me.get(f"{JOBS}/{running}").json()["progress"] == progress


def test_a_database_that_is_down_is_a_503_that_ends_by_itself(me, owner, parts, monkeypatch):
    job_id = put(parts, owner)
    with monkeypatch.context() as broken:

        def down() -> None:
            raise OperationalError("SELECT", {}, Exception("no connection"))

        broken.setattr(parts.database, "reading", down)
        answer = me.get(f"{JOBS}/{job_id}")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_down")
        assert "retry-after" in answer.headers
    assert me.get(f"{JOBS}/{job_id}").status_code == 200
