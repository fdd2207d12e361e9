"""Real worker processes: they stop, die, take too much, and are taken over from."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from tests.service.benches import job_of, parts_in, queued, result_keys, wait_for, worker, worker_of

from deepguard.errors import OptionError
from deepguard.service import jobs
from deepguard.service.guard import OVER_MEMORY, OVER_TIME
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.worker import _room as room


def lost(parts: Parts, job_id: str, most: int) -> State | None:
    """Do what housekeeping does when a lease has run out."""
    with parts.database.writing() as session:
        state = jobs.lose(session, job_id, job_of(parts, job_id).attempt, most)
    if state is State.QUEUED:
        parts.sender.send(job_id)
    return state


def test_a_killed_workers_job_is_finished_by_another_one(parts: Parts) -> None:
    job_id = queued(parts, b"x", "slow", steps=100)
    parts.sender.send(job_id)
    with worker(parts, "first") as first:
        wait_for(lambda: job_of(parts, job_id).progress.get("done", 0) > 5)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert job_of(parts, job_id).state == "running"
    left = parts.settings.folder / "work" / "first"
    assert list(left.rglob("upload"))
    assert lost(parts, job_id, 3) is State.QUEUED
    with worker(parts, "second"):
        wait_for(lambda: job_of(parts, job_id).state == "done")
        assert not left.exists()
    job = job_of(parts, job_id)
    assert (job.attempt, job.losses, job.worker) == (2, 1, "second")
    assert result_keys(parts) == sorted(each.key for each in job.results)
    assert len(job.results) == 2


def test_a_worker_takes_its_jobs_from_redis_and_hands_them_back_through_it(tmp_path: Path, redis_url: str) -> None:
    parts = parts_in(tmp_path, broker=redis_url)
    short, long = queued(parts, b"x", "slow", steps=2), queued(parts, b"x", "slow", steps=5000)
    for job_id in (short, long):
        parts.sender.send(job_id)
    with worker(parts, DEEPGUARD_BROKER=redis_url) as process:
        wait_for(lambda: job_of(parts, long).progress.get("done", 0) > 5)
        process.terminate()
        assert process.wait(10) == 0
    assert job_of(parts, short).state == "done"
    assert (job_of(parts, long).state, job_of(parts, long).losses) == ("queued", 0)
    assert parts.sender.check() == 1
    parts.database.close()


def test_a_worker_that_cannot_start_says_why_in_one_line(parts: Parts) -> None:
    with worker(parts, DEEPGUARD_DEVICE="cuda:99") as process:
        assert process.wait(40) == 1
        wait_for(lambda: any("no device cuda:99" in line for line in process.lines))
        assert not any("Traceback" in line for line in process.lines)


def test_a_real_worker_that_is_asked_to_stop_hands_its_job_back_and_ends_well(parts: Parts) -> None:
    job_id = queued(parts, b"x", "slow", steps=5000)
    parts.sender.send(job_id)
    with worker(parts) as process:
        wait_for(lambda: job_of(parts, job_id).progress.get("done", 0) > 5)
        asked = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - asked < 5
    job = job_of(parts, job_id)
    assert (job.state, job.losses, job.attempt) == ("queued", 0, 1)
    assert parts.sender.check() == 1
    row = worker_of(parts, "real")
    assert row is not None
    assert not row.ready
    assert not (parts.settings.folder / "work" / "real").exists()


def test_a_file_that_kills_its_worker_is_given_up_and_blocks_nobody(parts: Parts) -> None:
    bad, good = queued(parts, b"x", "deadly"), queued(parts, b"x", "slow", steps=2)
    for job_id in (bad, good):
        parts.sender.send(job_id)
    with worker(parts) as process:
        assert process.wait(40) == -signal.SIGKILL
    assert lost(parts, bad, 1) is State.FAILED
    with worker(parts):
        wait_for(lambda: job_of(parts, good).state == "done")
    assert job_of(parts, bad).error_code == "worker_lost"


@pytest.mark.parametrize(
    ("kind", "variable", "value", "code", "exit_code"),
    [
        ("stuck", "DEEPGUARD_JOB_SECONDS", "1", "over_time", OVER_TIME),
        ("greedy", "DEEPGUARD_JOB_BYTES", str(1200 << 20), "over_memory", OVER_MEMORY),
    ],
)
def test_a_job_that_takes_too_much_ends_its_worker_and_is_not_tried_again(
    parts: Parts, kind: str, variable: str, value: str, code: str, exit_code: int
) -> None:
    job_id = queued(parts, b"x", kind)
    parts.sender.send(job_id)
    with worker(parts, **{variable: value}) as process:
        assert process.wait(40) == exit_code
    job = job_of(parts, job_id)
    assert (job.state, job.error_code, job.losses) == ("failed", code, 0)
    assert not (parts.settings.folder / "work" / "real").exists()
    assert lost(parts, job_id, 3) is None
    assert job_of(parts, job_id).state == "failed"


def test_what_a_killed_worker_left_is_removed_and_what_a_living_one_works_on_is_not(tmp_path: Path) -> None:
    dead, living, mine = (tmp_path / name for name in ("dead.example-1", "living", "mine"))
    dead.mkdir()
    (dead / "upload").write_bytes(b"a photo")
    (tmp_path / "dead.example-1.lock").touch()
    with room(living):
        (living / "upload").write_bytes(b"a photo")
        with room(mine):
            assert mine.stat().st_mode & 0o777 == 0o700
            assert not dead.exists()
            assert (living / "upload").exists()
        with pytest.raises(OptionError, match="a worker called living runs already"), room(living):
            pass
        assert (living / "upload").exists()
    assert not living.exists()
    with room(living):
        assert living.exists()
