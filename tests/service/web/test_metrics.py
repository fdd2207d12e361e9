"""What `/metrics` tells: the whole service, in the units that the names say, whatever is down."""

from __future__ import annotations

import datetime
import re
import shutil
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from deepguard.service import jobs
from deepguard.service.metrics import FIGURES_SECONDS
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Outcome, Result, Upload, Worker, now
from deepguard.service.web.app import make_app

TABLE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
NOWHERE = "postgresql://nobody:nothing@127.0.0.1:1/none"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}")

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(client: httpx.Client) -> Values:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(values: Values, name: str, **labels: str) -> float:
    return values[name, tuple(sorted(labels.items()))]


def fill(parts: Parts) -> None:
    """Put one of everything into the database."""
    later = now() + datetime.timedelta(hours=24)
    with parts.database.writing() as session:
        for seconds, code in ((7.0, ""), (70.0, "worker_lost")):
            state = State.FAILED if code else State.DONE
            session.add(Outcome(kind="protect", state=state, code=code, seconds=seconds, waited=0.5))
        session.add(Outcome(kind="protect", state=State.CANCELLED, seconds=0.0, waited=4000.0))
        waiting = jobs.new_job(kind="protect", owner="visit:1", name="a.jpg", upload_id="u", options={}, expires=later)
        waiting.queued = now() - datetime.timedelta(seconds=90)
        over = jobs.new_job(kind="protect", owner="visit:1", name="b.jpg", upload_id="u", options={}, expires=later)
        over.state = State.DONE
        over.results.append(
            Result(name="picture", filename="b.jpg", media_type="image/jpeg", size=300, sha256="0", key="results/b")
        )
        session.add_all([waiting, over])
        session.add(
            Upload(owner="visit:1", name="a.jpg", container="JPEG", size=1000, sha256="0", expires=later),
        )
        for name, seen in (("b-17", now()), ("a-99", now()), ("dead-3", now() - datetime.timedelta(minutes=1))):
            load = {"memory_bytes": ord(name[0]), "cpu_ratio": 1.5, "gpu_memory_bytes": 5}
            session.add(
                Worker(
                    name=name, host="h", pid=1, version="1", seen=seen, load=load, ready=name == "a-99",
                    job_id="j" if name == "b-17" else "", inference_seconds=0.4, abilities={"protect": {}, "find": {}},
                )
            )  # fmt: skip


def test_a_scrape_tells_what_the_database_knows_of_the_whole_service(parts: Parts, client: httpx.Client) -> None:
    fill(parts)
    found = scraped(client)
    assert value(found, "deepguard_jobs", kind="protect", state="queued") == 1
    assert value(found, "deepguard_jobs", kind="protect", state="running") == 0
    assert value(found, "deepguard_jobs_ended_total", kind="protect", state="failed") == 1
    assert value(found, "deepguard_jobs_ended_total", kind="find", state="done") == 0
    assert value(found, "deepguard_job_failures_total", kind="protect", code="worker_lost") == 1
    assert value(found, "deepguard_queue_length") == 1
    assert 90 <= value(found, "deepguard_queue_oldest_seconds") < 120
    assert value(found, "deepguard_store_bytes", content="uploads") == 1000
    assert value(found, "deepguard_store_bytes", content="results") == 300
    assert value(found, "deepguard_store_objects", content="results") == 1
    assert value(found, "deepguard_disk_free_bytes") > 0
    assert {value(found, f"deepguard_{part}_up") for part in ("database", "store", "queue")} == {1.0}


def test_histograms_of_jobs_are_cumulative_and_end_in_what_was_counted(parts: Parts, client: httpx.Client) -> None:
    fill(parts)
    found = scraped(client)
    for name, count, total in (("deepguard_job_seconds", 2, 77), ("deepguard_job_waiting_seconds", 3, 4001)):
        buckets = [
            (float(dict(labels)["le"]), amount) for (each, labels), amount in found.items() if each == f"{name}_bucket"
        ]
        amounts = [amount for _, amount in sorted(buckets)]
        assert amounts == sorted(amounts)
        assert amounts[-1] == value(found, f"{name}_count", kind="protect") == count
        assert value(found, f"{name}_sum", kind="protect") == total
    assert value(found, "deepguard_job_seconds_bucket", kind="protect", le="10.0") == 1
    assert value(found, "deepguard_job_seconds_bucket", kind="protect", le="90.0") == 2
    assert value(found, "deepguard_job_waiting_seconds_bucket", kind="protect", le="1800.0") == 2


