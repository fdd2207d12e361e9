"""One question to a part of the service that may be slow or down, answered in time whatever happens."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text

from deepguard.errors import DeepguardError
from deepguard.service.parts import Parts

log = structlog.get_logger(__name__)

LIMIT = 3.0
"""Seconds that a part has for its answer."""

STORE_SECONDS = 5.0
"""How long what the object storage answered is kept: each question costs its operator a request."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a part is well, what it said in one sentence, since when it is so, and the value that it gave."""

    ok: bool
    what: str
    since: datetime.datetime
    value: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way: its answer, and when it was asked on the steady clock."""

    answer: Future[Any]
    begun: float


class Unwell(DeepguardError):
    """A part answers, but with something that is not well."""

    code = "unwell"


class Probe:
    """Asks by a function that returns a value or raises; one at a time, and the answer is kept for a while.

    The function runs in a thread of its own: a part that hangs keeps one thread, however many ask for it.
    """

    def __init__(self, name: str, ask: Callable[[], Any], kept: float = 0.0, limit: float = LIMIT) -> None:
        self.name = name
        self._ask = ask
        self._kept = kept
        self._limit = limit
        self._lock = threading.Lock()
        self._asked: Asked | None = None
        self._last: Finding | None = None

    def begin(self) -> Asked:
        """Ask, unless an answer is still to come or still good."""
        with self._lock:
            if self._asked is None or self._is_over(self._asked):
                self._asked = Asked(Future(), time.monotonic())
                arguments = (self._ask, self._asked.answer)
                threading.Thread(target=_run, args=arguments, name=f"ask-{self.name}", daemon=True).start()
            return self._asked

    def finding(self, asked: Asked) -> Finding:
        """Return what was found, at the latest when the time is over."""
        try:
            value = asked.answer.result(max(0.0, asked.begun + self._limit - time.monotonic()))
        except TimeoutError:
            return self._noted(False, f"no answer in {self._limit:g} seconds")
        except DeepguardError as error:
            return self._noted(False, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a driver raises means that the part is not well
            # the text may name servers and users: it is for the log, not for whoever asks
            log.warning("a part of the service does not answer", part=self.name, error=str(error))
            return self._noted(False, f"it does not answer ({type(error).__name__})")
        return self._noted(True, "well", value)

    def _is_over(self, asked: Asked) -> bool:
        return asked.answer.done() and time.monotonic() - asked.begun >= self._kept

    def _noted(self, ok: bool, what: str, value: Any = None) -> Finding:
        with self._lock:
            last = self._last
            since = last.since if last is not None and last.ok == ok else datetime.datetime.now(datetime.UTC)
            self._last = Finding(ok, what, since, value)
            return self._last


def probes_of(parts: Parts) -> dict[str, Probe]:
    """Return the questions to the database, the store and the broker."""
    return {
        "database": Probe("database", lambda: _select(parts)),
        "store": Probe("store", lambda: parts.store.holds("ready"), STORE_SECONDS),
        "broker": Probe("broker", parts.sender.check),
    }


def findings(probes: Mapping[str, Probe]) -> dict[str, Finding]:
    """Return what all of them found; they are asked side by side."""
    asked = {name: probe.begin() for name, probe in probes.items()}
    return {name: probe.finding(asked[name]) for name, probe in probes.items()}


def _select(parts: Parts) -> None:
    with parts.database.reading() as session:
        session.execute(text("SELECT 1"))


def _run(ask: Callable[[], Any], asked: Future[Any]) -> None:
    try:
        asked.set_result(ask())
    except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is waited for
        asked.set_exception(error)
