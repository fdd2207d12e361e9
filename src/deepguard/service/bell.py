"""Waiting for a change in a folder without looking again and again; processes of one machine ring each other so."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import watchfiles

MILLISECOND = 1


class Bell:
    """Hears whatever changes in a folder, and rings by changing a file there.

    It only makes things faster: whoever waits looks again after `seconds` anyway, since a folder may lie where changes
    are not told, or whoever should ring is another machine.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._seconds = seconds
        self._changes: Iterator[object] | None = None

    def ring(self) -> None:
        """Wake those who wait."""
        with contextlib.suppress(OSError):
            # they wake up by themselves a little later
            (self._folder / ".bell").write_bytes(b"!")

    def wait(self) -> None:
        """Return once something has changed since the last call, at the latest after `seconds`."""
        if self._changes is None:
            # made here, so that who only rings watches nothing
            self._changes = watchfiles.watch(
                self._folder,
                watch_filter=None,
                debounce=MILLISECOND,
                step=MILLISECOND,
                rust_timeout=max(MILLISECOND, round(1000 * self._seconds)),
                yield_on_timeout=True,
                recursive=False,
            )
        try:
            next(self._changes)
        except (OSError, StopIteration):
            self._changes = None
            time.sleep(self._seconds)