def test_living_workers_have_a_place_instead_of_a_name(parts: Parts, client: httpx.Client) -> None:
    fill(parts)
    found = scraped(client)
    assert value(found, "deepguard_workers") == 2
    assert value(found, "deepguard_worker_memory_bytes", worker="0") == ord("a")
    assert value(found, "deepguard_worker_memory_bytes", worker="1") == ord("b")
    assert value(found, "deepguard_worker_ready", worker="0") == 1
    assert value(found, "deepguard_worker_ready", worker="1") == 0
    assert value(found, "deepguard_worker_busy", worker="1") == 1
    assert value(found, "deepguard_worker_cpu_ratio", worker="1") == 1.5
    assert value(found, "deepguard_inference_seconds", worker="0") == 0.4


def test_requests_are_counted_by_the_template_of_their_route_and_no_label_holds_an_id(
    parts: Parts, client: httpx.Client
) -> None:
    fill(parts)
    client.get("/healthz")
    client.get("/api/v1/jobs/6f1c1d0e-7a53-4a52-9b1e-0d6b7f3f9a11")
    found = scraped(client)
    count = "deepguard_http_request_seconds_count"
    assert value(found, count, method="GET", route="/healthz", status="2xx") == 1
    [missed] = [labels for name, labels in found if name == count and dict(labels)["status"] == "4xx"]
    assert "{job_id}" in dict(missed)["route"]
    assert not any(UUID.search(text) or "99" in text for _, labels in found for key, text in labels if key != "le")


def test_a_made_up_path_makes_no_series_of_its_own(client: httpx.Client) -> None:
    for number in range(3):
        client.get(f"/made-up/{number}")
    routes = {dict(labels)["route"] for name, labels in scraped(client) if name == "deepguard_http_request_seconds_sum"}
    assert not any("made-up" in route for route in routes)


def test_two_applications_count_their_requests_apart(parts: Parts, client: httpx.Client) -> None:
    client.get("/healthz")
    other = make_app(parts)
    assert other.state.metrics is not client.app.state.metrics
    assert "/healthz" not in "".join(
        str(sample.labels) for family in other.state.metrics.collect() for sample in family.samples
    )


@pytest.fixture
def broken(tmp_path: Path) -> FastAPI:
    """An application whose database and broker do not answer."""
    settings = ServiceSettings(home=tmp_path / "none", database=NOWHERE, broker="redis://127.0.0.1:1/0", _env_file=None)
    return make_app(open_parts(settings))


def test_a_database_and_a_broker_that_are_down_are_told_by_zeros(broken: FastAPI) -> None:
    registry = broken.state.metrics
    found = {sample.name: sample.value for family in registry.collect() for sample in family.samples}
    assert found["deepguard_database_up"] == 0
    assert found["deepguard_queue_up"] == 0
    assert found["deepguard_store_up"] == 1
    assert "deepguard_queue_messages" not in found
    assert "deepguard_queue_length" not in found
    assert found["deepguard_disk_free_bytes"] > 0


def test_a_store_that_is_gone_is_told_by_a_zero(parts: Parts, app: FastAPI) -> None:
    folder = parts.store.folder
    assert folder is not None
    shutil.rmtree(folder)
    folder.write_bytes(b"a file where the folder was")
    found = {sample.name: sample.value for family in app.state.metrics.collect() for sample in family.samples}
    assert found["deepguard_store_up"] == 0
    assert found["deepguard_database_up"] == 1


def test_figures_are_kept_for_a_moment_so_that_scraping_often_costs_nothing(
    parts: Parts, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    reading = parts.database.reading
    monkeypatch.setattr(type(parts.database), "reading", lambda self: (asked.append(1), reading())[1])
    scraped(client)
    first = len(asked)
    scraped(client)
    # only whether it answers is asked again
    assert FIGURES_SECONDS == 2.0
    assert len(asked) == first + 1


def test_openmetrics_is_given_to_whoever_asks_for_it(client: httpx.Client) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_table_of_metrics_is_what_the_code_exposes(parts: Parts, app: FastAPI, client: httpx.Client) -> None:
    fill(parts)
    client.get("/healthz")
    exposed = {}
    for family in app.state.metrics.collect():
        if family.name.startswith("deepguard_"):
            labels = {label for sample in family.samples for label in sample.labels if label != "le"}
            name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
            exposed[name] = ("gauge" if family.type == "info" else family.type, labels)
    told = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("`deepguard_"):
            told[cells[0].strip("`")] = (cells[1], set(re.findall(r"`(\w+)`", cells[2])))
            assert cells[3]
    assert told == exposed
