"""Jobs over the API: by whom they are asked for, seen, stopped, tried again and deleted."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from tests.service.web.callers import bring, caller, program, put, report, row

from deepguard.service.parts import Parts, open_parts
from deepguard.service.queue import QueueDown
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import ACTIVE, State
from deepguard.service.store import StoreDown
from deepguard.service.tables import Job, Outcome, Quota, Result, Table, Upload, Visit, identifier, now
from deepguard.service.web import jobs as web_jobs
from deepguard.service.web.app import make_app

JOBS = "/api/v1/jobs"


@pytest.fixture
def sent(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that workers were sent for."""
    sent: list[str] = []
    monkeypatch.setattr(parts.sender, "send", sent.append)
    return sent


@pytest.fixture
def me(app: FastAPI, client: TestClient, parts: Parts, sent: list[str]) -> TestClient:
    """Somebody who has been here before; a worker has reported."""
    report(parts)
    return caller(app, parts)[0]


def whoever(parts: Parts) -> str:
    """The owner of the first visit."""
    with parts.database.reading() as session:
        return f"visit:{session.scalars(select(Visit.id)).one()}"


@pytest.fixture
def owner(me: TestClient, parts: Parts) -> str:
    """Who `me` is."""
    return whoever(parts)


@pytest.fixture
def upload(parts: Parts, owner: str) -> str:
    """An upload of mine."""
    return bring(parts, owner)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Parts]:
    """A service with narrow limits."""
    made = open_parts(
        ServiceSettings(
            home=tmp_path / "home", queue_length=3, queue_length_each=2, jobs_per_day=3, store_bytes=100, _env_file=None
        )
    )
    Table.metadata.create_all(made.database.engine)
    report(made)
    yield made
    made.database.close()


def wish(upload: str, **options: object) -> dict[str, object]:
    return {"kind": "protect", "upload": upload, "options": options}


def test_a_job_is_written_down_estimated_and_sent_for(me, owner, upload, parts, sent):
    answer = me.post(JOBS, json=wish(upload, preset="strong", steps=5))
    assert answer.status_code == 201
    job = answer.json()
    assert job["state"] == "queued"
    assert (job["name"], job["upload"], job["options"]) == ("a.jpg", upload, {"preset": "strong", "steps": 5})
    # the first guess for 2 megapixels
    assert job["estimate"] == 28.0
    assert (job["error"], job["results"], job["summary"], job["attempt"], job["started"]) == (None, [], {}, 0, None)
    assert job["progress"] == {
        "stage": "", "done": 0, "total": 0, "share": 0.0, "seconds_left": None, "detectors": {}
    }  # fmt: skip
    assert job["address"] == f"http://testserver/jobs/{job['id']}"
    assert answer.headers["location"] == f"http://testserver{JOBS}/{job['id']}"
    kept = datetime.datetime.fromisoformat(job["expires"]) - datetime.datetime.fromisoformat(job["created"])
    assert abs(kept - datetime.timedelta(hours=24)) < datetime.timedelta(seconds=5)
    assert all(job[name].endswith("Z") for name in ("created", "queued", "expires"))
    assert sent == [job["id"]]
    made = row(parts, job["id"])
    assert (made.owner, made.request_id) == (owner, answer.headers["x-request-id"])
    assert me.get(answer.headers["location"]).json() == job


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"presett": "strong"}, "there is no option called presett; did you mean preset?"),
        ({"preset": "stong"}, "there is no value of preset called stong; did you mean strong?"),
        ({"detectors": ["mtcn"]}, "there is no value of detectors called mtcn; did you mean mtcnn?"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"steps": 1.5}, "steps must be a whole number, not 1.5"),
        ({"steps": True}, "steps must be a whole number, not true"),
        ({"epsilon": 0}, "epsilon must be more than 0, not 0"),
        ({"steps": 10**30}, "steps must be at most 200, not 1" + "0" * 30),
        ({"preset": "x" * 5000}, "there is no value of preset called " + "x" * 60 + "...; known are: balanced, strong"),
    ],
)
def test_an_option_that_does_not_fit_is_named_in_one_sentence(me, upload, parts, sent, options, said):
    answer = me.post(JOBS, json=wish(upload, **options))
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (422, "option", said)
    with parts.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
    assert sent == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"\\ud800"', "1e999"])
