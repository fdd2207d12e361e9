"""Housekeeping: nothing lives too long, nothing goes too early, and one part that is down stops no other."""

from __future__ import annotations

import dataclasses
import datetime
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select, update
from structlog.testing import capture_logs

from deepguard.service import joblogs, jobs, removal
from deepguard.service.jobs import Claim, Ending
from deepguard.service.leases import Leases, Reminder
from deepguard.service.orphans import Orphans
from deepguard.service.parts import Parts, open_parts
from deepguard.service.queue import QueueDown, Sender
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.store import Store, StoreDown
from deepguard.service.tables import Clock, Job, Outcome, Quota, Result, Upload, Visit, Worker, identifier, now
from deepguard.service.tidy import Tidy

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


class Timer:
    """A steady clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 50.0

    def __call__(self) -> float:
        return self.at


class Broken:
    """Stands for any part that is down: whatever is asked of it fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.folder = None

    def __getattr__(self, name: str) -> object:
        def fail(*args: object, **named: object) -> None:
            raise self.error

        return fail


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def parts(any_parts: Parts) -> Parts:
    return any_parts


@pytest.fixture
def simple(tmp_path: Path) -> Iterator[Parts]:
    """Parts over SQLite only, where the kind of database does not matter."""
    from deepguard.service import schema  # noqa: PLC0415

    opened = open_parts(ServiceSettings(home=tmp_path / "simple", _env_file=None))
    schema.upgrade(opened.database)
    yield opened
    opened.database.close()


def add_upload(parts: Parts, lives: datetime.timedelta = DAY) -> str:
    upload_id = identifier()
    parts.store.put(f"uploads/{upload_id}", b"picture")
    with parts.database.writing() as session:
        time = session.scalars(select(Clock.time)).one()
        session.add(
            Upload(
                id=upload_id,
                owner="visit:1",
                name="사진.jpg",
                container="jpeg",
                size=7,
                sha256="0",
                expires=time + lives,
            )
        )
    return upload_id


def add_job(parts: Parts, upload_id: str = "none", lives: datetime.timedelta = DAY) -> str:
    with parts.database.writing() as session:
        time = session.scalars(select(Clock.time)).one()
        job = jobs.new_job(
            id=identifier(),
            kind="protect",
            owner="visit:1",
            name="secret name 사진.jpg",
            upload_id=upload_id,
            options={},
            expires=time + lives,
        )
        session.add(job)
        return job.id


def begin(parts: Parts, job_id: str) -> Claim:
    with parts.database.writing() as session:
        held = jobs.claim(session, job_id, "worker-1")
    assert held is not None
    return held


