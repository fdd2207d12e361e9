"""A worker that hears no messages although there are some: a connection may be dead without either side knowing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import structlog
from sqlalchemy import func, select

from deepguard.service.parts import Parts
from deepguard.service.queue import QueueDown
from deepguard.service.states import State
from deepguard.service.tables import Job

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 60.0
DEAF = 73
"""Exit code of a worker that ended itself because it heard nothing."""


class Deafness:
    """Ends the process when its worker has been idle for a minute while messages waited all the time.

    Whatever started the worker starts it again, with a new connection.
    """

    def __init__(
        self,
        parts: Parts,
        busy: Callable[[], bool],
        steady: Callable[[], float] = time.monotonic,
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._parts = parts
        self._busy = busy
        self._steady = steady
        self._leave = leave
        self._since: float | None = None

    def step(self) -> None:
        """Look once."""
        if self._busy() or not self._messages():
            self._since = None
            return
        at = self._steady()
        self._since = at if self._since is None else self._since
        if at - self._since >= PATIENCE_SECONDS:
            log.error("messages wait and this worker hears none; it ends, to be started again")
            self._leave(DEAF)

    def _messages(self) -> bool:
        with self._parts.database.reading() as session:
            waiting = session.scalar(select(func.count()).select_from(Job).where(Job.state == State.QUEUED))
        try:
            return bool(waiting) and self._parts.sender.check() > 0
        except QueueDown:
            return False
