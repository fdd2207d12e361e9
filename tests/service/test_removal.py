"""Nothing lives longer than its time and nothing goes before it; the last logs are kept."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select, update
from structlog.testing import capture_logs
from tests.service.household import DAY, HOUR, Broken, Timer, add_job, add_upload, copies, finish, later, row

from deepguard.service import joblogs, removal
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.store import StoreDown
from deepguard.service.tables import Job, Outcome, Quota, Result, Upload, Visit, Worker, now


def test_a_job_that_has_lived_its_time_loses_its_files_and_its_name_but_not_its_log(any_parts: Parts) -> None:
    upload_id = add_upload(any_parts)
    job_id = add_job(any_parts, upload_id)
    keys = finish(any_parts, job_id)
    later(any_parts, DAY + HOUR)
    removal.expire(any_parts)
    found = row(any_parts, job_id)
    assert (found.state, found.name, found.options) == (State.EXPIRED, "", {})
    assert [key for key in [*keys, f"uploads/{upload_id}"] if any_parts.store.holds(key)] == []
    with any_parts.database.reading() as session:
        assert session.scalars(select(Result)).all() == []
        assert session.scalars(select(Upload)).all() == []
    assert [json.loads(copy.read_bytes()) for copy in copies(any_parts)] == [{"of": job_id}]


def test_nothing_that_has_time_left_goes(any_parts: Parts) -> None:
    upload_id = add_upload(any_parts)
    keys = finish(any_parts, add_job(any_parts, upload_id))
    later(any_parts, DAY - HOUR)
    removal.expire(any_parts)
    assert all(any_parts.store.holds(key) for key in [*keys, f"uploads/{upload_id}"])


def test_an_upload_that_a_job_still_needs_stays(any_parts: Parts) -> None:
    upload_id = add_upload(any_parts)
    job_id = add_job(any_parts, upload_id, lives=5 * DAY)
    later(any_parts, 2 * DAY)
    removal.expire(any_parts)
    needed = any_parts.store.holds(f"uploads/{upload_id}")
    finish(any_parts, job_id)
    removal.expire(any_parts)
    assert (needed, any_parts.store.holds(f"uploads/{upload_id}")) == (True, False)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY], ids=["forward", "back"])
def test_a_wall_clock_that_jumps_removes_nothing(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, jump: datetime.timedelta
) -> None:
    upload_id = add_upload(parts)
    keys = finish(parts, add_job(parts, upload_id))
    moment = now() + jump
    for module in ("tables", "clock", "jobs"):
        monkeypatch.setattr(f"deepguard.service.{module}.now", lambda: moment)
    removal.expire(parts)
    removal.forget(parts)
    assert all(parts.store.holds(key) for key in [*keys, f"uploads/{upload_id}"])


def test_while_the_store_is_down_nothing_is_forgotten_and_all_goes_when_it_is_back(any_parts: Parts) -> None:
    job_id = add_job(any_parts)
    keys = finish(any_parts, job_id)
    later(any_parts, 2 * DAY)
    down = dataclasses.replace(any_parts, store=Broken(StoreDown("down")))
    with pytest.raises(StoreDown):
        removal.expire(down)
    kept = all(any_parts.store.holds(key) for key in keys)
    removal.expire(any_parts)
    assert (kept, any(any_parts.store.holds(key) for key in keys)) == (True, False)


def test_files_go_although_the_folder_of_logs_cannot_be_written(parts: Parts) -> None:
    keys = finish(parts, add_job(parts))
    later(parts, 2 * DAY)
    parts.settings.log_folder.write_text("a file where a folder should be")
    with capture_logs() as said:
        removal.expire(parts)
    assert not any(parts.store.holds(key) for key in keys)
    assert [each["event"] for each in said if each["log_level"] == "error"] == ["job logs cannot be copied"]


def test_the_rows_of_expired_jobs_go_after_the_days_that_they_are_kept(any_parts: Parts) -> None:
    job_id = add_job(any_parts)
    finish(any_parts, job_id)
    days = datetime.timedelta(days=any_parts.settings.keep_days)
    later(any_parts, DAY + HOUR)
    removal.expire(any_parts)
    later(any_parts, days - 2 * HOUR)
    removal.forget(any_parts)
    kept = row(any_parts, job_id)
    later(any_parts, 2 * HOUR)
    removal.forget(any_parts)
    assert (kept is None, row(any_parts, job_id)) == (False, None)


def test_old_visits_quotas_and_outcomes_go_and_young_ones_stay(any_parts: Parts) -> None:
    old, day = now() - 500 * DAY, now().date().isoformat()
    with any_parts.database.writing() as session:
        session.add_all(
            [Visit(token_hash="a", seen=old), Visit(token_hash="b"), Visit(id="1", token_hash="c", seen=old)]
        )
        session.add_all([Quota(owner="o", day="2020-01-01", used=1), Quota(owner="o", day=day, used=1)])
        session.add_all([Outcome(kind="k", state="done", ended=old), Outcome(kind="k", state="done")])
    # the third visitor still has a job
    add_job(any_parts)
    removal.forget(any_parts)
    with any_parts.database.reading() as session:
        assert set(session.scalars(select(Visit.token_hash))) == {"b", "c"}
        assert list(session.scalars(select(Quota.day))) == [day]
        assert len(session.scalars(select(Outcome)).all()) == 1


def test_dead_workers_go_but_not_the_last_that_told_what_it_can(any_parts: Parts, timer: Timer) -> None:
    def worker(name: str, age: float, able: bool) -> Worker:
        begun = now() - datetime.timedelta(seconds=age)
        return Worker(name=name, host="h", pid=1, version="1", started=begun, abilities={"protect": {}} if able else {})

    with any_parts.database.writing() as session:
        session.add_all(
            [worker("old", 30, True), worker("last", 20, True), worker("mute", 10, False), worker("alive", 5, False)]
        )
    dead = removal.DeadWorkers(any_parts, timer)
    for _ in range(3):
        dead.step()
        timer.at += 1801
        with any_parts.database.writing() as session:
            session.execute(update(Worker).where(Worker.name == "alive").values(beat=Worker.beat + 1))
    with any_parts.database.reading() as session:
        assert set(session.scalars(select(Worker.name))) == {"last", "alive"}


def test_a_failed_job_leaves_a_small_log_without_names(any_parts: Parts) -> None:
    job_id = add_job(any_parts)
    finish(any_parts, job_id, fails=True)
    joblogs.keep(any_parts)
    [copy] = copies(any_parts)
    told = json.loads(copy.read_text())
    assert (told["id"], told["kind"], told["state"], told["code"]) == (job_id, "protect", "failed", "no_face")
    assert told["ended"] is not None
    assert "사진" not in copy.read_text()
    assert "secret" not in copy.read_text()


def test_only_the_last_logs_are_kept_and_none_is_copied_to_be_removed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(parts, settings=parts.settings.model_copy(update={"log_copies": 3}))
    ids = []
    for _ in range(5):
        ids.append(add_job(few))
        finish(few, ids[-1])
        joblogs.keep(few)
    kept = [copy.name for copy in copies(few)]
    assert [name.split("-", 1)[1].removesuffix("-1.json") for name in kept] == ids[-3:]
    with few.database.writing() as session:
        # the last two were deleted by their owner: the older ones must not come back
        session.execute(sqlalchemy.delete(Job).where(Job.id.in_(ids[-2:])))
    monkeypatch.setattr(few.store, "get", Broken(AssertionError("copied again")).get)
    joblogs.keep(few)
    assert [copy.name for copy in copies(few)] == kept


def test_a_log_that_cannot_be_written_whole_is_not_there(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(parts, add_job(parts))

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        joblogs.keep(parts)
    assert copies(parts) == []
