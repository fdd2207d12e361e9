"""The figures of the whole service, the same on every kind of database."""

from __future__ import annotations

import datetime

from deepguard.service import jobs
from deepguard.service.database import Database
from deepguard.service.figures import SECONDS, Spread, read_figures
from deepguard.service.states import State
from deepguard.service.tables import Outcome, Upload, Worker, now


def test_an_empty_service_has_figures_too(any_database: Database) -> None:
    with any_database.reading() as session:
        found = read_figures(session)
    assert (found.jobs, found.ended, found.seconds, found.workers) == ({}, {}, {}, [])
    assert (found.queue_length, found.queue_oldest) == (0, 0.0)
    assert found.stored == {"uploads": 0, "results": 0}


def test_every_database_counts_alike(any_database: Database) -> None:
    later = now() + datetime.timedelta(hours=1)
    with any_database.writing() as session:
        for seconds, state, code in ((1.0, "done", ""), (1.5, "done", ""), (2000.0, "failed", "over_time")):
            session.add(Outcome(kind="protect", state=state, code=code, seconds=seconds, waited=3.0))
        # cancelled while it waited: it took no time, but it waited
        session.add(Outcome(kind="protect", state="cancelled", seconds=0.0, waited=3.0))
        for minutes in (5, 2):
            job = jobs.new_job(kind="find", owner="visit:1", name="a", upload_id="u", options={}, expires=later)
            job.queued = now() - datetime.timedelta(minutes=minutes)
            session.add(job)
        for size in (10, 1 << 40):
            session.add(
                Upload(owner="visit:1", name="a", container="JPEG", size=size, sha256="0", expires=later),
            )
        for name, seen in (("b", now()), ("a", now()), ("dead", now() - datetime.timedelta(seconds=30))):
            session.add(Worker(name=name, host="h", pid=1, version="1", seen=seen))
    with any_database.reading() as session:
        found = read_figures(session)
    assert found.jobs == {("find", State.QUEUED): 2}
    assert found.ended == {("protect", "done"): 2, ("protect", "failed"): 1, ("protect", "cancelled"): 1}
    assert found.failures == {("protect", "over_time"): 1}
    # at 1 s, at 2 s and every later one, and none up to half an hour for the last
    assert found.seconds == {"protect": Spread((1, *[2] * (len(SECONDS) - 1)), 3, 2002.5)}
    assert found.waiting["protect"].upto[:3] == (0, 0, 4)
    assert found.queue_length == 2
    assert 300 <= found.queue_oldest < 330
    assert found.stored["uploads"] == 10 + (1 << 40)
    assert [each.name for each in found.workers] == ["a", "b"]
