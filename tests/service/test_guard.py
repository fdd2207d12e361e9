"""Signs of life, and the end of work that takes too much."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from tests.service.benches import claimed, job_of, parts_in, queued, wait_for, worker_of

from deepguard.service import guard as guards
from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.guard import OVER_MEMORY, OVER_TIME, Guard
from deepguard.service.jobs import Ending
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Worker


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(guards, "LOOK_SECONDS", 0.02)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    opened = parts_in(tmp_path, job_seconds=1, job_bytes=1 << 50)
    with opened.database.writing() as session:
        session.add(Worker(name="one", host="here", pid=1, version="1", load={}, abilities={}, health={}))
    yield opened
    opened.database.close()


@contextlib.contextmanager
def guarding(parts: Parts, name: str = "one") -> Iterator[tuple[Guard, list[int]]]:
    left: list[int] = []
    folder = parts.settings.folder / "work" / name
    folder.mkdir(parents=True)
    guard = Guard(parts, name, folder, left.append)
    guard.start()
    yield guard, left
    guard.stop()
    time.sleep(0.1)


@contextlib.contextmanager
def away(self: Database) -> Iterator[None]:
    """Stands for a database that cannot be reached."""
    raise OperationalError("BEGIN", {}, Exception("gone"))
    yield


def test_a_worker_and_its_job_give_signs_of_life(parts: Parts) -> None:
    held = claimed(parts, queued(parts, b"x"))
    with guarding(parts) as (guard, _):
        before = job_of(parts, held.job_id).beat
        with guard.beating(held):
            assert guard.busy
            wait_for(lambda: job_of(parts, held.job_id).beat > before + 2)
            row = worker_of(parts, "one")
            assert row is not None
            assert row.job_id == held.job_id
            assert row.load["memory_bytes"] > 10_000_000
            assert row.load["cpu_ratio"] >= 0
        assert not guard.busy
        wait_for(lambda: worker_of(parts, "one").job_id == "")


def test_a_job_that_is_gone_gets_no_signs_of_life_and_the_worker_goes_on(parts: Parts) -> None:
    held = claimed(parts, queued(parts, b"x"))
    with guarding(parts) as (guard, left), guard.beating(held):
        with parts.database.writing() as session:
            assert jobs.end(session, held, Ending(State.FAILED, "option", "no"))
        beat = job_of(parts, held.job_id).beat
        seen = worker_of(parts, "one").beat
        wait_for(lambda: worker_of(parts, "one").beat > seen + 2)
        assert job_of(parts, held.job_id).beat == beat
        assert left == []


def test_signs_of_life_come_back_with_the_database(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    with structlog.testing.capture_logs() as told, guarding(parts):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "writing", away)
            wait_for(lambda: len(told) > 2)
            beat = worker_of(parts, "one").beat
        wait_for(lambda: worker_of(parts, "one").beat > beat + 1)


def test_a_fault_of_its_own_does_not_end_the_guard(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Guard) -> None:
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as told, guarding(parts):
        with monkeypatch.context() as patch:
            patch.setattr(Guard, "_load", broken)
            wait_for(lambda: len(told) > 1)
        beat = worker_of(parts, "one").beat
        wait_for(lambda: worker_of(parts, "one").beat > beat + 1)


def test_a_worker_that_the_database_does_not_know_is_told(parts: Parts) -> None:
    with guarding(parts, "stranger") as (guard, _):
        assert guard.unlisted.wait(5)


def test_work_that_takes_too_long_is_failed_and_the_process_ends(parts: Parts) -> None:
    held = claimed(parts, queued(parts, b"x"))
    with guarding(parts) as (guard, left), structlog.testing.capture_logs():
        photo = guard._folder / "upload"
        photo.write_bytes(b"x")
        with guard.beating(held), guard.limiting():
            wait_for(lambda: bool(left), 5)
            assert not photo.exists()
        assert left == [OVER_TIME]
    job = job_of(parts, held.job_id)
    assert (job.state, job.error_code, "1 seconds" in job.error_message) == ("failed", "over_time", True)


def test_work_that_takes_too_much_memory_is_failed_and_the_process_ends(tmp_path: Path) -> None:
    parts = parts_in(tmp_path, job_bytes=1 << 28)
    held = claimed(parts, queued(parts, b"x"))
    hoard = bytearray(1 << 28)
    hoard[::4096] = b"x" * len(hoard[::4096])
    with guarding(parts) as (guard, left), structlog.testing.capture_logs():
        with guard.beating(held), guard.limiting():
            wait_for(lambda: bool(left), 5)
        assert left == [OVER_MEMORY]
    job = job_of(parts, held.job_id)
    assert (job.state, job.error_code, "0.25 GiB" in job.error_message) == ("failed", "over_memory", True)
    parts.database.close()


def test_the_limits_are_those_of_the_work_and_not_of_what_comes_after(parts: Parts) -> None:
    held = claimed(parts, queued(parts, b"x"))
    with guarding(parts) as (guard, left), guard.beating(held):
        with guard.limiting():
            pass
        time.sleep(1.3)
        assert left == []


def test_a_process_ends_although_the_database_cannot_be_told(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "MARK_SECONDS", 0.1)
    held = claimed(parts, queued(parts, b"x"))
    with structlog.testing.capture_logs(), guarding(parts) as (guard, left):
        with monkeypatch.context() as patch, guard.beating(held), guard.limiting():
            patch.setattr(Database, "writing", away)
            wait_for(lambda: bool(left), 5)
        assert left == [OVER_TIME]
    assert job_of(parts, held.job_id).state == "running"
