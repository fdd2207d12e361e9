"""Progress: the row first, then what changes, and an end; over a websocket and by waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from tests.service.web.callers import caller, program, put, report, row
from tests.service.web.serving import serving
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect

from deepguard.service import jobs
from deepguard.service.jobs import Claim, Ending
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Job, Key, identifier
from deepguard.service.web import progress
from deepguard.service.web.progress import DOWN, GONE, News, Poller, Watch

JOBS = "/api/v1/jobs"


@pytest.fixture
def me(app: FastAPI, client: TestClient, parts: Parts) -> TestClient:
    """The program that owns what `owner` names."""
    report(parts)
    client.headers.update(program(app, parts)[0].headers)
    return client


@pytest.fixture
def owner(me: TestClient, parts: Parts) -> str:
    """Who `me` is."""
    with parts.database.reading() as session:
        return f"key:{session.scalars(select(Key.id)).one()}"


def at(job_id: str) -> str:
    return f"{JOBS}/{job_id}/progress"


def change(parts: Parts, move: Callable[..., object], *given: object) -> None:
    with parts.database.writing() as session:
        move(session, *given)


def closed(watching: WebSocketTestSession) -> int:
    """The code with which a websocket is closed, after whatever it still says."""
    try:
        while True:
            watching.receive_json()
    except WebSocketDisconnect as end:
        return end.code


def test_the_row_comes_first_then_every_change_then_the_end(me, owner, parts):
    job_id = put(parts, owner)
    with me.websocket_connect(at(job_id)) as watching:
        assert watching.receive_json() == me.get(f"{JOBS}/{job_id}").json()
        change(parts, jobs.claim, job_id, "ours")
        assert watching.receive_json()["state"] == "running"
        held = Claim(job_id, 1, "ours")
        for share in (0.2, 0.7):
            change(parts, jobs.report, held, {"share": share, "detectors": {"mtcnn": False}})
            told = watching.receive_json()
            assert (told["progress"]["share"], told["progress"]["detectors"]) == (share, {"mtcnn": False})
        change(parts, jobs.end, held, Ending(State.DONE, summary={"faces": 1}))
        last = watching.receive_json()
        assert last == me.get(f"{JOBS}/{job_id}").json()
        assert (last["state"], last["summary"]) == ("done", {"faces": 1})
        assert closed(watching) == 1000


def test_a_sign_of_life_is_no_change(me, owner, parts):
    job_id = put(parts, owner, State.RUNNING)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
        for _ in range(5):
            change(parts, jobs.beat, Claim(job_id, 1, "worker"))
            time.sleep(0.03)
        change(parts, jobs.report, Claim(job_id, 1, "worker"), {"share": 0.5})
        assert watching.receive_json()["progress"]["share"] == 0.5


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED])
def test_a_job_that_is_over_is_told_once(me, owner, parts, state):
    job_id = put(parts, owner, state)
    with me.websocket_connect(at(job_id)) as watching:
        assert watching.receive_json()["state"] == state
        assert closed(watching) == 1000


def test_whoever_comes_again_gets_the_row_as_it_is_by_then(me, owner, parts):
    job_id = put(parts, owner, State.RUNNING)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
    for share in (0.1, 0.2, 0.3):
        change(parts, jobs.report, Claim(job_id, 1, "worker"), {"share": share})
    with me.websocket_connect(at(job_id)) as watching:
        assert watching.receive_json()["progress"]["share"] == 0.3
        change(parts, jobs.end, Claim(job_id, 1, "worker"), Ending(State.FAILED, "no_face", "there is none"))
        assert watching.receive_json()["error"]["code"] == "no_face"


def test_many_changes_are_told_as_a_few_and_the_last_one_surely(me, owner, parts):
    job_id = put(parts, owner, State.RUNNING)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
        began = time.monotonic()
        for step in range(1, 101):
            change(parts, jobs.report, Claim(job_id, 1, "worker"), {"done": step, "total": 100})
        told = [watching.receive_json()["progress"]["done"]]
        while told[-1] != 100:
            told.append(watching.receive_json()["progress"]["done"])
        seconds = time.monotonic() - began
    assert told == sorted(set(told))
    assert len(told) <= seconds / progress.PAUSE_SECONDS + 2


@pytest.mark.parametrize("job_id", ["there", "nothing", "%00"])
def test_to_a_stranger_there_is_no_job_nor_with_a_wrong_token(app, me, owner, parts, job_id):
    mine = put(parts, owner)
    stranger = caller(app, parts)[0]
    place = mine if job_id == "there" else job_id
    for address in (at(place), f"{at(place)}?share=wrong", f"{at(place)}?share="):
        with stranger.websocket_connect(address) as watching, pytest.raises(WebSocketDisconnect) as end:
            watching.receive_json()
        assert end.value.code == 4404


def test_the_share_token_lets_anybody_watch_without_telling_the_token(app, me, owner, parts):
    job_id = put(parts, owner)
    address = f"{at(job_id)}?share={row(parts, job_id).share}"
    with TestClient(app).websocket_connect(address) as watching:
        told = watching.receive_json()
    assert (told["id"], told["share"]) == (job_id, None)


def test_a_wrong_key_is_told_by_the_closing_code(me, owner, parts):
    with (
        me.websocket_connect(at(put(parts, owner)), headers={"Authorization": "Bearer dg_wrong"}) as watching,
        pytest.raises(WebSocketDisconnect) as end,
    ):
        watching.receive_json()
    assert end.value.code == 4401
    assert len(end.value.reason.encode()) <= progress.REASON_BYTES


def test_a_page_of_another_site_may_not_watch(app, me, owner, parts):
    with (
        caller(app, parts)[0].websocket_connect(
            at(put(parts, owner)), headers={"Origin": "https://evil.example"}
        ) as it,
        pytest.raises(WebSocketDisconnect) as end,
    ):
        it.receive_json()
    assert end.value.code == 4403


def test_a_job_that_is_deleted_meanwhile_is_told_by_the_closing_code(me, owner, parts):
    job_id = put(parts, owner, State.RUNNING)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
        change(parts, lambda session: session.execute(delete(Job).where(Job.id == job_id)))
        assert closed(watching) == 4410


def test_what_the_other_side_says_changes_nothing(me, owner, parts):
    job_id = put(parts, owner)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
        watching.send_text("cancel")
        watching.send_bytes(b"\x00" * 1000)
        change(parts, jobs.claim, job_id, "ours")
        assert watching.receive_json()["state"] == "running"


class Outage:
    """A database that does not answer while `on`."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self.asked = 0
        reading = parts.database.reading

        def maybe() -> object:
            self.asked += 1
            if self.on:
                raise OperationalError("SELECT", {}, Exception("no connection"))
            return reading()

        monkeypatch.setattr(parts.database, "reading", maybe)
        monkeypatch.setattr(progress, "AGAIN_SECONDS", 0.05)


