"""Housekeeping: what belongs to nothing goes, and one part that is down stops no other."""

from __future__ import annotations

import dataclasses
import threading

import pytest
import sqlalchemy
from structlog.testing import capture_logs
from tests.service.benches import claimed
from tests.service.household import HOUR, Broken, Timer, add_job, add_upload, copies, finish, row

from deepguard.service import removal
from deepguard.service.orphans import Orphans
from deepguard.service.parts import Parts
from deepguard.service.queue import Sender
from deepguard.service.states import State
from deepguard.service.store import Store, StoreDown
from deepguard.service.tidy import Tidy


def sweep(orphans: Orphans) -> None:
    orphans.step()
    while not orphans.resting:
        orphans.step()


def test_an_object_without_a_row_goes_when_it_was_seen_twice_an_hour_apart(any_parts: Parts, timer: Timer) -> None:
    any_parts.store.put("uploads/lost", b"x")
    any_parts.store.put("results/gone/1/picture", b"x")
    orphans = Orphans(any_parts, timer)
    found = []
    for _ in range(3):
        sweep(orphans)
        found.append(sorted(each.key for each in any_parts.store.everything()))
        timer.at += 1801
    assert found == [["results/gone/1/picture", "uploads/lost"]] * 2 + [[]]


def test_an_object_that_is_written_again_meanwhile_is_young(any_parts: Parts, timer: Timer) -> None:
    orphans = Orphans(any_parts, timer)
    for content in (b"x", b"xx", b"xxx"):
        any_parts.store.put("uploads/coming", content)
        sweep(orphans)
        timer.at += 3601
    assert any_parts.store.holds("uploads/coming")


def test_what_has_a_row_belongs_to_a_running_attempt_or_is_not_ours_stays(any_parts: Parts, timer: Timer) -> None:
    upload_id = add_upload(any_parts)
    keys = finish(any_parts, add_job(any_parts))
    running = add_job(any_parts)
    held = claimed(any_parts, running)
    keys += [
        f"uploads/{upload_id}",
        f"results/{running}/{held.attempt}/picture",
        "weights/retinaface.bin",
        "uploads/a/b",
    ]
    for key in keys[-3:]:
        any_parts.store.put(key, b"x")
    any_parts.store.put(f"results/{running}/7/picture", b"of an attempt that never was")
    orphans = Orphans(any_parts, timer)
    for _ in range(3):
        sweep(orphans)
        timer.at += 3601
    assert sorted(each.key for each in any_parts.store.everything()) == sorted(keys)


def test_what_a_killed_writer_left_in_the_folder_goes_with_the_empty_folders(parts: Parts, timer: Timer) -> None:
    folder = parts.store.folder
    assert folder is not None
    staged = folder / "uploads" / "0b5c#1"
    staged.parent.mkdir()
    staged.write_bytes(b"half")
    (folder / "results" / "job" / "1").mkdir(parents=True)
    orphans = Orphans(parts, timer, patience=0)
    for _ in range(3):
        sweep(orphans)
    assert sorted(folder.rglob("*")) == [folder / "results", folder / "uploads"]


def test_one_step_looks_at_a_bounded_number_of_objects(
    parts: Parts, timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepguard.service.orphans.BATCH", 10)
    for number in range(25):
        parts.store.put(f"uploads/{number}", b"x")
    orphans = Orphans(parts, timer, patience=0)
    steps = 0
    while not (steps and orphans.resting):
        orphans.step()
        steps += 1
    assert steps == 4


def test_one_eager_step_after_everything_leaves_only_what_has_time_left(any_parts: Parts) -> None:
    add_upload(any_parts, lives=-HOUR)
    kept = add_upload(any_parts)
    finish(any_parts, add_job(any_parts, lives=-HOUR))
    any_parts.store.put("uploads/lost", b"x")
    Tidy(any_parts, eager=True).step()
    assert [each.key for each in any_parts.store.everything()] == [f"uploads/{kept}"]
    assert len(copies(any_parts)) == 1


@pytest.mark.parametrize("part", ["store", "sender"])
def test_a_part_that_is_down_stops_no_lease(parts: Parts, timer: Timer, part: str) -> None:
    broken: dict[str, Store | Sender] = {part: Broken(StoreDown("down"))}
    job_id = add_job(parts)
    claimed(parts, job_id)
    tidy = Tidy(dataclasses.replace(parts, **broken), steady=timer)
    for _ in range(20):
        timer.at += 2
        tidy.step()
    assert row(parts, job_id).state == State.QUEUED


def test_while_the_database_is_down_steps_fail_quietly_and_work_again_afterwards(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    claimed(parts, job_id)
    tidy = Tidy(parts, steady=timer)
    works = parts.database.reading
    parts.database.reading = Broken(sqlalchemy.exc.OperationalError("", None, Exception("gone"))).reading
    with capture_logs() as said:
        for _ in range(20):
            timer.at += 2
            tidy.step()
    parts.database.reading = works
    tidy.step()
    back = row(parts, job_id).state
    for _ in range(20):
        timer.at += 2
        tidy.step()
    assert {each["chore"] for each in said if each["event"] == "a chore failed"} >= {"leases", "logs", "messages"}
    assert (back, row(parts, job_id).state) == (State.RUNNING, State.QUEUED)


def test_each_chore_keeps_its_own_pace(parts: Parts, timer: Timer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(removal, "expire", lambda parts, grace: calls.append(timer.at))
    tidy = Tidy(parts, steady=timer)
    for _ in range(31):
        tidy.step()
        timer.at += 2
    assert calls == [50.0, 80.0, 110.0]


def test_many_housekeepers_at_once_end_with_the_same_as_one(any_parts: Parts) -> None:
    finished = [finish(any_parts, add_job(any_parts, lives=-HOUR)) for _ in range(10)]
    uploads = [add_upload(any_parts, lives=-HOUR) for _ in range(10)]
    with capture_logs() as said:
        threads = [threading.Thread(target=Tidy(any_parts, eager=True).step) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [each for each in said if each["event"] == "a chore failed"] == []
    assert len(finished) == len(uploads) == len(copies(any_parts)) == 10
    assert list(any_parts.store.everything()) == []
