"""The service's metrics for Prometheus: what SQL knows of the whole service, and what this process has answered."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from deepguard import __version__
from deepguard.service.figures import SECONDS, Figures, Spread, read_figures
from deepguard.service.parts import Parts
from deepguard.service.probe import Finding, Probe, findings, probes_of
from deepguard.service.states import State
from deepguard.service.tables import Worker

FIGURES_SECONDS = 2.0
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
LOAD = {
    "memory_bytes": ("deepguard_worker_memory_bytes", "Memory that a worker takes"),
    "cpu_ratio": ("deepguard_worker_cpu_ratio", "Share of one processor that a worker uses; 2 is two of them"),
    "gpu_memory_bytes": ("deepguard_worker_gpu_memory_bytes", "GPU memory that a worker takes"),
}
"""What workers publish of their load -> the metric's name and meaning."""


def make_registry(parts: Parts) -> tuple[CollectorRegistry, Histogram]:
    """Return a registry of this application's own, and the histogram of requests to fill."""
    # when a series began is a series more for each, and nothing here asks for it
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(Service(parts))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    requests = Histogram(
        "deepguard_http_request_seconds",
        "Time to answer a request, in this process",
        ("method", "route", "status"),
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        registry=registry,
    )
    return registry, requests


class Service(Collector):
    """Asks the database, the store and the broker when it is scraped; none of them can make it fail or wait long."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._probes = probes_of(parts) | {"figures": Probe("figures", lambda: _read(parts), FIGURES_SECONDS)}

    def describe(self) -> Iterable[Metric]:
        """Tell nothing beforehand: a registry is made before any server is up."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family that is known now."""
        found = findings(self._probes)
        yield InfoMetricFamily(
            "deepguard_build", "Version", {"version": __version__, "python": platform.python_version()}
        )
        yield _gauge("deepguard_database_up", "Whether the database answers", found["database"].ok)
        yield _gauge("deepguard_store_up", "Whether the object storage answers", found["store"].ok)
        yield from _queue(found["broker"])
        folder = self._parts.settings.folder
        if folder.is_dir():
            yield _gauge("deepguard_disk_free_bytes", "Room on the service's disk", shutil.disk_usage(folder).free)
        if isinstance(found["figures"].value, Figures):
            yield from _of_database(found["figures"].value)


def _read(parts: Parts) -> Figures:
    with parts.database.reading() as session:
        return read_figures(session)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _queue(broker: Finding) -> Iterator[Metric]:
    yield _gauge("deepguard_queue_up", "Whether the broker answers", broker.ok)
    if broker.ok:
        yield _gauge("deepguard_queue_messages", "Messages that wait in the broker", broker.value)


def _of_database(figures: Figures) -> Iterator[Metric]:
    # from zero on: Prometheus sees no growth in a series that begins at one
    none = {(kind, state): 0 for kind in _kinds(figures) for state in State}
    over = {each: 0 for each in none if each[1] in ENDED}
    yield _by("deepguard_jobs", "Jobs that exist", ("kind", "state"), none | dict(figures.jobs))
    yield _by("deepguard_jobs_ended_total", "Jobs that ended", ("kind", "state"), over | dict(figures.ended))
    yield _by("deepguard_job_failures_total", "Jobs that failed", ("kind", "code"), figures.failures)
    yield _histogram("deepguard_job_seconds", "How long jobs were worked on", figures.seconds)
    yield _histogram("deepguard_job_waiting_seconds", "How long jobs waited for a worker", figures.waiting)
    yield _gauge("deepguard_queue_length", "Jobs that wait for a worker", figures.queue_length)
    yield _gauge("deepguard_queue_oldest_seconds", "Age of the job that waits longest", figures.queue_oldest)
    stored = {(name,): size for name, size in figures.stored.items()}
    objects = {(name,): count for name, count in figures.objects.items()}
    yield _by("deepguard_store_bytes", "Size of what is in the store", ("content",), stored)
    yield _by("deepguard_store_objects", "Objects in the store", ("content",), objects)
    yield from _workers(figures.workers)


def _kinds(figures: Figures) -> set[str]:
    offered = {kind for worker in figures.workers for kind in worker.abilities}
    return offered | {kind for kind, _ in [*figures.jobs, *figures.ended]}


def _by(name: str, meaning: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    counts = name.endswith("_total")
    family = (CounterMetricFamily if counts else GaugeMetricFamily)(name, meaning, labels=labels)
    for each, value in sorted(values.items()):
        family.add_metric(each, value)
    return family


def _histogram(name: str, meaning: str, values: Mapping[str, Spread]) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=("kind",))
    for kind, spread in sorted(values.items()):
        bounds = [(str(float(bound)), count) for bound, count in zip(SECONDS, spread.upto, strict=True)]
        family.add_metric((kind,), [*bounds, ("+Inf", spread.count)], spread.total)
    return family


def _workers(workers: Iterable[Worker]) -> Iterator[Metric]:
    # a worker's name holds its process number: a place in the row keeps the number of series small
    live = {(str(place),): worker for place, worker in enumerate(workers)}
    yield _gauge("deepguard_workers", "Workers that live", len(live))
    ready = {place: int(worker.ready) for place, worker in live.items()}
    busy = {place: int(bool(worker.job_id)) for place, worker in live.items()}
    inference = {place: each.inference_seconds for place, each in live.items() if each.inference_seconds is not None}
    yield _by("deepguard_worker_ready", "Whether a worker passed its inference", ("worker",), ready)
    yield _by("deepguard_worker_busy", "Whether a worker works on a job", ("worker",), busy)
    yield _by("deepguard_inference_seconds", "How long a worker's test inference took", ("worker",), inference)
    for key, (name, meaning) in LOAD.items():
        load = {place: each.load[key] for place, each in live.items() if each.load.get(key) is not None}
        yield _by(name, meaning, ("worker",), load)