def test_a_database_that_goes_away_is_told_once_and_all_goes_on_when_it_is_back(me, owner, parts, monkeypatch):
    outage = Outage(parts, monkeypatch)
    job_id = put(parts, owner, State.RUNNING)
    with me.websocket_connect(at(job_id)) as watching:
        watching.receive_json()
        for share in (0.4, 0.8):
            outage.on = True
            assert watching.receive_json()["code"] == "database_down"
            change(parts, jobs.report, Claim(job_id, 1, "worker"), {"share": share})
            # several more looks fail, and nothing more is said of it
            time.sleep(0.3)
            outage.on = False
            assert watching.receive_json()["progress"]["share"] == share
        change(parts, jobs.end, Claim(job_id, 1, "worker"), Ending(State.DONE))
        assert watching.receive_json()["state"] == "done"
        assert closed(watching) == 1000


def test_whoever_comes_while_the_database_is_away_is_told_to_come_again(me, owner, parts, monkeypatch):
    outage = Outage(parts, monkeypatch)
    job_id = put(parts, owner)
    outage.on = True
    with me.websocket_connect(at(job_id)) as watching:
        assert closed(watching) == 4503


def test_nobody_asks_the_database_while_nobody_watches_and_one_question_serves_all(me, owner, parts, monkeypatch):
    looks: list[set[str]] = []
    look = Poller._look

    def counted(self: Poller, job_ids: tuple[str, ...]) -> object:
        looks.append(set(job_ids))
        return look(self, job_ids)

    monkeypatch.setattr(Poller, "_look", counted)
    first, second = put(parts, owner), put(parts, owner)
    time.sleep(0.1)
    assert looks == []
    with me.websocket_connect(at(first)) as one, me.websocket_connect(at(first)) as two:
        with me.websocket_connect(at(second)) as three:
            for each in (one, two, three):
                each.receive_json()
            time.sleep(0.2)
            assert looks[-1] == {first, second}
            assert len(looks) <= 15
        time.sleep(0.1)
        assert looks[-1] == {first}
    time.sleep(0.1)
    count = len(looks)
    time.sleep(0.1)
    assert len(looks) == count


def test_waiting_ends_as_soon_as_something_changes(me, owner, parts):
    job_id = put(parts, owner)
    now = me.get(f"{JOBS}/{job_id}").json()
    timer = threading.Timer(0.2, change, (parts, jobs.claim, job_id, "ours"))
    timer.start()
    began = time.monotonic()
    after = me.get(f"{JOBS}/{job_id}", params={"wait": 30, "revision": now["revision"]}).json()
    assert (after["state"], after["revision"] > now["revision"]) == ("running", True)
    assert 0.15 < time.monotonic() - began < 5
    timer.join()


