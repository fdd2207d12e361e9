"""One attempt at a job, in this process: whatever happens to it, its row says so and nothing is left over."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import threading
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import structlog
from PIL import Image
from sqlalchemy.exc import OperationalError
from tests.service.benches import bench_in, cancelled, done, job_of, queued, register, result_keys, wait_for, worker_of

from deepguard.errors import OutputError
from deepguard.service import attempt as attempts
from deepguard.service import jobs
from deepguard.service.attempt import Bench, attempt
from deepguard.service.database import Database
from deepguard.service.kinds.roles import Work
from deepguard.service.parts import Parts
from deepguard.service.readiness import Readiness
from deepguard.service.states import State
from deepguard.service.store import Store, StoreDown, StoreFull
from deepguard.service.tables import Job, Outcome
from deepguard.types import Progress


@pytest.fixture
def bench(parts: Parts) -> Bench:
    return bench_in(parts)


@pytest.fixture(scope="module")
def face() -> bytes:
    """A JPEG of 200 x 180 pixels with one face."""
    from skimage import data  # noqa: PLC0415 - slow to import

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(data.astronaut()[20:200, 120:320])).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def test_every_kind_of_database_carries_a_job_through(any_parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: Work) -> attempts.Done:
        for step in range(3):
            work.watch(Progress("odd", step, 3, (("mtcnn", True),), 5.0))
        seen.append(job_of(any_parts, job_id).progress["stage"])
        return done("text", variant="balanced", megapixels=0.5, found_before=1, found_after=0)

    seen: list[str] = []
    register(monkeypatch, "odd", act)
    job_id = queued(any_parts, b"x", "odd")
    bench = bench_in(any_parts)
    Readiness(any_parts, "one", bench.device, bench.guard).check()
    assert attempt(bench, job_id) is State.DONE
    assert seen == ["odd"]
    job = job_of(any_parts, job_id)
    assert (job.state, [each.name for each in job.results]) == ("done", ["text"])
    row = worker_of(any_parts, "one")
    assert row is not None
    assert row.ready


def never(work: Work) -> attempts.Done:
    raise AssertionError("this job must not be worked on")


def test_a_job_goes_from_its_row_to_its_results(parts: Parts, bench: Bench, face: bytes) -> None:
    job_id = queued(parts, face, detectors=["mtcnn"], steps=3, through="none")
    assert attempt(bench, job_id) is State.DONE
    job = job_of(parts, job_id)
    assert (job.state, job.attempt, job.worker, job.progress, job.error_code) == ("done", 1, "one", {}, "")
    assert [each.name for each in job.results] == ["picture", "before", "comparison", "heatmap", "thumbnail", "log"]
    for each in job.results:
        data = parts.store.get(each.key)
        assert (each.key, each.size) == (f"results/{job_id}/1/{each.name}", len(data))
    told = json.loads(parts.store.get(job.results[-1].key))
    assert (told["job"]["id"], told["job"]["attempt"], told["job"]["worker"]) == (job_id, 1, "one")
    assert job.started is not None
    assert job.ended is not None
    assert list(bench.folder.iterdir()) == []
    with parts.database.reading() as session:
        outcome = session.query(Outcome).one()
        assert (outcome.kind, outcome.state, outcome.variant) == ("protect", "done", "balanced")


def test_a_job_that_is_delivered_twice_runs_once(parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    register(monkeypatch, "odd", lambda work: runs.append(work.name) or done())
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is State.DONE
    before = job_of(parts, job_id)
    assert attempt(bench, job_id) is None
    after = job_of(parts, job_id)
    assert runs == ["me.jpg"]
    assert (after.attempt, after.revision) == (before.attempt, before.revision)
    assert result_keys(parts) == [f"results/{job_id}/1/text"]


def test_a_job_that_runs_already_or_never_was_is_left_alone(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "odd", never)
    job_id = queued(parts, b"x", "odd")
    with parts.database.writing() as session:
        assert jobs.claim(session, job_id, "another")
    assert attempt(bench, job_id) is None
    assert attempt(bench, "no such job") is None
    assert job_of(parts, job_id).worker == "another"


def test_cancelling_stops_within_one_step_and_leaves_nothing(parts: Parts, bench: Bench, face: bytes) -> None:
    job_id = queued(parts, face, detectors=["mtcnn"], steps=500, through="none")
    seen: list[Job] = []

    def cancel_once_it_climbs() -> None:
        wait_for(lambda: job_of(parts, job_id).progress.get("stage") == "protect")
        seen.append(job_of(parts, job_id))
        cancelled(parts, job_id)

    other = threading.Thread(target=cancel_once_it_climbs)
    other.start()
    assert attempt(bench, job_id) is None
    other.join()
    job = job_of(parts, job_id)
    assert (job.state, job.results, result_keys(parts)) == ("cancelled", [], [])
    assert seen[0].progress["done"] < 400


def test_the_step_after_a_cancellation_is_the_last(parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def act(work: Work) -> attempts.Done:
        for step in range(10):
            steps.append(step)
            if step == 3:
                cancelled(parts, job_id)
            work.watch(Progress("odd", step, 10))
        return done()

    register(monkeypatch, "odd", act)
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is None
    assert steps == [0, 1, 2, 3]
    assert job_of(parts, job_id).state == "cancelled"


def test_a_job_that_is_cancelled_after_its_last_step_keeps_no_files(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "odd", lambda work: cancelled(parts, job_id) or done())
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is None
    assert (job_of(parts, job_id).state, result_keys(parts)) == ("cancelled", [])


def test_a_worker_that_was_thought_dead_changes_nothing_when_it_comes_back(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(work: Work) -> attempts.Done:
        if work.facts["attempt"] == 1:
            with parts.database.writing() as session:
                assert jobs.lose(session, job_id, 1, 3) is State.QUEUED
            assert attempt(bench_in(parts, "two"), job_id) is State.DONE
        return done(by=work.facts["worker"])

    register(monkeypatch, "odd", act)
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is None
    job = job_of(parts, job_id)
    assert (job.state, job.attempt, job.summary) == ("done", 2, {"by": "two"})
    assert result_keys(parts) == [f"results/{job_id}/2/text"] == [each.key for each in job.results]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"MZ this is no picture", "unreadable_image", "me.jpg"),
        (b"", "unreadable_image", "me.jpg"),
        (b"\xff\xd8\xff\xe0 cut short", "unreadable_image", "me.jpg"),
    ],
)
def test_a_file_that_is_no_picture_ends_its_job_with_a_sentence(
    parts: Parts, bench: Bench, data: bytes, code: str, words: str
) -> None:
    job_id = queued(parts, data)
    assert attempt(bench, job_id) is State.FAILED
    job = job_of(parts, job_id)
    assert (job.error_code, job.results) == (code, [])
    assert words in job.error_message


def test_a_picture_without_a_face_says_so(parts: Parts, bench: Bench) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), (90, 120, 60)).save(buffer, "PNG")
    job_id = queued(parts, buffer.getvalue())
    assert attempt(bench, job_id) is State.FAILED
    assert job_of(parts, job_id).error_code == "no_face"


def test_an_upload_that_is_gone_is_told_as_expired(parts: Parts, bench: Bench) -> None:
    job_id = queued(parts, b"x")
    parts.store.delete(f"uploads/{job_of(parts, job_id).upload_id}")
    assert attempt(bench, job_id) is State.FAILED
    job = job_of(parts, job_id)
    assert (job.error_code, "upload it again" in job.error_message) == ("expired", True)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("secret of the house"), "internal", "something went wrong here"),
        (MemoryError(), "over_memory", "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", "the operator must make room"),
        (OSError(errno.EIO, "Input/output error"), "internal", "something went wrong here"),
        (OutputError("a sentence of ours"), "output", "a sentence of ours"),
    ],
)
def test_whatever_a_job_raises_the_worker_goes_on(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, words: str
) -> None:
    def fail(work: Work) -> attempts.Done:
        raise error

    register(monkeypatch, "bad", fail)
    register(monkeypatch, "good", lambda work: done())
    bad, good = queued(parts, b"x", "bad"), queued(parts, b"x", "good")
    with structlog.testing.capture_logs() as told:
        assert attempt(bench, bad) is State.FAILED
    assert attempt(bench, good) is State.DONE
    job = job_of(parts, bad)
    assert (job.error_code, words in job.error_message, "secret" in job.error_message) == (code, True, False)
    assert (code == "internal") == any(each.get("exc_info") for each in told)


def test_a_kind_that_does_not_exist_fails_its_job(parts: Parts, bench: Bench) -> None:
    job_id = queued(parts, b"x", "protekt")
    assert attempt(bench, job_id) is State.FAILED
    assert "did you mean protect" in job_of(parts, job_id).error_message


def test_options_that_the_library_refuses_fail_the_job(parts: Parts, bench: Bench, face: bytes) -> None:
    job_id = queued(parts, face, faces=[7], detectors=["mtcnn"])
    assert attempt(bench, job_id) is State.FAILED
    job = job_of(parts, job_id)
    assert (job.error_code, "there is no face 7" in job.error_message) == ("option", True)


def test_a_storage_that_is_away_for_a_moment_costs_only_time(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "odd", lambda work: done())
    monkeypatch.setattr(attempts, "PAUSES", (0.01, 0.01))
    job_id = queued(parts, b"x", "odd")
    put, get, failures = Store.put, Store.get, [1, 2, 3]

    def failing(real):
        def call(self, key, *rest):
            if failures and failures.pop():
                raise StoreDown("away")
            return real(self, key, *rest)

        return call

    monkeypatch.setattr(Store, "get", failing(get))
    monkeypatch.setattr(Store, "put", failing(put))
    assert attempt(bench, job_id) is State.DONE
    assert not failures
    assert len(job_of(parts, job_id).results) == 1


def test_a_storage_that_stays_away_puts_the_job_back(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Store, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        raise StoreDown("away")

    register(monkeypatch, "odd", lambda work: done())
    monkeypatch.setattr(attempts, "PATIENCE", -1.0)
    job_id = queued(parts, b"x", "odd")
    monkeypatch.setattr(Store, "put", away)
    assert attempt(bench, job_id) is State.QUEUED
    job = job_of(parts, job_id)
    assert (job.state, job.losses, job.error_code) == ("queued", 0, "")


def test_a_full_disk_fails_the_job_and_leaves_no_part_of_it(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def full(self: Store, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        if key.endswith("/second"):
            raise StoreFull("the disk is full; the operator must make room")
        put(self, key, data, headers)

    register(monkeypatch, "odd", lambda work: done("first", "second"))
    job_id = queued(parts, b"x", "odd")
    monkeypatch.setattr(Store, "put", full)
    assert attempt(bench, job_id) is State.FAILED
    assert (job_of(parts, job_id).error_code, result_keys(parts)) == ("disk_full", [])


def failing_end(monkeypatch: pytest.MonkeyPatch, times: int, *, written: bool) -> list[int]:
    """Let the database go away `times` times when a job's end is written, before or after it is committed."""
    real, left = Database.writing, [times]

    @contextlib.contextmanager
    def writing(self: Database) -> Iterator[object]:
        fails = left[0] > 0 and threading.current_thread() is threading.main_thread()
        left[0] -= fails
        if fails and not written:
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        with real(self) as session:
            yield session
        if fails:
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(Database, "writing", writing)
    monkeypatch.setattr(attempts, "PAUSES", (0.01, 0.01))
    return left


