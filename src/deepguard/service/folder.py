"""Messages as files in a folder: a queue without a server, for the processes of one machine.

Kombu's own folder transport writes a message in place, so that a reader may take half of one, and looks every second.
Here a message appears whole by a rename, and is taken by one reader by a rename. What a killed reader had taken is
lost, which is allowed: the database knows which jobs wait, and housekeeping sends for them again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

import kombu.transport
from kombu.transport import virtual

from deepguard.service.bell import Bell

SCHEME = "folder"
LOOK_SECONDS = 0.25
LEFT_SECONDS = 3600.0


class Channel(virtual.Channel):
    """Puts messages into `<folder>/<queue>` and takes them in the order in which they came."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        folder = self._folder(queue)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}"
        hidden = folder / f".{name}"
        hidden.write_text(json.dumps(message), encoding="utf-8")
        hidden.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = self._folder(queue)
        for name in sorted(each.name for each in folder.iterdir() if not each.name.startswith(".")):
            taken = folder / f".{name}.taken"
            with contextlib.suppress(FileNotFoundError):
                # another reader may be faster
                (folder / name).rename(taken)
                message = json.loads(taken.read_text(encoding="utf-8"))
                taken.unlink()
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        return sum(not each.name.startswith(".") for each in self._folder(queue).iterdir())

    def _purge(self, queue: str) -> int:
        count = 0
        for each in self._folder(queue).iterdir():
            each.unlink(missing_ok=True)
            count += 1
        return count

    def _folder(self, queue: str) -> Path:
        folder = Path(self.connection.client.transport_options["folder"]) / queue
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Transport(virtual.Transport):
    """The transport behind `folder://`."""

    Channel = Channel
    driver_type = "folder"
    driver_name = "folder"
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset(["direct"]))

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Wait for a message in short looks: only between them a worker notices that it should stop."""
        cycle: Any = self.cycle
        end = time.monotonic() + (LOOK_SECONDS if timeout is None else min(timeout, LOOK_SECONDS))
        while True:
            try:
                return cycle.get(self._deliver, timeout=timeout)
            except Empty:
                if time.monotonic() >= end:
                    raise TimeoutError from None
                self._bell.wait()

    @functools.cached_property
    def _bell(self) -> Bell:
        client: Any = self.client
        options = client.transport_options
        return Bell(Path(options["folder"]) / options["queue"], LOOK_SECONDS)

    def driver_version(self) -> str:
        """Return the layout's version."""
        return "1"


def sweep(folder: Path) -> None:
    """Remove from every queue in `folder` what killed writers and readers left of messages an hour ago."""
    for left in folder.glob("*/.*"):
        with contextlib.suppress(FileNotFoundError):
            # the last rename counts: a message may have waited long before it was taken
            if time.time() - left.stat().st_ctime > LEFT_SECONDS:
                left.unlink()


def register() -> None:
    """Make `folder://` known to kombu."""
    kombu.transport.TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
