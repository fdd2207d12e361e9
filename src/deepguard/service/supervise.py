"""Keep a few processes running: start them, start them again when they die, and stop them when told.

It knows neither web nor torch, so that it stays small and has nothing in it that could fail.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.1
FOLLOW_SECONDS = 0.5
LAST_SECONDS = 10.0
TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running. `grace`: seconds that it may take to stop; `files`: descriptors that it gets."""

    name: str
    command: Sequence[str]
    grace: float = 10.0
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds before a child is started again: twice as many each time, from the start after a `settled` life."""

    first: float = 0.2
    most: float = 10.0
    settled: float = 60.0

    def after(self, last: float, lived: float) -> float:
        """Return the pause for a child that lived so long, where the last pause was `last` (0: there was none)."""
        return self.first if not last or lived >= self.settled else min(2 * last, self.most)


class Supervisor:
    """Keeps children running until it is told to stop."""

    def __init__(
        self, children: Sequence[Child], environment: Mapping[str, str] | None = None, pauses: Pauses | None = None
    ) -> None:
        self._environment = environment
        self._pauses = pauses or Pauses()
        self._places = [_Place(child) for child in children]
        self._told: list[int] = []

    def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Start the children, call `started`, keep them running, and return the signal that ended it.

        A second signal ends the children's time to stop. When it returns, or raises, no child is left. It must be
        called in the main thread, whose end is the children's end as well.
        """
        with self._listening():
            try:
                self._look()
                started()
                while not self._told:
                    time.sleep(LOOK_SECONDS)
                    self._look()
            finally:
                self._stop()
        return self._told[0]

    def stop(self) -> None:
        """Tell it to stop, as SIGTERM does."""
        self._told.append(signal.SIGTERM)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        # no lock and no event in the handler: it may come while this thread holds one
        heard = [each for each in TOLD if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]  # nohup
        before = {each: signal.signal(each, lambda number, frame: self._told.append(number)) for each in heard}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _look(self) -> None:
        """Start again what has died and has paused long enough."""
        for place in self._places:
            if (code := place.code()) is not None:
                place.bury()
                pause = place.wait(self._pauses)
                log.warning("a process ended and is started again", child=place.child.name, code=code, pause=pause)
            if place.process is None and time.monotonic() >= place.due and not self._told:
                self._start(place)

    def _start(self, place: _Place) -> None:
        again = place.pause > 0
        try:
            place.start(self._environment)
        except OSError as error:
            if not again:
                raise
            # no memory or no process to be had just now
            pause = place.wait(self._pauses)
            log.error("a process cannot be started", child=place.child.name, error=str(error), pause=pause)

    def _stop(self) -> None:
        asked, signals = time.monotonic(), len(self._told)
        for place in self._places:
            place.tell()
        while running := [place for place in self._places if place.process is not None]:
            for place in running:
                late = time.monotonic() - asked > place.child.grace
                if late or len(self._told) > signals or place.code() is not None:
                    place.bury()
            time.sleep(LOOK_SECONDS / 4)


class _Place:
    """Where one child lives, and lives again."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: subprocess.Popen[bytes] | None = None
        self.born = 0.0
        self.pause = 0.0
        self.due = 0.0

    def start(self, environment: Mapping[str, str] | None) -> None:
        parent = os.getpid()
        self.born = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            list(self.child.command),
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=self.child.files,
            # a session of its own: Ctrl-C reaches the supervisor alone, and the child's own children can be ended
            start_new_session=True,
            preexec_fn=lambda: _tie(parent),  # noqa: PLW1509 - nothing else runs in the supervisor's threads
        )

    def wait(self, pauses: Pauses) -> float:
        """Set when the child may be started again, and return the pause until then in seconds."""
        now = time.monotonic()
        self.pause = pauses.after(self.pause, now - self.born)
        self.due = now + self.pause
        return self.pause

    def code(self) -> int | None:
        """Return how the child ended; None where it lives or was buried."""
        return None if self.process is None else self.process.poll()

    def tell(self) -> None:
        """Ask the child to stop."""
        if self.process is not None:
            self.process.terminate()

    def bury(self) -> None:
        """End the child and everything that it started and left behind."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def follow_parent() -> None:
    """End this process when the one that started it has gone: SIGTERM at once, SIGKILL ten seconds later."""
    parent = os.getppid()
    threading.Thread(target=_follow, args=(parent,), name="follow", daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(FOLLOW_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _tie(parent: int) -> None:
    """Let Linux end this process with its parent, also while it is too busy starting to look for itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
