"""A real worker process whose kinds of job die, hang, or take all memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import numpy as np
from tests.service.benches import Odd, done

from deepguard.service.kinds.roles import Done, Work, kinds
from deepguard.service.worker import main
from deepguard.types import Progress


def slow(work: Work) -> Done:
    steps = work.options["steps"]
    for step in range(steps):
        work.watch(Progress("slow", step, steps))
        time.sleep(0.02)
    return done("text", "more")


def deadly(work: Work) -> Done:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def stuck(work: Work) -> Done:
    work.watch(Progress("stuck", 0, 1))
    time.sleep(600)
    raise AssertionError


def greedy(work: Work) -> Done:
    hoard = [np.ones(1 << 22) for _ in range(100)]
    time.sleep(600)
    raise AssertionError(hoard)


def _enter(act: Callable[[Work], Done]) -> None:
    kinds.register(act.__name__)(lambda paths, device: Odd(act))


if __name__ == "__main__":
    for each in (slow, deadly, stuck, greedy):
        _enter(each)
    raise SystemExit(main())
