"""Brokers that forget, workers that hear nothing, and workers that come back under their name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tests.service import servers
from tests.service.benches import job_of, parts_in, queued, wait_for, worker
from tests.service.household import Timer

from deepguard.service import deafness
from deepguard.service.deafness import Deafness
from deepguard.service.parts import Parts
from deepguard.service.queue import QueueDown
from deepguard.service.states import State


def test_a_worker_goes_on_after_the_broker_forgot_everything_while_it_worked(tmp_path: Path) -> None:
    with servers.redis_server("--save", "", "--appendonly", "no") as broker:
        parts = parts_in(tmp_path, broker=broker.url)
        first, second = (queued(parts, b"x", "slow", steps=steps) for steps in (150, 1))
        with worker(parts, DEEPGUARD_BROKER=broker.url):
            parts.sender.send(first)
            wait_for(lambda: job_of(parts, first).state == State.RUNNING)
            broker.kill()
            broker.start()
            wait_for(lambda: job_of(parts, first).state == State.DONE)
            parts.sender.send(second)
            wait_for(lambda: job_of(parts, second).state == State.DONE)
        assert [job_of(parts, each).attempt for each in (first, second)] == [1, 1]
        parts.database.close()


def listened(parts: Parts, busy: list[bool], seconds: float) -> list[int]:
    """Let a worker be idle or busy for each of some looks, `seconds` in all; return with what it ended itself."""
    left: list[int] = []
    timer = Timer()
    watch = Deafness(parts, lambda: busy[0], timer, left.append)
    for at in range(len(busy)):
        busy[0] = busy[at]
        watch.step()
        timer.at += seconds / (len(busy) - 1)
    return left


def test_an_idle_worker_ends_where_messages_have_waited_for_a_minute(parts: Parts) -> None:
    parts.sender.send(queued(parts, b"x", "odd"))
    assert listened(parts, [False] * 5, 50) == []
    assert listened(parts, [False] * 5, 70) == [deafness.DEAF]


def test_a_busy_worker_and_one_without_messages_stay(parts: Parts) -> None:
    job_id = queued(parts, b"x", "odd")
    assert listened(parts, [False] * 5, 300) == []
    parts.sender.send(job_id)
    assert listened(parts, [True] * 5, 300) == []
    assert listened(parts, [False, False, True, False, False], 100) == []


def test_a_broker_that_is_down_makes_nobody_deaf(parts: Parts) -> None:
    class Down:
        def check(self) -> int:
            raise QueueDown("the queue does not answer")

    queued(parts, b"x", "odd")
    sender: Any = Down()
    assert listened(dataclasses.replace(parts, sender=sender), [False] * 5, 300) == []