def finish(parts: Parts, job_id: str, *, fails: bool = False) -> list[str]:
    """Let a worker do the job; return the keys of what it made."""
    held = begin(parts, job_id)
    names = [] if fails else ["picture", "log"]
    keys = [f"results/{job_id}/{held.attempt}/{name}" for name in names]
    for key in keys:
        parts.store.put(key, json.dumps({"of": job_id}).encode())
    results = [
        Result(job_id=job_id, name=name, position=n, filename=name, media_type="x/y", size=9, sha256="0", key=key)
        for n, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    ending = Ending(State.FAILED, "no_face", "none") if fails else Ending(State.DONE, results=results)
    with parts.database.writing() as session:
        assert jobs.end(session, held, ending)
    return keys


def row(parts: Parts, job_id: str) -> Job | None:
    with parts.database.reading() as session:
        return session.get(Job, job_id)


def later(parts: Parts, passed: datetime.timedelta) -> None:
    """Let the service's time pass."""
    with parts.database.writing() as session:
        session.execute(update(Clock).values(time=session.scalars(select(Clock.time)).one() + passed))


def messages(parts: Parts) -> int:
    return parts.sender.check()


def copies(parts: Parts) -> list[Path]:
    return sorted(parts.settings.log_folder.glob("*"))


# leases


def watch(leases: Leases, timer: Timer, seconds: float, step: float = 2.0) -> None:
    for _ in range(int(seconds / step)):
        timer.at += step
        leases.step()


def test_a_job_whose_worker_is_silent_waits_again_and_is_sent_for(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    begin(parts, job_id)
    leases = Leases(parts, timer)
    leases.step()
    watch(leases, timer, parts.settings.lease_seconds - 3)
    lives = row(parts, job_id)
    watch(leases, timer, 6)
    lost = row(parts, job_id)
    assert (lives.state, lost.state, lost.losses, messages(parts)) == (State.RUNNING, State.QUEUED, 1, 1)


def test_a_job_whose_worker_beats_is_never_taken(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    held = begin(parts, job_id)
    leases = Leases(parts, timer)
    for _ in range(20):
        watch(leases, timer, 8)
        with parts.database.writing() as session:
            jobs.beat(session, held)
    assert row(parts, job_id).state == State.RUNNING


def test_a_job_that_kills_its_workers_fails_in_the_end(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    leases = Leases(parts, timer)
    for _ in range(parts.settings.losses):
        begin(parts, job_id)
        watch(leases, timer, parts.settings.lease_seconds + 6)
    found = row(parts, job_id)
    assert (found.state, found.error_code, found.losses) == (State.FAILED, jobs.LOST, 3)


def test_a_job_that_is_to_be_cancelled_and_whose_worker_is_silent_is_cancelled(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    begin(parts, job_id)
    with parts.database.writing() as session:
        assert jobs.cancel(session, session.get_one(Job, job_id)) == State.CANCELLING
    watch(Leases(parts, timer), timer, parts.settings.lease_seconds + 6)
    assert (row(parts, job_id).state, messages(parts)) == (State.CANCELLED, 0)


def test_hours_of_sleep_take_no_job_from_a_worker_that_slept_too(simple: Parts, timer: Timer) -> None:
    job_id = add_job(simple)
    begin(simple, job_id)
    leases = Leases(simple, timer)
    leases.step()
    timer.at += 3 * 3600
    leases.step()
    assert row(simple, job_id).state == State.RUNNING


def test_a_lost_job_waits_although_the_queue_is_down(simple: Parts, timer: Timer) -> None:
    down = dataclasses.replace(simple, sender=Broken(QueueDown("the queue does not answer")))
    job_id = add_job(simple)
    begin(simple, job_id)
    watch(Leases(down, timer), timer, 30)
    assert row(simple, job_id).state == State.QUEUED


def test_two_housekeepers_lose_a_job_once(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    begin(parts, job_id)
    both = [Leases(parts, timer) for _ in range(2)]
    for each in both:
        each.step()
    for _ in range(12):
        timer.at += 2
        threads = [threading.Thread(target=each.step) for each in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (row(parts, job_id).losses, messages(parts)) == (1, 1)


# messages that were lost


def test_a_job_without_a_message_is_sent_for_after_a_while_and_only_once(parts: Parts, timer: Timer) -> None:
    for _ in range(3):
        add_job(parts)
    reminder = Reminder(parts, timer)
    found = []
    for _ in range(5):
        reminder.step()
        found.append(messages(parts))
        timer.at += 15
    assert found == [0, 3, 3, 3, 3]


def test_a_job_whose_message_waits_is_not_sent_for_again(parts: Parts, timer: Timer) -> None:
    parts.sender.send(add_job(parts))
    reminder = Reminder(parts, timer)
    for _ in range(4):
        reminder.step()
        timer.at += 15
    assert messages(parts) == 1


def test_one_look_sends_a_bounded_number(simple: Parts, timer: Timer) -> None:
    for _ in range(130):
        add_job(simple)
    reminder = Reminder(simple, timer)
    reminder.step()
    timer.at += 15
    reminder.step()
    assert messages(simple) == 100


# expiry


def test_a_job_that_has_lived_its_time_loses_its_files_and_its_name_but_not_its_log(parts: Parts) -> None:
    upload_id = add_upload(parts)
    job_id = add_job(parts, upload_id)
    keys = finish(parts, job_id)
    later(parts, DAY + HOUR)
    removal.expire(parts)
    found = row(parts, job_id)
    assert (found.state, found.name, found.options) == (State.EXPIRED, "", {})
    assert [key for key in [*keys, f"uploads/{upload_id}"] if parts.store.holds(key)] == []
    with parts.database.reading() as session:
        assert session.scalars(select(Result)).all() == []
        assert session.scalars(select(Upload)).all() == []
    assert [json.loads(copy.read_bytes()) for copy in copies(parts)] == [{"of": job_id}]


def test_nothing_that_has_time_left_goes(parts: Parts) -> None:
    upload_id = add_upload(parts)
    keys = finish(parts, add_job(parts, upload_id))
    later(parts, DAY - HOUR)
    removal.expire(parts)
    assert all(parts.store.holds(key) for key in [*keys, f"uploads/{upload_id}"])


def test_an_upload_that_a_job_still_needs_stays(parts: Parts) -> None:
    upload_id = add_upload(parts)
    job_id = add_job(parts, upload_id, lives=5 * DAY)
    later(parts, 2 * DAY)
    removal.expire(parts)
    needed = parts.store.holds(f"uploads/{upload_id}")
    finish(parts, job_id)
    removal.expire(parts)
    assert (needed, parts.store.holds(f"uploads/{upload_id}")) == (True, False)


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY], ids=["forward", "back"])
def test_a_wall_clock_that_jumps_removes_nothing(
    simple: Parts, monkeypatch: pytest.MonkeyPatch, jump: datetime.timedelta
) -> None:
    upload_id = add_upload(simple)
    keys = finish(simple, add_job(simple, upload_id))
    moment = now() + jump
    for module in ("tables", "clock", "jobs"):
        monkeypatch.setattr(f"deepguard.service.{module}.now", lambda: moment)
    removal.expire(simple)
    removal.forget(simple)
    assert all(simple.store.holds(key) for key in [*keys, f"uploads/{upload_id}"])


def test_while_the_store_is_down_nothing_is_forgotten_and_all_goes_when_it_is_back(parts: Parts) -> None:
    job_id = add_job(parts)
    keys = finish(parts, job_id)
    later(parts, 2 * DAY)
    down = dataclasses.replace(parts, store=Broken(StoreDown("down")))
    with pytest.raises(StoreDown):
        removal.expire(down)
    kept = all(parts.store.holds(key) for key in keys)
    removal.expire(parts)
    assert (kept, any(parts.store.holds(key) for key in keys)) == (True, False)


def test_files_go_although_the_folder_of_logs_cannot_be_written(simple: Parts) -> None:
    keys = finish(simple, add_job(simple))
    later(simple, 2 * DAY)
    simple.settings.log_folder.write_text("a file where a folder should be")
    with capture_logs() as said:
        removal.expire(simple)
    assert not any(simple.store.holds(key) for key in keys)
    assert [each["event"] for each in said if each["log_level"] == "error"] == ["job logs cannot be copied"]


def test_the_rows_of_expired_jobs_go_after_the_days_that_they_are_kept(parts: Parts) -> None:
    job_id = add_job(parts)
    finish(parts, job_id)
    days = datetime.timedelta(days=parts.settings.keep_days)
    later(parts, DAY + HOUR)
    removal.expire(parts)
    later(parts, days - 2 * HOUR)
    removal.forget(parts)
    kept = row(parts, job_id)
    later(parts, 2 * HOUR)
    removal.forget(parts)
    assert (kept is None, row(parts, job_id)) == (False, None)


def test_old_visits_quotas_and_outcomes_go_and_young_ones_stay(parts: Parts) -> None:
    old, day = now() - 500 * DAY, now().date().isoformat()
    with parts.database.writing() as session:
        session.add_all(
            [Visit(token_hash="a", seen=old), Visit(token_hash="b"), Visit(id="1", token_hash="c", seen=old)]
        )
        session.add_all([Quota(owner="o", day="2020-01-01", used=1), Quota(owner="o", day=day, used=1)])
        session.add_all([Outcome(kind="k", state="done", ended=old), Outcome(kind="k", state="done")])
    # the third visitor still has a job
    add_job(parts)
    removal.forget(parts)
    with parts.database.reading() as session:
        assert set(session.scalars(select(Visit.token_hash))) == {"b", "c"}
        assert list(session.scalars(select(Quota.day))) == [day]
        assert len(session.scalars(select(Outcome)).all()) == 1


def test_dead_workers_go_but_not_the_last_that_told_what_it_can(parts: Parts, timer: Timer) -> None:
    def worker(name: str, age: float, able: bool) -> Worker:
        begun = now() - datetime.timedelta(seconds=age)
        return Worker(name=name, host="h", pid=1, version="1", started=begun, abilities={"protect": {}} if able else {})

    with parts.database.writing() as session:
        session.add_all(
            [worker("old", 30, True), worker("last", 20, True), worker("mute", 10, False), worker("alive", 5, False)]
        )
    dead = removal.DeadWorkers(parts, timer)
    for _ in range(3):
        dead.step()
        timer.at += 1801
        with parts.database.writing() as session:
            session.execute(update(Worker).where(Worker.name == "alive").values(beat=Worker.beat + 1))
    with parts.database.reading() as session:
        assert set(session.scalars(select(Worker.name))) == {"last", "alive"}


# job logs


def test_a_failed_job_leaves_a_small_log_without_names(parts: Parts) -> None:
    job_id = add_job(parts)
    finish(parts, job_id, fails=True)
    joblogs.keep(parts)
    [copy] = copies(parts)
    told = json.loads(copy.read_text())
    assert (told["id"], told["kind"], told["state"], told["code"]) == (job_id, "protect", "failed", "no_face")
    assert told["ended"] is not None
    assert "사진" not in copy.read_text()
    assert "secret" not in copy.read_text()


def test_only_the_last_logs_are_kept_and_none_is_copied_to_be_removed(
    simple: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(simple, settings=simple.settings.model_copy(update={"log_copies": 3}))
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


def test_a_log_that_cannot_be_written_whole_is_not_there(simple: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(simple, add_job(simple))

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        joblogs.keep(simple)
    assert copies(simple) == []


# orphans


def sweep(orphans: Orphans) -> None:
    orphans.step()
    while not orphans.resting:
        orphans.step()


def test_an_object_without_a_row_goes_when_it_was_seen_twice_an_hour_apart(parts: Parts, timer: Timer) -> None:
    parts.store.put("uploads/lost", b"x")
    parts.store.put("results/gone/1/picture", b"x")
    orphans = Orphans(parts, timer)
    found = []
    for _ in range(3):
        sweep(orphans)
        found.append(sorted(each.key for each in parts.store.everything()))
        timer.at += 1801
    assert found == [["results/gone/1/picture", "uploads/lost"]] * 2 + [[]]


def test_an_object_that_is_written_again_meanwhile_is_young(parts: Parts, timer: Timer) -> None:
    orphans = Orphans(parts, timer)
    for content in (b"x", b"xx", b"xxx"):
        parts.store.put("uploads/coming", content)
        sweep(orphans)
        timer.at += 3601
    assert parts.store.holds("uploads/coming")


def test_what_has_a_row_belongs_to_a_running_attempt_or_is_not_ours_stays(parts: Parts, timer: Timer) -> None:
    upload_id = add_upload(parts)
    keys = finish(parts, add_job(parts))
    running = add_job(parts)
    held = begin(parts, running)
    keys += [
        f"uploads/{upload_id}",
        f"results/{running}/{held.attempt}/picture",
        "weights/retinaface.bin",
        "uploads/a/b",
    ]
    for key in keys[-3:]:
        parts.store.put(key, b"x")
    parts.store.put(f"results/{running}/7/picture", b"of an attempt that never was")
    orphans = Orphans(parts, timer)
    for _ in range(3):
        sweep(orphans)
        timer.at += 3601
    assert sorted(each.key for each in parts.store.everything()) == sorted(keys)


def test_what_a_killed_writer_left_in_the_folder_goes_with_the_empty_folders(simple: Parts, timer: Timer) -> None:
    folder = simple.store.folder
    assert folder is not None
    staged = folder / "uploads" / "0b5c#1"
    staged.parent.mkdir()
    staged.write_bytes(b"half")
    (folder / "results" / "job" / "1").mkdir(parents=True)
    orphans = Orphans(simple, timer, patience=0)
    for _ in range(3):
        sweep(orphans)
    assert sorted(folder.rglob("*")) == [folder / "results", folder / "uploads"]


def test_one_step_looks_at_a_bounded_number_of_objects(
    simple: Parts, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepguard.service.orphans.BATCH", 10)
    for number in range(25):
        simple.store.put(f"uploads/{number}", b"x")
    orphans = Orphans(simple, timer, patience=0)
    steps = 0
    while not (steps and orphans.resting):
        orphans.step()
        steps += 1
    assert steps == 4


# all of it


def test_one_eager_step_after_everything_leaves_only_what_has_time_left(parts: Parts) -> None:
    add_upload(parts, lives=-HOUR)
    kept = add_upload(parts)
    finish(parts, add_job(parts, lives=-HOUR))
    parts.store.put("uploads/lost", b"x")
    Tidy(parts, eager=True).step()
    assert [each.key for each in parts.store.everything()] == [f"uploads/{kept}"]
    assert len(copies(parts)) == 1


@pytest.mark.parametrize("part", ["store", "sender"])
def test_a_part_that_is_down_stops_no_lease(simple: Parts, timer: Timer, part: str) -> None:
    broken: dict[str, Store | Sender] = {part: Broken(StoreDown("down"))}  # type: ignore[dict-item]
    job_id = add_job(simple)
    begin(simple, job_id)
    tidy = Tidy(dataclasses.replace(simple, **broken), steady=timer)
    for _ in range(20):
        timer.at += 2
        tidy.step()
    assert row(simple, job_id).state == State.QUEUED


def test_while_the_database_is_down_steps_fail_quietly_and_work_again_afterwards(simple: Parts, timer: Timer) -> None:
    job_id = add_job(simple)
    begin(simple, job_id)
    tidy = Tidy(simple, steady=timer)
    works = simple.database.reading
    simple.database.reading = Broken(sqlalchemy.exc.OperationalError("", None, Exception("gone"))).reading  # type: ignore[method-assign]
    with capture_logs() as said:
        for _ in range(20):
            timer.at += 2
            tidy.step()
    simple.database.reading = works  # type: ignore[method-assign]
    tidy.step()
    back = row(simple, job_id).state
    for _ in range(20):
        timer.at += 2
        tidy.step()
    assert {each["chore"] for each in said if each["event"] == "a chore failed"} >= {"leases", "logs", "messages"}
    assert (back, row(simple, job_id).state) == (State.RUNNING, State.QUEUED)


def test_each_chore_keeps_its_own_pace(simple: Parts, timer: Timer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(removal, "expire", lambda parts, grace: calls.append(timer.at))
    tidy = Tidy(simple, steady=timer)
    for _ in range(31):
        tidy.step()
        timer.at += 2
    assert calls == [50.0, 80.0, 110.0]


def test_many_housekeepers_at_once_end_with_the_same_as_one(parts: Parts) -> None:
    finished = [finish(parts, add_job(parts, lives=-HOUR)) for _ in range(10)]
    uploads = [add_upload(parts, lives=-HOUR) for _ in range(10)]
    with capture_logs() as said:
        threads = [threading.Thread(target=Tidy(parts, eager=True).step) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each for each in said if each["event"] == "a chore failed"] == []
    assert len(finished) == len(uploads) == len(copies(parts)) == 10
    assert list(parts.store.everything()) == []