def test_what_is_no_json_in_the_end_is_refused_before_a_database_sees_it(me, upload, value):
    body = json.dumps(wish(upload, epsilon="here")).replace('"here"', value)
    answer = me.post(JOBS, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "option")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", r'{"kind":"protect","upload":"x","\ud800":1}'),
        ("", r'{"kind":"\ud800","upload":"x"}'),
        ("", r'{"kind":"protect","upload":"\ud800"}'),
        ("", r'{"kind":"protect","upload":"x","options":{"\ud800":1}}'),
        ("", '{"kind":"protect","upload":"x","options":{"a":' + "[" * 5000 + "]" * 5000 + "}}"),
        ("", '{"kind":"protect","upload":"x","options":{"steps":' + "9" * 5000 + "}}"),
        ("/delete", r'{"ids":["\ud800"]}'),
        ("/delete", r'{"ids":["a\u0000b"]}'),
    ],
)
def test_odd_json_is_no_fault_of_the_service(me, path, body):
    answer = me.post(f"{JOBS}{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {200, 400, 422}


def test_an_unknown_kind_is_answered_with_the_nearest(me, upload):
    answer = me.post(JOBS, json=wish(upload) | {"kind": "protct"})
    assert (answer.status_code, answer.json()["message"]) == (
        422,
        "there is no kind of job called protct; did you mean protect?",
    )


@pytest.mark.parametrize("body", [{}, {"kind": "protect"}, {"kind": 1, "upload": "a"}, [], "text", None])
def test_a_wish_that_is_none_is_refused(me, body):
    assert me.post(JOBS, json=body).status_code == 422


def test_an_unknown_field_is_refused(me, upload):
    assert me.post(JOBS, json=wish(upload) | {"owner": "visit:2"}).status_code == 422


def test_before_a_worker_has_reported_there_are_no_jobs(app, client, parts):
    somebody, owner = caller(app, parts)
    answer = somebody.post(JOBS, json=wish(bring(parts, owner)))
    assert (answer.status_code, answer.json()["code"]) == (503, "starting")
    assert int(answer.headers["retry-after"]) > 0


def test_somebody_elses_upload_is_none_and_an_expired_one_is_gone(me, owner, parts):
    for upload in (bring(parts, "visit:other"), identifier(), "nothing", "../../etc", "a\x00b"):
        assert me.post(JOBS, json=wish(upload)).status_code == 404
    answer = me.post(JOBS, json=wish(bring(parts, owner, hours=-1)))
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")


def test_a_job_is_accepted_while_the_queue_is_down(me, upload, parts, monkeypatch):
    def down(job_id: str) -> None:
        raise QueueDown("the queue does not answer")

    monkeypatch.setattr(parts.sender, "send", down)
    answer = me.post(JOBS, json=wish(upload))
    assert answer.status_code == 201
    assert row(parts, answer.json()["id"]).state == State.QUEUED


def test_a_job_is_sent_for_only_after_it_can_be_seen(me, upload, parts, monkeypatch):
    seen = []
    monkeypatch.setattr(parts.sender, "send", lambda job_id: seen.append(row(parts, job_id).state))
    assert me.post(JOBS, json=wish(upload)).status_code == 201
    assert seen == [State.QUEUED]


def test_the_same_key_and_wish_give_the_same_job_and_another_wish_is_refused(me, upload, sent):
    headers = {"Idempotency-Key": "photo-1"}
    first = me.post(JOBS, json=wish(upload, steps=5), headers=headers)
    again = me.post(JOBS, json=wish(upload, steps=5), headers=headers)
    other = me.post(JOBS, json=wish(upload, steps=6), headers=headers)
    capital = me.post(JOBS, json=wish(upload, steps=5), headers={"Idempotency-Key": "Photo-1"})
    assert [each.status_code for each in (first, again, other, capital)] == [201, 200, 409, 201]
    assert again.headers["idempotent-replay"] == "true"
    assert "idempotent-replay" not in first.headers
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert other.json()["code"] == "idempotency"
    assert len(sent) == 2


def test_a_key_of_somebody_else_is_another_key(app, me, upload, parts):
    headers = {"Idempotency-Key": "photo-1"}
    first = me.post(JOBS, json=wish(upload), headers=headers)
    other, owner = program(app, parts)
    second = other.post(JOBS, json=wish(bring(parts, owner)), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


def test_ten_at_once_with_the_same_key_make_one_job(any_parts, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(any_parts.sender, "send", sent.append)
    report(any_parts)
    app = make_app(any_parts)
    ready = threading.Barrier(10)
    with TestClient(app):
        somebody, owner = program(app, any_parts)
        body, headers = wish(bring(any_parts, owner)), {"Idempotency-Key": "one"}

        def ask(number: int) -> tuple[int, str]:
            ready.wait()
            answer = somebody.post(JOBS, json=body, headers=headers)
            return answer.status_code, answer.json()["id"]

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(ask, range(10)))
    assert sorted(status for status, _ in answers) == [200] * 9 + [201]
    assert {job_id for _, job_id in answers} == set(sent)
    assert len(sent) == 1
    with any_parts.database.reading() as session:
        # what was rolled back costs nothing
        assert session.scalar(select(Quota.used)) == 1


def test_many_at_once_without_a_key_make_as_many_jobs(any_parts, monkeypatch):
    monkeypatch.setattr(any_parts.sender, "send", lambda job_id: None)
    report(any_parts)
    app = make_app(any_parts)
    with TestClient(app):
        somebody, owner = program(app, any_parts)
        upload = bring(any_parts, owner)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: somebody.post(JOBS, json=wish(upload)).status_code, range(24)))
    assert answers == [201] * 24
    with any_parts.database.reading() as session:
        assert session.scalar(select(Quota.used)) == 24