@pytest.mark.parametrize("written", [False, True], ids=["before the commit", "after the commit"])
def test_a_database_that_goes_away_at_the_end_loses_no_result(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    counters: list[list[int]] = []

    def act(work: Work) -> attempts.Done:
        counters.append(failing_end(monkeypatch, 3, written=written))
        return done()

    register(monkeypatch, "odd", act)
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is State.DONE
    assert counters == [[0]]
    monkeypatch.undo()
    job = job_of(parts, job_id)
    assert (job.state, [each.key for each in job.results]) == ("done", result_keys(parts))
    assert len(job.results) == 1
    with parts.database.reading() as session:
        assert session.query(Outcome).count() == 1


def test_a_database_that_stays_away_leaves_the_files_to_whoever_decides_later(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "PATIENCE", 0.05)
    register(monkeypatch, "odd", lambda work: failing_end(monkeypatch, 10**6, written=False) and done())
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is None
    monkeypatch.undo()
    assert (job_of(parts, job_id).state, len(result_keys(parts))) == ("running", 1)


def test_figures_that_the_database_refuses_fail_the_job_instead_of_hanging(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, "odd", lambda work: done(odd=object()))
    job_id = queued(parts, b"x", "odd")
    with structlog.testing.capture_logs():
        assert attempt(bench, job_id) is State.FAILED
    assert (job_of(parts, job_id).error_code, result_keys(parts)) == ("internal", [])


def test_a_worker_that_is_told_to_stop_hands_its_job_back_without_a_loss(
    parts: Parts, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(work: Work) -> attempts.Done:
        bench.stopping.set()
        work.watch(Progress("odd", 0, 1))
        raise AssertionError("it goes on")

    register(monkeypatch, "odd", act)
    job_id = queued(parts, b"x", "odd")
    assert attempt(bench, job_id) is State.QUEUED
    job = job_of(parts, job_id)
    assert (job.state, job.losses, job.attempt, job.worker, job.error_code) == ("queued", 0, 1, "", "")
    assert parts.sender.check() == 1
