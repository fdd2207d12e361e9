"""One worker's attempt at one job, from the claim to its end."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias, TypeVar

import structlog
import torch
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError
from deepguard.service import earlier, jobs
from deepguard.service.disposition import disposition
from deepguard.service.earlier import Expired
from deepguard.service.guard import Guard
from deepguard.service.jobs import Claim, Ending, JobGone
from deepguard.service.kinds.roles import Done, Kind, Made, Work, kinds
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.store import ObjectMissing, StoreDown, StoreFull, result_key, upload_key
from deepguard.service.tables import Job, Result
from deepguard.service.tracking import Interrupted, Tracker
from deepguard.types import Progress

T = TypeVar("T")
Rows: TypeAlias = Sequence[Mapping[str, Any]]
"""Columns of each result's row."""

log = structlog.get_logger(__name__)

PATIENCE = 300.0
"""Seconds for which a storage or a database that does not answer is asked again; after that the lease decides."""
LAST_PATIENCE = 5.0
"""The same for a worker that was told to stop."""
PAUSES = (0.2, 10.0)
"""Seconds between two tries: at first, and at most."""
UNEXPECTED = "something went wrong here; the operator finds it in the log by the job's id"
NO_MEMORY = "there is not enough memory for this picture; make it smaller and try again"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_ROOM = "the worker's disk is full; the operator must make room, then try again"
REMOVED = "the uploaded file was removed already; upload it again"


@dataclass(frozen=True)
class Bench:
    """What a worker works with: `folder` holds the files of the job at hand and nothing else."""

    parts: Parts
    guard: Guard
    device: torch.device
    folder: Path
    name: str
    stopping: Event = field(default_factory=Event)


def attempt(bench: Bench, job_id: str) -> State | None:
    """Claim a job and work on it; return how the attempt ended, None where it did not count or there was none."""
    job, held = _claimed(bench, job_id)
    if job is None or held is None:
        return None
    with structlog.contextvars.bound_contextvars(job_id=job_id, attempt=held.attempt, request_id=job.request_id):
        log.info("a job begins", kind=job.kind)
        start = time.monotonic()
        with bench.guard.beating(held):
            state = _Attempt(bench, job, held).run()
        log.info(
            "a job ends", kind=job.kind, state=state or "does not count", seconds=round(time.monotonic() - start, 3)
        )
        return state


def _claimed(bench: Bench, job_id: str) -> tuple[Job | None, Claim | None]:
    with bench.parts.database.writing() as session:
        held = jobs.claim(session, job_id, bench.name)
        session.expire_all()
        return session.get(Job, job_id), held


