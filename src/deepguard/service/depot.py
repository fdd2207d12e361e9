"""Where a worker's weights come from: its own shelf, else the object storage, else their sources, and then to all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import structlog

from deepguard.errors import DeepguardError, WeightsCorrupt
from deepguard.measures.roles import measures
from deepguard.models.roles import detectors
from deepguard.service.store import ObjectMissing, Store
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

log = structlog.get_logger(__name__)

SMALL_BYTES = 16 << 20
"""The largest file that is brought without being asked for."""
FOLDER = "weights"


class Depot:
    """Brings weight files to one shelf, and shares what came from outside through the store."""

    def __init__(self, shelf: Shelf, store: Store) -> None:
        self._shelf = shelf
        self._store = store

    def bring(self, weights: Weights) -> Path:
        """Return the verified file, or raise WeightsError, or StoreDown where the storage does not answer."""
        if self._shelf.holds(weights):
            return self._shelf.path(weights)
        try:
            return self._from_store(weights)
        except ObjectMissing:
            pass
        except WeightsCorrupt as error:
            # the sources may have the right one, which then takes its place
            log.warning("the storage holds a wrong weight file", file=weights.file, error=str(error))
        path = self._shelf.fetch(weights)
        self._store.put(f"{FOLDER}/{weights.file}", path.read_bytes())
        return path

    def bring_all(self, wanted: Iterable[Weights]) -> int:
        """Bring what can be had of `wanted`, and return how many files came; failures are told in one line."""
        absent = [weights for weights in wanted if not self._shelf.holds(weights)]
        failures: dict[str, str] = {}
        for weights in absent:
            try:
                self.bring(weights)
            except DeepguardError as error:
                failures[weights.file] = str(error)
        if failures:
            first = next(iter(failures.values()))
            log.warning("weights are missing; the work goes on without them", files=sorted(failures), first=first)
        return len(absent) - len(failures)

    def _from_store(self, weights: Weights) -> Path:
        data = self._store.get(f"{FOLDER}/{weights.file}")
        with tempfile.TemporaryDirectory(prefix="deepguard-") as folder:
            file = Path(folder) / weights.file
            file.write_bytes(data)
            return self._shelf.take(file, weights)


def small_public() -> tuple[Weights, ...]:
    """Return the weight files of all detectors and measures that may be brought without being asked for."""
    entries = [registry.entry(name) for registry in (detectors, measures) for name in registry.names()]
    files = dict.fromkeys(weights for entry in entries for weights in entry.weights)
    return tuple(weights for weights in files if weights.urls and not weights.terms and 0 < weights.size <= SMALL_BYTES)
