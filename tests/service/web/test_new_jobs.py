"""Asking for a job: what is taken, what is refused, and how many."""

from __future__ import annotations

import datetime
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from tests.service.web.callers import JOBS, bring, caller, program, report, row, wish

from deepguard.service.queue import QueueDown
from deepguard.service.states import State
from deepguard.service.tables import Job, Quota, identifier
from deepguard.service.web import jobs as web_jobs
from deepguard.service.web.app import make_app


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
        ({"strength": 0}, "strength must be more than 0, not 0"),
        ({"strength": 4.5}, "strength must be at most 4, not 4.5"),
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
    body = json.dumps(wish(upload, strength="here")).replace('"here"', value)
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
