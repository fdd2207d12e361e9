from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from deepguard.parallel import in_parallel


@pytest.fixture(params=[1, 2, 4])
def cores(request: pytest.FixtureRequest) -> Iterator[int]:
    """So many cores; what was set before is set back."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def late(number: int) -> Callable[[], int]:
    """A task that ends the sooner the later it stands among five."""

    def task() -> int:
        time.sleep(0.002 * (5 - number))
        return number

    return task


def test_answers_come_in_the_order_of_the_tasks(cores: int) -> None:
    assert in_parallel([late(number) for number in range(5)]) == [0, 1, 2, 3, 4]


def test_no_task_gives_no_answer(cores: int) -> None:
    assert in_parallel([]) == []


def test_what_the_first_failing_task_raises_is_raised(cores: int) -> None:
    def broken(text: str) -> Callable[[], int]:
        def task() -> int:
            raise ArithmeticError(text)

        return task

    with pytest.raises(ArithmeticError, match="first"):
        in_parallel([late(0), broken("first"), late(2), broken("second")])


def test_the_longest_tasks_are_begun_first_and_answers_keep_their_order() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=20)
    begun: list[int] = []

    def task(number: int) -> int:
        begun.append(number)
        meeting.wait()  # two are under way at a time
        return number

    try:
        assert in_parallel([partial(task, number) for number in range(4)], [3, 1, 4, 2]) == [0, 1, 2, 3]
    finally:
        torch.set_num_threads(before)
    assert sorted(begun[:2]) == [0, 2]


def test_what_the_first_failing_task_raises_is_raised_also_where_it_is_begun_last() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def broken(text: str) -> None:
        raise ArithmeticError(text)

    try:
        with pytest.raises(ArithmeticError, match="first"):
            in_parallel([partial(broken, "first"), partial(broken, "second")], [1, 2])
    finally:
        torch.set_num_threads(before)


def test_on_one_core_everything_happens_in_the_callers_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert set(in_parallel([threading.get_ident] * 4)) == {threading.get_ident()}
    finally:
        torch.set_num_threads(before)


def test_on_several_cores_tasks_run_at_the_same_time_each_on_one_core() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    meeting = threading.Barrier(2, timeout=20)

    def task() -> int:
        meeting.wait()  # passes only when both are under way
        return torch.get_num_threads()

    try:
        assert in_parallel([task, task]) == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_gradients_do_not_depend_on_the_cores(cores: int) -> None:
    weights = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))

    def task(row: torch.Tensor) -> Callable[[], torch.Tensor]:
        def gradient() -> torch.Tensor:
            leaf = torch.ones(6, requires_grad=True)
            return torch.autograd.grad((row * leaf.square()).sum(), leaf)[0]

        return gradient

    torch.testing.assert_close(torch.stack(in_parallel([task(row) for row in weights])), 2 * weights)


def test_threads_to_come_still_have_all_cores() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    seen: list[int] = []
    try:
        in_parallel([torch.get_num_threads] * 6)
        later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        later.start()
        later.join()
    finally:
        torch.set_num_threads(before)
    assert seen == [3]