def test_waiting_ends_with_the_same_when_its_time_is_over(me, owner, parts):
    job_id = put(parts, owner)
    began = time.monotonic()
    after = me.get(f"{JOBS}/{job_id}", params={"wait": 0.3, "revision": 0})
    assert (after.status_code, after.json()["revision"]) == (200, 0)
    assert 0.25 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("state", "revision"), [(State.QUEUED, 7), (State.DONE, 0), (State.CANCELLED, None), (State.RUNNING, -1)]
)
def test_there_is_no_waiting_for_what_has_changed_already_or_is_over(me, owner, parts, state, revision):
    job_id = put(parts, owner, state)
    query = {"wait": 60} if revision is None else {"wait": 60, "revision": revision}
    began = time.monotonic()
    assert me.get(f"{JOBS}/{job_id}", params=query).json()["state"] == state
    assert time.monotonic() - began < 5


def test_waiting_without_a_revision_is_for_the_end(me, owner, parts):
    job_id = put(parts, owner, State.RUNNING)
    held = Claim(job_id, 1, "worker")
    steps = [
        threading.Timer(0.1, change, (parts, jobs.report, held, {"share": 0.5})),
        threading.Timer(0.3, change, (parts, jobs.end, held, Ending(State.DONE))),
    ]
    for each in steps:
        each.start()
    assert me.get(f"{JOBS}/{job_id}", params={"wait": 30}).json()["state"] == "done"
    for each in steps:
        each.join()


def test_whoever_waits_for_a_job_that_is_deleted_is_told_so(me, owner, parts):
    job_id = put(parts, owner)
    timer = threading.Timer(0.2, change, (parts, lambda session: session.execute(delete(Job).where(Job.id == job_id))))
    timer.start()
    assert me.get(f"{JOBS}/{job_id}", params={"wait": 30, "revision": 0}).status_code == 404
    timer.join()


def test_waiting_outlasts_a_short_outage(me, owner, parts, monkeypatch):
    outage = Outage(parts, monkeypatch)
    job_id = put(parts, owner)

    def drama() -> None:
        outage.on = True
        time.sleep(0.3)
        outage.on = False
        change(parts, jobs.claim, job_id, "ours")

    timer = threading.Timer(0.2, drama)
    timer.start()
    assert me.get(f"{JOBS}/{job_id}", params={"wait": 30, "revision": 0}).json()["state"] == "running"
    timer.join()


@pytest.mark.parametrize("query", [{"wait": 61}, {"wait": -1}, {"wait": "nan"}, {"revision": "x"}])
def test_waiting_has_its_limits(me, owner, parts, query):
    answer = me.get(f"{JOBS}/{put(parts, owner)}", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "option")


def test_a_slow_one_gets_the_newest_and_no_backlog():
    async def slowly() -> list[News]:
        watch = Watch()
        for revision in range(1, 50):
            watch.tell(News(revision, False))
        first = await watch.beyond(0)
        watch.tell(News(60, False))
        watch.tell(DOWN)
        second = await watch.beyond(49)
        watch.tell(GONE)
        return [first, second, await watch.beyond(60)]

    assert asyncio.run(slowly()) == [News(49, False), DOWN, GONE]


def test_over_a_real_server_the_end_comes_with_its_code_and_leaving_ends_the_looking(app, me, owner, parts):
    job_id, left = put(parts, owner), put(parts, owner)
    with serving(app) as port:
        address = f"ws://127.0.0.1:{port}"
        headers = {"Authorization": me.headers["authorization"]}
        with connect(address + at(left), additional_headers=headers) as leaving:
            leaving.recv(timeout=5)
        with connect(address + at(job_id), additional_headers=headers) as watching:
            assert job_id in watching.recv(timeout=5)
            change(parts, jobs.cancel, Job(id=job_id))
            assert '"cancelled"' in watching.recv(timeout=5)
            with pytest.raises(ConnectionClosedOK, match="1000"):
                watching.recv(timeout=5)
        with (
            connect(address + at(identifier()), additional_headers=headers) as nothing,
            pytest.raises(ConnectionClosedError, match="4404"),
        ):
            nothing.recv(timeout=5)
        until = time.monotonic() + 5
        while app.state.poller._watches and time.monotonic() < until:
            time.sleep(0.02)
        assert app.state.poller._watches == {}


def test_whoever_leaves_before_the_websocket_is_open_is_no_error(app, me, owner, parts):
    job_id, sent = put(parts, owner), []

    async def gone(message):
        sent.append(message["type"])
        raise OSError("the other side has left")

    async def receive():
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "path": at(job_id),
        "query_string": b"",
        "scheme": "ws",
        "headers": [],
        "subprotocols": [],
    }
    asyncio.run(app(scope, receive, gone))
    assert sent == ["websocket.accept"]
    assert app.state.poller._watches == {}
