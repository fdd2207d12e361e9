"""Independent pieces of tensor work side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

T = TypeVar("T")


def in_parallel(tasks: Sequence[Callable[[], T]], costs: Sequence[float] | None = None) -> list[T]:
    """Return what the tasks return, in their order; what the first failing one raises is raised.

    Where `costs` say how long each takes, in any unit, the longest are begun first, so that all cores end together.

    On a processor every task runs on a core of its own: the detectors here are so small that one of them on two cores
    takes as long as on one (docs/benchmarks.md), while two of them on two cores take half as long as in turn.
    """
    cores = torch.get_num_threads()
    if cores == 1 or len(tasks) < 2:
        return [task() for task in tasks]
    order = range(len(tasks)) if costs is None else sorted(range(len(tasks)), key=lambda place: -costs[place])
    begun = {place: _pool(cores).submit(tasks[place]) for place in order}
    try:
        return [begun[place].result() for place in range(len(tasks))]
    finally:
        for future in begun.values():
            future.cancel()


@cache
def _pool(cores: int) -> ThreadPoolExecutor:
    pool = ThreadPoolExecutor(cores, "deepguard", initializer=_take_one_core)
    everyone = Barrier(cores)
    for worker in [pool.submit(everyone.wait) for _ in range(cores)]:
        worker.result()
    # what a thread sets is also what threads to come begin with: a program's later ones would have one core
    torch.set_num_threads(cores)
    return pool


def _take_one_core() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # numbers near 1e-40 make a network up to a quarter slower
    torch.get_num_threads()  # a thread takes its number at the first question, which others may have changed by then
