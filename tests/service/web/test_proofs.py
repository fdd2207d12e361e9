"""Jobs of the test bench over the API: what they go on from, how many, whose face it is, and what becomes of them."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from tests.service.benches import claimed
from tests.service.household import HOUR, later
from tests.service.web.callers import ABILITIES, JOBS, bring, caller, program, put, report, row
from tests.service.web.visitors import browser

from deepguard.errors import OptionError
from deepguard.service import jobs, removal
from deepguard.service.clock import tick
from deepguard.service.jobs import Ending
from deepguard.service.kinds.prove import Prove
from deepguard.service.parts import Parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Statement, Upload, identifier, now
from deepguard.service.web.app import make_app
from deepguard.service.web.proofs import STATEMENT, columns
from deepguard.weights.shelf import Shelf

SECOND = datetime.timedelta(seconds=1)
SHEET = {"sheet": True, STATEMENT: "self"}


@pytest.fixture
def proving(parts: Parts, me: TestClient) -> None:
    """A worker has reported that it proves."""
    ability = dataclasses.asdict(Prove().ability(Shelf(parts.settings.home / "models", offline=True)))
    report(parts, "proving", abilities={**ABILITIES, "detect": ABILITIES["find"], "prove": ability})
    with parts.database.writing() as session:
        tick(session)


@pytest.fixture
def done(parts: Parts, owner: str, upload: str) -> str:
    """A protected photo of mine."""
    return put(parts, owner, State.DONE, upload_id=upload, expires=now() + 20 * HOUR)


def wish(upload: str, of: str, **options: Any) -> dict[str, Any]:
    return {"kind": "prove", "upload": upload, "options": {"of": of, **options}}


def ask(client: TestClient, upload: str, of: str, **options: Any) -> Any:
    return client.post(JOBS, json=wish(upload, of, **options))


def asked(client: TestClient, upload: str, of: str, **options: Any) -> dict[str, Any]:
    answer = ask(client, upload, of, **options)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def count(parts: Parts, table: type) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def finish(parts: Parts, job_id: str, *names: str) -> list[str]:
    """Let a worker end a proof with these results, and return where they lie."""
    held = claimed(parts, job_id)
    keys = [f"results/{job_id}/1/{name}" for name in names]
    for key in keys:
        parts.store.put(key, b"seen")
    results = [
        Result(
            job_id=job_id, name=name, position=at, filename=name, media_type="image/png", size=4, sha256="0", key=key
        )
        for at, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    with parts.database.writing() as session:
        assert jobs.end(session, held, Ending(State.DONE, results=results))
    return keys


def test_a_proof_goes_on_from_a_protected_photo_of_mine(me, parts, proving, upload, done, sent) -> None:
    job = asked(me, upload, done)
    assert (job["kind"], job["upload"], job["state"], job["share"]) == ("prove", upload, "queued", "")
    assert job["options"] == {"of": done}
    assert job["estimate"] > 0
    assert sent == [job["id"]]
    assert count(parts, Statement) == 0
    assert me.post("/api/v1/estimates", json=wish(upload, done)).json()["seconds"] == job["estimate"]


def test_a_proof_of_a_photo_alone_needs_no_earlier_job(me, proving, upload) -> None:
    assert me.post(JOBS, json={"kind": "prove", "upload": upload, "options": {}}).status_code == 201


def test_somebody_elses_job_and_one_that_is_none_are_none(me, app, parts, proving, upload, done) -> None:
    _, other = caller(app, parts)
    theirs = put(parts, other, State.DONE, upload_id=upload)
    for of in (identifier(), theirs, "nothing", "../../etc", "a\x00b"):
        answer = ask(me, upload, of)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), of
    # an admin may look at my jobs, but prove nothing of them
    admin, _ = program(app, parts, admin=True)
    assert ask(admin, upload, done).status_code == 404


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.CANCELLING, State.FAILED, State.CANCELLED])
def test_a_job_that_is_not_done_cannot_be_gone_on_from(me, parts, owner, proving, upload, state) -> None:
    answer = ask(me, upload, put(parts, owner, state, upload_id=upload))
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert answer.json()["message"] == f"the job that `of` names is {state}; it must be done first"


def test_a_job_whose_files_are_gone_says_what_to_do(me, parts, owner, proving, upload) -> None:
    answer = ask(me, upload, put(parts, owner, State.EXPIRED, upload_id=upload))
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")
    assert "protect it again" in answer.json()["message"]


def test_a_job_of_another_kind_or_about_another_photo_is_refused(me, parts, owner, proving, upload, done) -> None:
    answer = ask(me, upload, put(parts, owner, State.DONE, kind="detect", upload_id=upload))
    assert (answer.status_code, answer.json()["code"]) == (422, "option")
    assert answer.json()["message"] == "the job that `of` names is of the kind detect; name one of protect"
    answer = ask(me, bring(parts, owner, name="somebody else.jpg"), done)
    assert (answer.status_code, answer.json()["code"]) == (422, "option")
    assert "about another photo" in answer.json()["message"]


def test_a_photo_sent_with_the_wish_cannot_stand_beside_an_earlier_job(me, proving, done, upload) -> None:
    answer = me.post(
        "/api/v1/run/prove",
        files={"file": ("you.jpg", b"\xff\xd8\xff\xe0else")},
        data={"options": f'{{"of": "{done}"}}'},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "option")


@pytest.mark.parametrize("shown", ["sheet", "clip"])
def test_nothing_is_shown_without_a_statement(me, parts, proving, upload, done, shown) -> None:
    answer = ask(me, upload, done, **{shown: True})
    assert (answer.status_code, answer.json()["code"]) == (422, "option")
    assert answer.json()["message"].startswith("the option statement is missing: whose face it is must be stated")
    assert ask(me, upload, done, **{shown: True, STATEMENT: "mine"}).status_code == 422
    assert (count(parts, Statement), count(parts, Job)) == (0, 1)


def test_a_statement_is_recorded_before_anything_is_made(me, parts, owner, proving, upload, done) -> None:
    with parts.database.writing() as session:
        session.get_one(Upload, upload).sha256 = "ab" * 32
    with capture_logs() as said:
        job = asked(me, upload, done, **SHEET)
    assert row(parts, job["id"]).state == State.QUEUED
    with parts.database.reading() as session:
        kept = session.scalars(select(Statement)).one()
    assert (kept.job_id, kept.owner, kept.sha256, kept.said) == (job["id"], owner, "ab" * 32, "self")
    assert abs(kept.stated - now()) < HOUR
    assert {"job_id": job["id"], "owner": owner, "said": "self"}.items() <= next(
        each.items() for each in said if each["event"] == "a statement was recorded"
    )


def test_a_statement_outlives_the_job_and_goes_in_its_time(me, parts, proving, upload, done) -> None:
    job = asked(me, upload, done, **SHEET)["id"]
    finish(parts, job, "report", "sheet-ko")
    assert me.delete(f"{JOBS}/{job}").status_code == 204
    removal.forget(parts)
    assert (row(parts, job), count(parts, Statement)) == (None, 1)
    later(parts, 24 * 401 * HOUR)
    removal.forget(parts)
    assert count(parts, Statement) == 0


def test_there_are_so_many_proofs_in_an_hour_and_no_more(me, parts, proving, upload, done, limited) -> None:
    limited("2/hour")
    # what is refused is not counted, and what was asked for before is no new one
    assert ask(me, upload, identifier()).status_code == 404
    assert ask(me, upload, done, sheet=True).status_code == 422
    key = {"Idempotency-Key": "once"}
    for status in (201, 200, 200):
        assert me.post(JOBS, json=wish(upload, done), headers=key).status_code == status
    asked(me, upload, done, **SHEET)
    answer = ask(me, upload, done)
    assert (answer.status_code, answer.json()["code"]) == (429, "proof_rate")
    assert answer.json()["message"].startswith("too many proofs; 2/hour are made here, try again in ")
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    # other work goes on
    assert me.post(JOBS, json={"kind": "protect", "upload": upload, "options": {}}).status_code == 201


def test_dropping_the_cookie_gives_no_further_proofs_and_a_key_has_its_own(app, parts, me, proving, limited) -> None:
    limited("1/hour")

    def prove(client: TestClient) -> int:
        made = client.post("/api/v1/uploads", files={"file": ("me.jpg", b"\xff\xd8\xff\xe0rest")}).json()["id"]
        status: int = client.post(JOBS, json={"kind": "prove", "upload": made, "options": {}}).status_code
        return status

    with browser(parts) as first:
        assert prove(first) == 201
        app_of_both = first.app
    again = TestClient(app_of_both, client=("203.0.113.7", 50001), raise_server_exceptions=False)
    elsewhere = TestClient(app_of_both, client=("203.0.113.8", 50001), raise_server_exceptions=False)
    key, _ = program(app_of_both, parts)
    assert [prove(each) for each in (again, elsewhere, key, key)] == [429, 201, 201, 429]


def test_to_try_a_proof_again_counts_as_one(me, parts, proving, upload, done, limited) -> None:
    limited("1/hour")
    job = asked(me, upload, done)["id"]
    assert me.post(f"{JOBS}/{job}/cancel").status_code == 200
    answer = me.post(f"{JOBS}/{job}/retry")
    assert (answer.status_code, answer.json()["code"]) == (429, "proof_rate")


@pytest.fixture
def limited(me: TestClient, parts: Parts) -> Any:
    """Sets how many proofs there are."""

    def limit(rate: str) -> None:
        object.__setattr__(parts, "settings", parts.settings.model_copy(update={"proof_rate": rate}))

    return limit


def test_a_rate_of_proofs_that_is_none_stops_the_start(parts: Parts) -> None:
    wrong = dataclasses.replace(parts, settings=parts.settings.model_copy(update={"proof_rate": "often"}))
    with pytest.raises(OptionError, match="DEEPGUARD_PROOF_RATE"):
        make_app(wrong)


def test_the_limits_tell_of_proofs(me) -> None:
    found = me.get("/api/v1/limits").json()
    assert (found["proof_rate"], found["proof_seconds"]) == ("12/hour", 3600)


def test_a_proof_has_no_share_link_and_no_code(me, app, parts, proving, upload, done) -> None:
    job = asked(me, upload, done, **SHEET)["id"]
    finish(parts, job, "report", "sheet-ko")
    code = me.get(f"{JOBS}/{job}/qr.svg")
    assert (code.status_code, code.json()["code"]) == (404, "not_found")
    stranger, _ = caller(app, parts)
    for share in ("", " ", "anything"):
        for path in ("", "/results", "/results/sheet-ko", "/qr.svg"):
            assert stranger.get(f"{JOBS}/{job}{path}", params={"share": share}).status_code == 404
    page = me.get(f"/jobs/{job}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "qr.svg" not in page.text


def test_what_a_proof_made_is_delivered_by_nobody_else_and_kept_by_no_browser(me, parts, proving, upload, done) -> None:
    job = asked(me, upload, done, **SHEET)["id"]
    finish(parts, job, "report", "sheet-ko")
    signing = lambda key, lasting: f"https://bucket.example/{key}?signed"  # noqa: E731 - stands for the storage
    object.__setattr__(parts.store, "signed", signing)
    answer = me.get(f"{JOBS}/{job}/results/sheet-ko", follow_redirects=False)
    assert (answer.status_code, answer.content) == (200, b"seen")
    assert answer.headers["cache-control"] == "private, no-store"
    # a protected photo may be fetched from there
    assert me.get(f"{JOBS}/{done}/results/picture", follow_redirects=False).status_code == 307


def test_a_proof_lives_one_hour_from_its_end_and_its_photo_goes_on(me, parts, owner, proving) -> None:
    upload = bring(parts, owner, hours=20)
    done = put(parts, owner, State.DONE, upload_id=upload, expires=now() + 20 * HOUR)
    job = asked(me, upload, done, **SHEET)["id"]
    # it waits for long
    later(parts, 5 * HOUR)
    keys = finish(parts, job, "report", "sheet-ko", "sheet-en", "clip")
    shown = me.get(f"{JOBS}/{job}").json()
    assert shown["state"] == "done"
    later(parts, HOUR - HOUR / 10)
    removal.expire(parts)
    assert all(parts.store.holds(key) for key in keys)
    later(parts, HOUR / 10 + removal.GRACE + SECOND)
    removal.expire(parts)
    assert not any(parts.store.holds(key) for key in keys)
    assert me.get(f"{JOBS}/{job}").json()["state"] == "expired"
    assert me.get(f"{JOBS}/{job}/results/sheet-ko").status_code == 410
    assert me.get(f"{JOBS}/{done}").json()["state"] == "done"
    assert parts.store.holds(f"uploads/{upload}")


def test_an_operator_may_let_it_live_shorter_but_never_longer_than_other_jobs() -> None:
    settings = ServiceSettings(_env_file=None, keep_hours=0.5)
    assert columns({"bench": True}, settings)["lifetime"] == 1800
    assert columns({"bench": False}, settings) == {}


def test_deleting_a_protected_photo_takes_its_proofs_along(me, parts, proving, upload, done) -> None:
    job = asked(me, upload, done, **SHEET)["id"]
    keys = finish(parts, job, "report", "sheet-ko")
    assert me.delete(f"{JOBS}/{done}").status_code == 204
    assert row(parts, job) is None
    assert not any(parts.store.holds(key) for key in [*keys, f"uploads/{upload}"])


def test_a_protected_photo_is_not_deleted_while_it_is_being_proved(me, parts, proving, upload, done) -> None:
    job = asked(me, upload, done)["id"]
    answer = me.delete(f"{JOBS}/{done}")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    me.post(f"{JOBS}/{job}/cancel")
    assert me.delete(f"{JOBS}/{done}").status_code == 204


def test_a_proof_is_deleted_without_its_photo(me, parts, proving, upload, done) -> None:
    job = asked(me, upload, done)["id"]
    finish(parts, job, "report")
    assert me.delete(f"{JOBS}/{job}").status_code == 204
    assert me.get(f"{JOBS}/{done}").json()["state"] == "done"
    assert parts.store.holds(f"uploads/{upload}")
