"""Jobs that their workers lost, and jobs that no message tells of: both are worked on in the end."""

from __future__ import annotations

import dataclasses
import threading

from kombu.exceptions import OperationalError
from tests.service.benches import claimed, job_of, queued
from tests.service.household import Broken, Timer, add_job, messages, row

from deepguard.service import jobs
from deepguard.service.leases import Leases, Reminder, take_back
from deepguard.service.parts import Parts
from deepguard.service.queue import Sender
from deepguard.service.states import State
from deepguard.service.tables import Job


def watch(leases: Leases, timer: Timer, seconds: float, step: float = 2.0) -> None:
    for _ in range(int(seconds / step)):
        timer.at += step
        leases.step()


def test_a_job_whose_worker_is_silent_waits_again_and_is_sent_for(any_parts: Parts, timer: Timer) -> None:
    job_id = add_job(any_parts)
    claimed(any_parts, job_id)
    leases = Leases(any_parts, timer)
    leases.step()
    watch(leases, timer, any_parts.settings.lease_seconds - 3)
    lives = row(any_parts, job_id)
    watch(leases, timer, 6)
    lost = row(any_parts, job_id)
    assert (lives.state, lost.state, lost.losses, messages(any_parts)) == (State.RUNNING, State.QUEUED, 1, 1)


def test_a_job_whose_worker_beats_is_never_taken(any_parts: Parts, timer: Timer) -> None:
    job_id = add_job(any_parts)
    held = claimed(any_parts, job_id)
    leases = Leases(any_parts, timer)
    for _ in range(20):
        watch(leases, timer, 8)
        with any_parts.database.writing() as session:
            jobs.beat(session, held)
    assert row(any_parts, job_id).state == State.RUNNING


def test_a_job_that_kills_its_workers_fails_in_the_end(any_parts: Parts, timer: Timer) -> None:
    job_id = add_job(any_parts)
    leases = Leases(any_parts, timer)
    for _ in range(any_parts.settings.losses):
        claimed(any_parts, job_id)
        watch(leases, timer, any_parts.settings.lease_seconds + 6)
    found = row(any_parts, job_id)
    assert (found.state, found.error_code, found.losses) == (State.FAILED, jobs.LOST, 3)


def test_a_job_that_is_to_be_cancelled_and_whose_worker_is_silent_is_cancelled(any_parts: Parts, timer: Timer) -> None:
    job_id = add_job(any_parts)
    claimed(any_parts, job_id)
    with any_parts.database.writing() as session:
        assert jobs.cancel(session, session.get_one(Job, job_id)) == State.CANCELLING
    watch(Leases(any_parts, timer), timer, any_parts.settings.lease_seconds + 6)
    assert (row(any_parts, job_id).state, messages(any_parts)) == (State.CANCELLED, 0)


def test_hours_of_sleep_take_no_job_from_a_worker_that_slept_too(parts: Parts, timer: Timer) -> None:
    job_id = add_job(parts)
    claimed(parts, job_id)
    leases = Leases(parts, timer)
    leases.step()
    timer.at += 3 * 3600
    leases.step()
    assert row(parts, job_id).state == State.RUNNING


def test_a_lost_job_waits_although_the_queue_is_down(parts: Parts, timer: Timer) -> None:
    down = dataclasses.replace(parts, sender=Sender(Broken(OperationalError("the queue does not answer"))))
    job_id = add_job(parts)
    claimed(parts, job_id)
    watch(Leases(down, timer), timer, 30)
    assert row(parts, job_id).state == State.QUEUED


def test_two_housekeepers_lose_a_job_once(any_parts: Parts, timer: Timer) -> None:
    job_id = add_job(any_parts)
    claimed(any_parts, job_id)
    both = [Leases(any_parts, timer) for _ in range(2)]
    for each in both:
        each.step()
    for _ in range(12):
        timer.at += 2
        threads = [threading.Thread(target=each.step) for each in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (row(any_parts, job_id).losses, messages(any_parts)) == (1, 1)


def test_a_job_without_a_message_is_sent_for_after_a_while_and_only_once(any_parts: Parts, timer: Timer) -> None:
    for _ in range(3):
        add_job(any_parts)
    reminder = Reminder(any_parts, timer)
    found = []
    for _ in range(5):
        reminder.step()
        found.append(messages(any_parts))
        timer.at += 15
    assert found == [0, 3, 3, 3, 3]


def test_a_job_whose_message_waits_is_not_sent_for_again(any_parts: Parts, timer: Timer) -> None:
    any_parts.sender.send(add_job(any_parts))
    reminder = Reminder(any_parts, timer)
    for _ in range(4):
        reminder.step()
        timer.at += 15
    assert messages(any_parts) == 1


def test_one_look_sends_a_bounded_number(parts: Parts, timer: Timer) -> None:
    for _ in range(130):
        add_job(parts)
    reminder = Reminder(parts, timer)
    reminder.step()
    timer.at += 15
    reminder.step()
    assert messages(parts) == 100


def test_a_worker_that_starts_again_takes_back_what_it_had_at_once(parts: Parts) -> None:
    mine, others, asked = (queued(parts, b"x", "odd") for _ in range(3))
    with parts.database.writing() as session:
        for job_id, name in ((mine, "one"), (others, "two"), (asked, "one")):
            assert jobs.claim(session, job_id, name)
        jobs.cancel(session, session.get_one(jobs.Job, asked))
    take_back(parts, "one")
    found = {each: job_of(parts, each) for each in (mine, others, asked)}
    assert [each.state for each in found.values()] == [State.QUEUED, State.RUNNING, State.CANCELLED]
    assert (found[mine].losses, parts.sender.check()) == (1, 1)