def test_a_database_that_really_fails_is_not_tried_for_ever(me, upload, monkeypatch):
    tries = []

    def fail(*given: object) -> None:
        tries.append(given)
        raise OperationalError("SELECT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(web_jobs, "_new", fail)
    answer = me.post(JOBS, json=wish(upload))
    assert (answer.status_code, answer.json()["code"], len(tries)) == (503, "database_down", 1)


def test_each_may_wait_with_so_many_and_all_with_so_many(small, monkeypatch):
    monkeypatch.setattr(small.sender, "send", lambda job_id: None)
    app = make_app(small)
    with TestClient(app):
        (first, one), (second, two) = caller(app, small), program(app, small)
        mine, other = bring(small, one), bring(small, two)
        assert [first.post(JOBS, json=wish(mine)).status_code for _ in range(3)] == [201, 201, 429]
        answers = [second.post(JOBS, json=wish(other)) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 429]
    assert answers[1].json()["code"] == "queue_full"
    assert int(answers[1].headers["retry-after"]) >= 1


def test_the_day_has_so_many_jobs_and_what_was_refused_is_not_counted(small, monkeypatch):
    monkeypatch.setattr(small.sender, "send", lambda job_id: None)
    app = make_app(small)
    with TestClient(app):
        somebody, owner = caller(app, small)
        upload = bring(small, owner)
        assert somebody.post(JOBS, json=wish(upload, preset="none")).status_code == 422
        for _ in range(3):
            job_id = somebody.post(JOBS, json=wish(upload)).json()["id"]
            assert somebody.post(f"{JOBS}/{job_id}/cancel").status_code == 200
            somebody.post(f"{JOBS}/delete", json={"ids": [job_id]})
            upload = bring(small, owner)
        answer = somebody.post(JOBS, json=wish(upload))
    assert (answer.status_code, answer.json()["code"]) == (429, "quota")
    assert 0 < int(answer.headers["retry-after"]) <= 24 * 3600


def test_a_full_store_takes_no_job(small, monkeypatch):
    app = make_app(small)
    with TestClient(app):
        somebody, owner = caller(app, small)
        answer = somebody.post(JOBS, json=wish(bring(small, owner, size=100)))
    assert (answer.status_code, answer.json()["code"]) == (507, "store_full")


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


def test_pages_are_stable_while_jobs_are_added(any_parts):
    report(any_parts)
    app = make_app(any_parts)
    moment = now()
    with TestClient(app):
        somebody, owner = caller(app, any_parts)
        # some in the same microsecond
        first = {put(any_parts, owner, created=moment - datetime.timedelta(seconds=n // 3)) for n in range(10)}
        listed: list[str] = []
        cursor = ""
        while True:
            page = somebody.get(JOBS, params={"limit": 3, "cursor": cursor}).json()
            listed += [each["id"] for each in page["jobs"]]
            put(any_parts, owner, created=moment + datetime.timedelta(seconds=1))
            cursor = page["next"]
            if cursor is None:
                break
        assert len(listed) == len(first)
        assert set(listed) == first
        newest = somebody.get(JOBS, params={"limit": 100}).json()
    times = [each["created"] for each in newest["jobs"]]
    assert (len(times), newest["next"]) == (14, None)
    assert times == sorted(times, reverse=True)


FOUND = {
    "휴가": ["여름 휴가.jpg"],
    # the same in the form that some systems take names apart into
    "\u1112\u1172\u1100\u1161": ["여름 휴가.jpg"],
    "100%": ["100%_sure.jpg"],
    "%": ["100%_sure.jpg"],
    "_": ["100%_sure.jpg"],
    "HOLIDAY": ["holiday.PNG"],
    ".png": ["holiday.PNG"],
    "\\": ["back\\slash.jpg"],
    "/": [],
    "a\x00b": [],
    "' OR 1=1 --": [],
}


def test_a_search_finds_names_by_their_letters_and_nothing_else(any_parts):
    app = make_app(any_parts)
    with TestClient(app):
        somebody, owner = caller(app, any_parts)
        for name in ("여름 휴가.jpg", "100%_sure.jpg", "holiday.PNG", "back\\slash.jpg"):
            put(any_parts, owner, name=name)
        listed = {text: somebody.get(JOBS, params={"search": text}).json()["jobs"] for text in FOUND}
    assert {text: [each["name"] for each in jobs] for text, jobs in listed.items()} == FOUND


def test_lists_are_narrowed_by_state_and_kind(me, owner, parts):
    done = put(parts, owner, State.DONE)
    other = put(parts, owner, kind="find")
    assert [each["id"] for each in me.get(JOBS, params={"state": "done"}).json()["jobs"]] == [done]
    assert [each["id"] for each in me.get(JOBS, params={"kind": "find"}).json()["jobs"]] == [other]
    assert me.get(JOBS, params={"kind": "\x00"}).json()["jobs"] == []
    (shown,) = me.get(JOBS, params={"state": "done"}).json()["jobs"]
    assert shown == me.get(f"{JOBS}/{done}").json()
    assert [each["name"] for each in shown["results"]] == ["picture"]
    assert me.get(shown["results"][0]["url"]).content == b"picture"


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"state": "sleeping"},
        {"cursor": "nothing"},
        {"cursor": "WzEsMl0="},
        {"cursor": "é"},
        # the first year, which cannot be brought to another time zone
        {"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjAwIiwgIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd"},
        {"search": "x" * 256},
    ],
)
def test_a_list_that_cannot_be_is_refused(me, query):
    answer = me.get(JOBS, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "option")


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
