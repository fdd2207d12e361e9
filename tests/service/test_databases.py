"""Each move of a job, and what is kept of it, on SQLite, PostgreSQL and MariaDB alike."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from tests.service import servers
from tests.service.servers import url_of

from deepguard.service import jobs, schema
from deepguard.service.database import Database
from deepguard.service.jobs import Claim, Ending, JobGone, WrongState
from deepguard.service.states import State
from deepguard.service.tables import Clock, Job, Outcome, Quota, Result, identifier, now
from deepguard.service.web import faults

NAME = "내 사진 👩🏽‍🦱 été.jpg"
OPTIONS = {"preset": "강함", "epsilon": 0.03, "faces": [1, 2], "deep": {"emoji": "🙂", "none": None, "yes": True}}
MOMENT = datetime.datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=datetime.UTC)


def add(database: Database, **columns: object) -> str:
    known = {
        "id": identifier(),
        "kind": "protect",
        "owner": "visit:1",
        "name": NAME,
        "upload_id": identifier(),
        "options": OPTIONS,
        "expires": MOMENT,
    }
    with database.writing() as session:
        job = jobs.new_job(**(known | columns))
        session.add(job)
        return job.id


def read(database: Database, job_id: str) -> Job:
    with database.reading() as session:
        return session.get_one(Job, job_id)


def take(database: Database, job_id: str, worker: str = "worker-1") -> Claim | None:
    with database.writing() as session:
        return jobs.claim(session, job_id, worker)


def end(database: Database, held: Claim, ending: Ending) -> bool:
    with database.writing() as session:
        return jobs.end(session, held, ending)


def cancel(database: Database, job_id: str) -> State:
    with database.writing() as session:
        return jobs.cancel(session, session.get_one(Job, job_id))


def running(database: Database) -> Claim:
    held = take(database, add(database))
    assert held is not None
    return held


def in_state(database: Database, state: State) -> str:
    """Bring a job into a state by the moves that lead there."""
    job_id = add(database)
    if state == State.CANCELLED:
        cancel(database, job_id)
    elif state != State.QUEUED:
        held = take(database, job_id)
        assert held is not None
        if state == State.CANCELLING:
            cancel(database, job_id)
        elif state != State.RUNNING:
            assert end(database, held, Ending(State.FAILED if state == State.FAILED else State.DONE))
    if state == State.EXPIRED:
        with database.writing() as session:
            assert jobs.expire(session, job_id)
    assert read(database, job_id).state == state
    return job_id


def test_what_is_written_is_read_letter_for_letter_and_to_the_microsecond(any_database: Database) -> None:
    found = read(any_database, add(any_database))
    assert (found.name, found.options, found.expires) == (NAME, OPTIONS, MOMENT)
    assert found.expires.tzinfo is not None
    assert abs((now() - found.created).total_seconds()) < 60


def test_a_moment_of_another_zone_is_the_same_moment(any_database: Database) -> None:
    seoul = MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    found = read(any_database, add(any_database, expires=seoul))
    assert (found.expires, found.expires.utcoffset()) == (MOMENT, datetime.timedelta())


def test_moments_are_compared_in_the_database_to_the_microsecond(any_database: Database) -> None:
    add(any_database)
    tick = datetime.timedelta(microseconds=1)
    with any_database.reading() as session:
        found = [
            session.scalar(select(func.count()).select_from(Job).where(Job.expires <= MOMENT + shift))
            for shift in (-tick, 0 * tick, tick)
        ]
    assert found == [0, 1, 1]


def test_a_name_of_the_greatest_length_fits(any_database: Database) -> None:
    assert read(any_database, add(any_database, name="한" * 255)).name == "한" * 255


def test_a_job_goes_its_way_to_the_end(any_database: Database) -> None:
    held = running(any_database)
    for share in (0.1, 0.5):
        with any_database.writing() as session:
            jobs.report(session, held, {"stage": "찾기", "share": share})
    middle = read(any_database, held.job_id)
    key = f"results/{held.job_id}/1/picture"
    made = Result(
        job_id=held.job_id, name="picture", filename=NAME, media_type="image/jpeg", size=1 << 33, sha256="0", key=key
    )
    assert end(any_database, held, Ending(State.DONE, summary={"variant": "강함", "found_after": 0}, results=[made]))
    with any_database.reading() as session:
        job = session.get_one(Job, held.job_id)
        outcome = session.scalars(select(Outcome)).one()
        assert [(each.filename, each.size, each.key) for each in job.results] == [(NAME, 1 << 33, key)]
    assert (middle.progress, middle.state, middle.beat) == ({"stage": "찾기", "share": 0.5}, State.RUNNING, 3)
    assert (job.state, job.attempt, job.summary["variant"]) == (State.DONE, 1, "강함")
    assert (outcome.state, outcome.variant, outcome.found_after) == (State.DONE, "강함", 0)
    assert job.revision > middle.revision


def test_deleting_a_job_deletes_its_results(any_database: Database) -> None:
    held = running(any_database)
    made = Result(job_id=held.job_id, name="log", filename="x", media_type="x/y", size=1, sha256="0", key="k")
    end(any_database, held, Ending(State.DONE, results=[made]))
    with any_database.writing() as session:
        session.delete(session.get_one(Job, held.job_id))
    with any_database.reading() as session:
        assert session.scalars(select(Result)).all() == []


def test_each_move_happens_from_the_states_that_allow_it_and_from_no_other(any_database: Database) -> None:
    def cancelled(job_id: str) -> bool:
        try:
            return cancel(any_database, job_id) in {State.CANCELLED, State.CANCELLING}
        except WrongState:
            return False

    def retried(job_id: str) -> bool:
        try:
            with any_database.writing() as session:
                jobs.retry(session, session.get_one(Job, job_id))
        except WrongState:
            return False
        return read(any_database, job_id).state == State.QUEUED

    def expired(job_id: str) -> bool:
        with any_database.writing() as session:
            return jobs.expire(session, job_id)

    over = {State.FAILED, State.CANCELLED}
    moves = {
        cancelled: {State.QUEUED, State.RUNNING, State.CANCELLING},
        retried: over,
        expired: over | {State.DONE},
        lambda job_id: take(any_database, job_id, "worker-2") is not None: {State.QUEUED},
    }
    for move, allowed in moves.items():
        for state in State:
            job_id = in_state(any_database, state)
            assert (state, move(job_id)) == (state, state in allowed)
            assert state in allowed or read(any_database, job_id).state == state


def test_a_worker_whose_job_was_taken_away_is_told_at_each_sign_of_life(any_database: Database) -> None:
    held = running(any_database)
    with any_database.writing() as session:
        assert jobs.lose(session, held.job_id, held.attempt, 3) == State.QUEUED
    second = take(any_database, held.job_id, "worker-1")
    for sign in (jobs.beat, lambda session, claim: jobs.report(session, claim, {})):
        with pytest.raises(JobGone), any_database.writing() as session:
            sign(session, held)
    late = end(any_database, held, Ending(State.DONE, summary={"variant": "late"}))
    found = read(any_database, held.job_id)
    assert second is not None
    assert (late, found.state, found.attempt, found.summary) == (False, State.RUNNING, 2, {})


def test_a_job_that_is_cancelled_while_it_ends_is_cancelled(any_database: Database) -> None:
    held = running(any_database)
    cancel(any_database, held.job_id)
    assert not end(any_database, held, Ending(State.DONE))
    assert read(any_database, held.job_id).state == State.CANCELLED


def test_an_idempotency_key_counts_once_for_each_owner(any_database: Database) -> None:
    add(any_database, idempotency_key="a")
    add(any_database, idempotency_key="A")
    add(any_database, idempotency_key="a", owner="visit:2")
    add(any_database)
    add(any_database)
    with pytest.raises(DBAPIError):
        add(any_database, idempotency_key="a")


def test_a_transaction_that_fails_leaves_nothing(any_database: Database) -> None:
    def half() -> None:
        with any_database.writing() as session:
            session.add(Quota(owner="visit:1", day="2026-01-01", used=1))
            session.flush()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        half()
    with any_database.reading() as session:
        assert session.scalars(select(Quota)).all() == []


def at_once(count: int, work: Callable[[int, Database], None], database: Database) -> None:
    """Let `count` threads work at the same moment, each with connections of its own, as processes have."""
    barrier = threading.Barrier(count)
    wrong: list[BaseException] = []

    def go(number: int) -> None:
        own = Database(url_of(database))
        barrier.wait()
        try:
            work(number, own)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test sees it
            wrong.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_of_many_workers_that_reach_for_a_job_one_gets_it(any_database: Database) -> None:
    waiting = [add(any_database) for _ in range(15)]
    got: list[str] = []

    def reach(number: int, own: Database) -> None:
        for job_id in waiting:
            held = take(own, job_id, f"worker-{number}")
            if held is not None:
                got.append(held.job_id)

    at_once(5, reach, any_database)
    assert sorted(got) == sorted(waiting)
    assert {read(any_database, job_id).attempt for job_id in waiting} == {1}


def test_whether_a_job_ends_or_is_cancelled_first_it_has_one_outcome(any_database: Database) -> None:
    held = [running(any_database) for _ in range(12)]
    ended: list[bool] = []

    def race(number: int, own: Database) -> None:
        for each in held:
            if number:
                ended.append(end(own, each, Ending(State.DONE)))
                continue
            try:
                cancel(own, each.job_id)
            except WrongState:
                continue

    at_once(2, race, any_database)
    for each, done in zip(held, ended, strict=True):
        # asked to cancel too late for the worker to hear of it before it ended, never after
        assert read(any_database, each.job_id).state == (State.DONE if done else State.CANCELLED)
    with any_database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Outcome)) == 12


# a database that goes away


@pytest.fixture(params=["postgresql", "mariadb"])
def own_server(request: pytest.FixtureRequest) -> Iterator[servers.Server]:
    """A server that the test may stop."""
    run: AbstractContextManager[servers.Server] = (
        servers.postgres() if request.param == "postgresql" else servers.mariadb()
    )
    with run as server:
        yield server


def asking(database: Database) -> httpx.Client:
    app = FastAPI()
    faults.register(app)

    @app.get("/")
    def count() -> int:
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(Job)) or 0

    return httpx.Client(transport=_Direct(app), base_url="http://test")


class _Direct(httpx.BaseTransport):
    """Asks an application without a server."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            inner = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=inner, base_url="http://test") as client:
                return await client.get(request.url)

        found = asyncio.run(ask())
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


