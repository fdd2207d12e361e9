"""How often a caller may ask, counted in fixed windows.

They are counted in Redis where that is the broker, so that several web processes count together; in memory otherwise,
and for as long as Redis does not answer: a limit never stops the service.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

log = structlog.get_logger(__name__)

SOCKET_SECONDS = 0.5
SILENT_SECONDS = 5.0
"""How long Redis is not asked again after it did not answer."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller: `limit` requests in a window, `remaining` of them, `reset` seconds until it is new."""

    allowed: bool
    limit: int
    remaining: int
    reset: float


class Rates:
    """The counters. `broker` is the address of a Redis server, or empty."""

    def __init__(self, broker: str = "") -> None:
        self._memory = MemoryStorage()
        self._lock = threading.Lock()
        self._redis = _redis(broker) if broker else None
        self._silent_until = 0.0

    def take(self, rate: str, who: str) -> Allowance:
        """Count one request of `who` against a rate such as "60/minute; 1000/day"; the tightest limit answers."""
        windows = _windows(rate)
        if self._redis is not None and time.monotonic() >= self._silent_until:
            try:
                return _taken(self._redis, windows, who)
            except StorageError:
                self._silent_until = time.monotonic() + SILENT_SECONDS
                log.warning("Redis does not answer; requests are counted in memory")
        with self._lock:
            return _taken(self._memory, windows, who)


@functools.lru_cache(maxsize=256)
def _windows(rate: str) -> tuple[RateLimitItem, ...]:
    return tuple(parse_many(rate))


def _redis(broker: str) -> Storage:
    address = broker.replace("unix://", "redis+unix://", 1) if broker.startswith("unix://") else broker
    made = storage_from_string(
        address,
        key_prefix="deepguard-rate",
        wrap_exceptions=True,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
    )
    if not isinstance(made, Storage):
        raise TypeError("the rates need a storage that does not wait for an event loop")
    return made


def _taken(storage: Storage, windows: Iterable[RateLimitItem], who: str) -> Allowance:
    limiter = FixedWindowRateLimiter(storage)
    return min((_window(limiter, each, who) for each in windows), key=lambda seen: (seen.allowed, seen.remaining))


def _window(limiter: FixedWindowRateLimiter, window: RateLimitItem, who: str) -> Allowance:
    allowed = limiter.hit(window, who)
    seen = limiter.get_window_stats(window, who)
    # a wall clock that was set back must not lengthen the wait
    reset = min(max(0.0, seen.reset_time - time.time()), float(window.get_expiry()))
    return Allowance(allowed, window.amount, int(seen.remaining), reset)
