"""Whether a worker works: a real look at a photo, the state of every model, and what it can be asked for."""

from __future__ import annotations

import dataclasses
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import structlog
import torch
from sqlalchemy.exc import SQLAlchemyError

from deepguard import __version__
from deepguard.errors import DeepguardError, WeightsError
from deepguard.measures.roles import measures
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models.roles import FaceDetector, classifiers, detectors
from deepguard.registry import Entry
from deepguard.service.depot import Depot, small_public
from deepguard.service.guard import Guard
from deepguard.service.kinds.roles import kinds
from deepguard.service.loaded import command
from deepguard.service.parts import Parts
from deepguard.service.tables import Worker, now
from deepguard.types import Images
from deepguard.weights.shelf import Shelf

log = structlog.get_logger(__name__)

CHECK_SECONDS = 300.0
BUSY_SECONDS = 600.0
"""Seconds between two trials of a worker that is idle now and then, and of one that always works."""
PAUSES = (1.0, 15.0)
"""Seconds between two tries to reach the database: at first, and at most."""
EMBEDDED = "mtcnn"
"""The detector that comes with the installation, so that every worker can be tried."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one look at the sample photo; `fault` is empty where the face was found."""

    seconds: float
    fault: str


class Readiness:
    """Publishes one worker's row, from its introduction on."""

    def __init__(self, parts: Parts, name: str, device: torch.device, guard: Guard) -> None:
        self._parts = parts
        self._name = name
        self._device = device
        self._guard = guard
        self._started = now()
        self._over = threading.Event()
        self._trial: dict[str, Any] = {"ready": False}

    def introduce(self) -> None:
        """Write the worker's row; where the database does not answer, wait until it does or the worker stops."""
        pause = PAUSES[0]
        while not self._over.is_set():
            try:
                self._publish()
                return
            except SQLAlchemyError as error:
                log.warning("the database does not answer yet", error=type(error).__name__, pause=pause)
                self._over.wait(pause)
                pause = min(2 * pause, PAUSES[1])

    def check(self) -> None:
        """Try the worker and publish what came of it."""
        found = trial(self._parts.settings.shelf, self._device)
        if found.fault:
            log.error("this worker cannot look at a picture", fault=found.fault)
        self._trial = {"ready": not found.fault, "inferred": now(), "inference_seconds": found.seconds}
        self._quietly(self._publish)

    def start(self) -> None:
        """Go on in the background: bring small weights once, then try again every few minutes while idle."""
        threading.Thread(target=self._go_on, name="readiness", daemon=True).start()

    def hurry(self) -> None:
        """Wait for nothing any more; may be called in a signal's handler."""
        self._over.set()

    def stop(self) -> None:
        """Publish that the worker takes no more work."""
        self._over.set()
        self._trial |= {"ready": False}
        try:
            self._publish()
        except SQLAlchemyError as error:
            log.warning("the end of this worker cannot be told", error=type(error).__name__)

    def _go_on(self) -> None:
        self._quietly(self._bring)
        tried = time.monotonic()
        while not self._over.wait(1.0):
            if self._guard.unlisted.is_set():
                self._guard.unlisted.clear()
                self._quietly(self._publish)
            if time.monotonic() - tried >= (BUSY_SECONDS if self._guard.busy else CHECK_SECONDS):
                self.check()
                tried = time.monotonic()

    def _bring(self) -> None:
        settings = self._parts.settings
        if settings.fetch_weights and not settings.offline:
            brought = Depot(settings.shelf, self._parts.store).bring_all(small_public())
            if brought:
                log.info("weights have arrived", files=brought)
                self._publish()

    def _quietly(self, what: Callable[[], None]) -> None:
        try:
            what()
        except SQLAlchemyError as error:
            log.warning("the state of this worker cannot be told", error=type(error).__name__)
        except Exception:
            # a fault here must not end the thread that tells whether the worker is well
            log.exception("a worker cannot look after itself")

    def _publish(self) -> None:
        shelf = self._parts.settings.shelf
        values = {
            "host": platform.node(),
            "pid": os.getpid(),
            "version": __version__,
            "device": str(self._device),
            "started": self._started,
            "seen": now(),
            "abilities": abilities(shelf),
            "health": {"models": dict(health(shelf))},
            **self._trial,
        }
        with self._parts.database.writing() as session:
            row = session.get(Worker, self._name)
            if row is None:
                row = Worker(name=self._name, beat=0, job_id="", load={})
                session.add(row)
            for key, value in values.items():
                setattr(row, key, value)


def abilities(shelf: Shelf) -> dict[str, Any]:
    """Return what every kind of job can be asked for, as JSON values."""
    cpu = torch.device("cpu")
    return {name: dataclasses.asdict(kinds.create(name, shelf, cpu).ability(shelf)) for name in kinds.available(shelf)}


def health(shelf: Shelf) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each model with its state: at hand and whole, missing with the command that brings it, or at fault.

    Files are read and compared with what was pinned, once for each change; no model is loaded.
    """
    for registry in (detectors, classifiers, measures):
        for name in registry.names():
            yield name, _state(registry.kind, registry.entry(name), shelf)


def trial(shelf: Shelf, device: torch.device) -> Trial:
    """Let the embedded detector look at the sample photo."""
    try:
        detector = _embedded(shelf, device)
        photo = _sample(device)
        start = time.perf_counter()
        found = detector.detect(photo)[0]
        seconds = round(time.perf_counter() - start, 4)
    except (DeepguardError, RuntimeError, OSError) as error:
        return Trial(0.0, str(error))
    return Trial(seconds, "" if found else "it finds no face in the sample photo")


def _state(role: str, entry: Entry[Any], shelf: Shelf) -> dict[str, Any]:
    fault = ""
    here = all(shelf.holds(weights) for weights in entry.weights)
    if here:
        try:
            for weights in entry.weights:
                shelf.path(weights, model=entry.name)
        except WeightsError as error:
            fault = str(error)
    return {
        "role": role,
        "available": here and not fault,
        "summary": entry.summary,
        "licence": ", ".join(dict.fromkeys(weights.licence for weights in entry.weights)),
        "missing": "" if here else command(entry, shelf),
        "fault": fault,
    }


@cache
def _embedded(shelf: Shelf, device: torch.device) -> FaceDetector:
    return detectors.create(EMBEDDED, shelf, device)


@cache
def _sample(device: torch.device) -> Images:
    return read_picture(sample_file()).images.to(device)
