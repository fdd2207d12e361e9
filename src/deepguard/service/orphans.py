"""Objects without a row: what a process that was killed between the store and the database left behind."""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from deepguard.service.parts import Parts
from deepguard.service.states import ACTIVE
from deepguard.service.store import Stored
from deepguard.service.tables import Job, Result, Upload

PATIENCE_SECONDS = 3600.0
"""How long an object must have lain without a row, and unchanged."""
BATCH = 500
"""Objects looked at in one step."""
OURS = re.compile(r"(uploads)/([^/]+)|(results)/([^/]+)/([0-9]+)/[^/]+")
"""The keys that this program gives; whatever else lies in the store is not ours to remove."""
STAGED = re.compile(r".+#[0-9]+")
"""How the library names a file in a folder until it is whole; it does not list them."""

log = structlog.get_logger(__name__)


class Orphans:
    """Removes objects without a row, seen twice unchanged with a long time of the steady clock in between.

    Unchanged between two looks means not written since the first one, whatever any wall clock says. Each step looks at
    the next few objects, until all have been seen; `resting` then tells that a round is over.
    """

    def __init__(
        self, parts: Parts, steady: Callable[[], float] = time.monotonic, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._parts = parts
        self._steady = steady
        self._patience = patience
        self._round: Iterator[Stored] | None = None
        self._suspects: dict[Stored, float] = {}
        self._found: dict[Stored, float] = {}

    @property
    def resting(self) -> bool:
        """Whether the last round is over and the next one has not begun."""
        return self._round is None

    def step(self) -> None:
        """Look at the next objects."""
        if self._round is None:
            self._round, self._found = self._everything(), {}
        try:
            some = list(islice(self._round, BATCH))
        except BaseException:
            self._round = None
            raise
        if some:
            self._look(some)
            return
        self._round = None
        # those not met again are gone or have changed
        self._suspects = self._found
        self._tidy_folders()

    def _everything(self) -> Iterator[Stored]:
        for prefix in ("uploads", "results"):
            yield from self._parts.store.everything(prefix)
        if self._parts.store.folder is not None:
            yield from _staged(self._parts.store.folder)

    def _look(self, some: Sequence[Stored]) -> None:
        at = self._steady()
        with self._parts.database.reading() as session:
            wanted = _wanted(session, [each.key for each in some])
        for each in some:
            if each.key in wanted:
                continue
            since = self._suspects.get(each, at)
            if each in self._suspects and at - since >= self._patience:
                self._remove(each.key)
            else:
                self._found[each] = since

    def _remove(self, key: str) -> None:
        if self._parts.store.folder is not None and STAGED.fullmatch(key):
            (self._parts.store.folder / key).unlink(missing_ok=True)
        else:
            self._parts.store.delete(key)
        log.info("removed an object without a row", key=key)

    def _tidy_folders(self) -> None:
        """Remove the empty folders that jobs left; one in which something appears meanwhile stays."""
        if self._parts.store.folder is None:
            return
        for name, inner, _ in os.walk(self._parts.store.folder / "results", topdown=False):
            for each in inner:
                # not empty after all, or another process was faster
                with suppress(OSError):
                    folder = Path(name, each)
                    if time.time() - folder.stat().st_mtime >= self._patience:
                        folder.rmdir()


def _staged(folder: Path) -> Iterator[Stored]:
    """Yield the files that are not whole yet, or never will be."""
    # the walk passes over folders that go meanwhile
    for name, _, files in os.walk(folder):
        for each in filter(STAGED.fullmatch, files):
            file = Path(name, each)
            try:
                facts = file.stat()
            except FileNotFoundError:
                # its writer is done with it
                continue
            written = datetime.datetime.fromtimestamp(facts.st_mtime, datetime.UTC)
            yield Stored(file.relative_to(folder).as_posix(), facts.st_size, written)


def _wanted(session: Session, keys: Sequence[str]) -> set[str]:
    """Return those keys that have a row, or that an attempt which is under way may have written; and strange ones."""
    known = {key: OURS.fullmatch(key) for key in keys}
    uploads = {match[2]: key for key, match in known.items() if match and match[1]}
    results = {key: (match[4], int(match[5])) for key, match in known.items() if match and match[3]}
    wanted = {key for key, match in known.items() if match is None}
    wanted |= {uploads[found] for found in session.scalars(select(Upload.id).where(Upload.id.in_(uploads)))}
    wanted |= set(session.scalars(select(Result.key).where(Result.key.in_(results))))
    running = select(Job.id, Job.attempt).where(
        Job.state.in_(sorted(ACTIVE)), tuple_(Job.id, Job.attempt).in_(set(results.values()))
    )
    active = {(job_id, attempt) for job_id, attempt in session.execute(running)}
    return wanted | {key for key, of in results.items() if of in active}