def test_a_stopped_database_is_a_503_and_works_again_when_it_is_back(own_server: servers.Server) -> None:
    with servers.fresh_database(own_server.url) as database:
        job_id = add(database)
        with asking(database) as client:
            before = client.get("/")
            own_server.kill()
            begun = time.monotonic()
            down = [client.get("/") for _ in range(3)]
            took = time.monotonic() - begun
            own_server.start()
            after = client.get("/")
        assert (before.status_code, before.text) == (after.status_code, after.text) == (200, "1")
        assert [(each.status_code, each.json()["code"]) for each in down] == [(503, "database_down")] * 3
        assert down[0].headers["Retry-After"] == "5"
        assert took < 10
        assert take(database, job_id) is not None


def test_readers_of_sqlite_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    database = Database(f"sqlite+pysqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    quick = Database(url_of(database))
    with quick.engine.connect() as connection:
        waits = connection.scalar(text("PRAGMA busy_timeout"))
    with quick.engine.connect() as connection:
        journal = connection.scalar(text("PRAGMA journal_mode"))
        enforced = connection.scalar(text("PRAGMA foreign_keys"))
    with database.writing() as session, quick.reading() as other:
        session.execute(select(Clock).with_for_update())
        # readers do not wait for a writer
        assert other.scalar(select(func.count()).select_from(Job)) == 0
    quick.close()
    database.close()
    assert (waits, journal, enforced) == (30000, "wal", 1)