class _Attempt:
    def __init__(self, bench: Bench, job: Job, held: Claim) -> None:
        self._bench = bench
        self._parts = bench.parts
        self._job = job
        self._held = held
        self._watch: Callable[[Progress], None] = lambda progress: None
        self._keys: list[str] = []

    def run(self) -> State | None:
        """Work, and write down what came of it."""
        ended = self._ended(*self._outcome())
        self._parts.bell.ring()
        if ended is None or ended.state is not State.DONE:
            self._remove()
        if ended is not None and ended.code == Interrupted.code:
            self._parts.sender.wake(self._held.job_id)
        return None if ended is None else ended.state

    def _outcome(self) -> tuple[Ending, Rows]:
        """Return how the work ended, whatever happened."""
        try:
            done = self._worked()
            rows = self._patiently(lambda: self._stored(done.made))
            return Ending(State.DONE, summary=done.summary), rows
        except (Interrupted, JobGone) as error:
            # for a job that was cancelled or taken the ending does not matter
            return Ending(State.QUEUED, error.code), ()
        except StoreDown as error:
            log.warning("the storage did not answer for too long; the job waits again", error=str(error))
            return Ending(State.QUEUED), ()
        except DeepguardError as error:
            log.info("a job cannot be done", code=error.code)
            return Ending(State.FAILED, error.code, str(error)), ()
        except (MemoryError, torch.OutOfMemoryError):
            log.warning("a job needs more memory than there is")
            return Ending(State.FAILED, "over_memory", NO_MEMORY), ()
        except Exception:
            # one job's unknown fault must not end the worker
            log.exception("a job failed by an unexpected error")
            return Ending(State.FAILED, "internal", UNEXPECTED), ()

    def _worked(self) -> Done:
        settings = self._parts.settings
        kind = kinds.create(self._job.kind, settings.shelf, self._bench.device)
        self._watch = Tracker(self._parts.database, self._held, kind.spans, self._bench.stopping.is_set)
        self._watch(Progress("starting", 0, 1))
        data = self._patiently(self._upload)
        with _room(), tempfile.TemporaryDirectory(dir=self._bench.folder) as folder:
            file = Path(folder) / "upload"
            file.write_bytes(data)
            del data
            work = Work(
                file=file,
                name=self._job.name,
                options=self._job.options,
                pixels=settings.pixels,
                shelf=settings.shelf,
                device=self._bench.device,
                watch=self._watch,
                facts=self._facts(),
                clip_seconds=settings.clip_seconds,
                clip_frames=settings.clip_frames,
                earlier=self._earlier(kind, Path(folder)),
            )
            with self._bench.guard.limiting():
                return kind.run(work)

    def _upload(self) -> bytes:
        return self._object(upload_key(self._job.upload_id))

    def _object(self, key: str) -> bytes:
        try:
            return self._parts.store.get(key)
        except ObjectMissing as error:
            raise Expired(REMOVED) from error

    def _earlier(self, kind: Kind, folder: Path) -> dict[str, Path]:
        """Return the results, in files, of the finished job from which this one goes on."""
        if earlier.OF not in self._job.options:
            return {}
        with self._parts.database.reading() as session:
            keys = earlier.results_of(session, self._job, kind.ability(self._parts.settings.shelf).of)
        files = {}
        for place, (name, key) in enumerate(keys.items()):
            files[name] = folder / f"earlier-{place}"
            files[name].write_bytes(self._patiently(partial(self._object, key)))
        return files

    def _facts(self) -> dict[str, object]:
        job = self._job
        facts = {"id": job.id, "kind": job.kind, "attempt": self._held.attempt, "worker": self._held.worker}
        return facts | {"request_id": job.request_id, "created": job.created.isoformat(timespec="seconds")}

    def _stored(self, made: Sequence[Made]) -> Rows:
        rows = []
        for position, each in enumerate(made):
            key = result_key(self._held.job_id, self._held.attempt, each.name)
            self._keys.append(key)
            headers = {
                "Content-Type": each.media_type,
                "Content-Disposition": disposition(each.filename, inline=False),
            }
            self._parts.store.put(key, each.data, headers)
            digest = hashlib.sha256(each.data).hexdigest()
            size = len(each.data)
            columns = {"filename": each.filename, "media_type": each.media_type, "size": size, "sha256": digest}
            rows.append({"name": each.name, "position": position, "key": key, **columns})
        return rows

    def _patiently(self, task: Callable[[], T]) -> T:
        """Return what the task returns, asking a storage that does not answer again for a while."""
        given_up = time.monotonic() + PATIENCE
        pause = PAUSES[0]
        while True:
            try:
                return task()
            except StoreDown:
                if time.monotonic() > given_up:
                    raise
            self._watch(Progress("waiting for the storage", 0, 1))
            self._bench.stopping.wait(pause)
            pause = min(2 * pause, PAUSES[1])

    def _ended(self, ending: Ending, rows: Rows) -> Ending | None:
        """Write the ending and return the one that counts, None where none does.

        What a database refuses, as figures that are no JSON, ends the job as failed.
        """
        start = time.monotonic()
        pause = PAUSES[0]
        while True:
            try:
                return ending if self._written(ending, rows) else None
            except (OperationalError, InterfaceError, PoolTimeout) as error:
                log.warning("the end of a job cannot be written", error=type(error).__name__, pause=pause)
                stopping = self._bench.stopping.is_set()
                if time.monotonic() - start > (LAST_PATIENCE if stopping else PATIENCE):
                    break
                time.sleep(pause)
                pause = min(2 * pause, PAUSES[1])
            except SQLAlchemyError:
                log.exception("the end of a job was refused")
                if ending.state is State.FAILED:
                    break
                ending, rows = Ending(State.FAILED, "internal", UNEXPECTED), ()
        # an answer may have been lost on its way, so the files stay for housekeeping to judge
        self._keys.clear()
        return None

    def _written(self, ending: Ending, rows: Rows) -> bool:
        with self._parts.database.writing() as session:
            # new ones for each try: those of a try that was rolled back cannot be used again
            results = [Result(job_id=self._held.job_id, **row) for row in rows]
            shown = dataclasses.replace(ending, code="") if ending.state is State.QUEUED else ending
            counted = jobs.end(session, self._held, dataclasses.replace(shown, results=results))
            return counted or self._is_done(session, ending)

    def _is_done(self, session: Session, ending: Ending) -> bool:
        """Tell whether an earlier try was written after all, though its answer was lost."""
        state = select(Job.state).where(Job.id == self._held.job_id, Job.attempt == self._held.attempt)
        return ending.state is State.DONE and session.scalar(state) == State.DONE

    def _remove(self) -> None:
        """Remove the files of an attempt that did not count."""
        try:
            self._parts.store.delete(*self._keys)
        except DeepguardError as error:
            log.warning("results cannot be removed; housekeeping will", error=str(error))


@contextmanager
def _room() -> Iterator[None]:
    """Tell a full disk by its name, as the store does."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StoreFull(NO_ROOM) from error
