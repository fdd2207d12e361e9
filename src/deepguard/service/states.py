"""The states of a job, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """What a job is doing."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
        # back to queued: the worker died or was stopped
        State.RUNNING: frozenset({State.DONE, State.FAILED, State.CANCELLING, State.QUEUED}),
        State.CANCELLING: frozenset({State.CANCELLED}),
        State.DONE: frozenset({State.EXPIRED}),
        State.FAILED: frozenset({State.QUEUED, State.EXPIRED}),
        State.CANCELLED: frozenset({State.QUEUED, State.EXPIRED}),
        State.EXPIRED: frozenset(),
    }
)
"""State -> the states that may follow; a job that is over can also be deleted, which is no state."""

ACTIVE = frozenset({State.QUEUED, State.RUNNING, State.CANCELLING})
"""States of a job that is not over."""


def sources(target: State) -> tuple[State, ...]:
    """Return the states from which `target` may be reached."""
    return tuple(state for state, after in NEXT.items() if target in after)
