"""What watchers see of a job, how often it is written, and where a job stops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from tests.service.benches import cancelled, claimed, job_of, queued
from tests.service.household import Timer

from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.jobs import Claim, JobGone
from deepguard.service.parts import Parts
from deepguard.service.tracking import Course, Interrupted, Tracker
from deepguard.types import Progress

SPANS = {"look": (0.0, 0.1), "climb": (0.1, 0.8), "verify": (0.8, 1.0)}


@pytest.fixture
def held(parts: Parts) -> Claim:
    return claimed(parts, queued(parts, b"x"))


@pytest.fixture
def tracker(parts: Parts, held: Claim, timer: Timer) -> Tracker:
    return Tracker(parts.database, held, SPANS, lambda: False, timer)


def test_progress_is_written_as_the_api_shows_it(parts: Parts, held: Claim, tracker: Tracker, timer: Timer) -> None:
    tracker(Progress("look", 0, 9))
    timer.at += 1
    tracker(Progress("climb", 0, 50, seconds=40.0))
    timer.at += 10
    tracker(Progress("climb", 25, 50, (("mtcnn", True), ("yunet", False))))
    progress = job_of(parts, held.job_id).progress
    assert set(progress) == {"stage", "done", "total", "share", "seconds_left", "detectors"}
    assert (progress["stage"], progress["done"], progress["total"]) == ("climb", 25, 50)
    assert progress["share"] == pytest.approx(0.45)
    assert progress["detectors"] == {"mtcnn": True, "yunet": False}
    # 35 of the 90 remaining hundredths took ten seconds: between the pace's 15.7 and the estimate's 24.4
    assert 15.7 < progress["seconds_left"] < 24.5


def test_at_most_four_writes_a_second_but_every_stage_and_every_sign_of_life(
    parts: Parts, held: Claim, tracker: Tracker, timer: Timer
) -> None:
    before = job_of(parts, held.job_id)
    for step in range(100):
        timer.at += 0.02
        tracker(Progress("climb", step, 100))
    after = job_of(parts, held.job_id)
    assert after.revision - before.revision <= 8
    assert after.beat - before.beat == 100
    tracker(Progress("verify", 0, 4))
    assert job_of(parts, held.job_id).progress["stage"] == "verify"


def test_a_cancelled_job_stops_at_the_next_step_also_where_nothing_is_written(
    parts: Parts, held: Claim, tracker: Tracker, timer: Timer
) -> None:
    tracker(Progress("climb", 0, 100))
    cancelled(parts, held.job_id)
    timer.at += 0.001
    with pytest.raises(JobGone):
        tracker(Progress("climb", 1, 100))


def test_a_job_that_was_deleted_stops(parts: Parts, held: Claim, tracker: Tracker) -> None:
    with parts.database.writing() as session:
        session.delete(session.get_one(jobs.Job, held.job_id))
    with pytest.raises(JobGone):
        tracker(Progress("climb", 1, 100))


def test_a_worker_that_is_stopping_stops_its_work(parts: Parts, held: Claim, timer: Timer) -> None:
    with pytest.raises(Interrupted):
        Tracker(parts.database, held, SPANS, lambda: True, timer)(Progress("climb", 1, 100))


def test_a_database_that_is_away_stops_nothing_and_is_not_asked_at_every_step(
    parts: Parts, held: Claim, tracker: Tracker, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    @contextlib.contextmanager
    def away(self: Database) -> Iterator[None]:
        asked.append(timer.at)
        raise OperationalError("BEGIN", {}, Exception("gone"))
        yield

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as told:
        patch.setattr(Database, "writing", away)
        for step in range(100):
            timer.at += 0.1
            tracker(Progress("climb", step, 200))
    assert 2 <= len(asked) == len(told) <= 5
    timer.at += 10
    tracker(Progress("climb", 150, 200))
    assert job_of(parts, held.job_id).progress["done"] == 150


def test_the_share_of_the_whole_never_goes_back() -> None:
    course = Course(SPANS, 0.0)
    told = [("look", 9, 9), ("look", 0, 9), ("climb", 3, 10), ("waiting for the storage", 0, 1), ("climb", 4, 10)]
    told += [("verify (as posted)", 1, 4), ("verify", 4, 4)]
    shares = [course.body(Progress(*each), 0.0)["share"] for each in told]
    assert shares == pytest.approx([0.1, 0.1, 0.31, 0.31, 0.38, 0.85, 1.0])


def test_a_stage_of_nothing_and_one_beyond_its_end_stay_in_range() -> None:
    course = Course({}, 0.0)
    assert course.body(Progress("any", 0, 0), 0.0)["share"] == 0
    assert course.body(Progress("any", 7, 5), 0.0)["share"] == 1


def test_without_an_estimate_nothing_is_promised_and_with_one_it_ends_at_nothing() -> None:
    course = Course(SPANS, 0.0)
    assert course.body(Progress("look", 1, 9), 3.0)["seconds_left"] is None
    assert course.body(Progress("climb", 0, 9, seconds=20), 4.0)["seconds_left"] == 20
    assert course.body(Progress("verify", 4, 4), 30.0)["seconds_left"] == 0


def test_a_pace_that_is_steady_is_believed() -> None:
    course = Course({"climb": (0.0, 1.0)}, 0.0)
    course.body(Progress("climb", 0, 100, seconds=10), 0.0)
    left = [course.body(Progress("climb", step, 100), step * 1.0)["seconds_left"] for step in (10, 50, 90)]
    # it takes ten times as long as was estimated
    assert left[0] > 9
    assert left[1] == pytest.approx(27.5)
    assert left[2] == pytest.approx(9.1)
