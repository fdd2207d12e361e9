"""Whether the process lives and whether the service can work, told in time whatever is down."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepguard.service.parts import Parts, open_parts
from deepguard.service.probe import Probe, findings
from deepguard.service.settings import ServiceSettings
from deepguard.service.store import StoreDown
from deepguard.service.tables import Worker, now
from deepguard.service.web.app import make_app

MINUTE = datetime.timedelta(minutes=1)


def employ(parts: Parts, **columns: Any) -> None:
    """Write down a worker that lives and has just passed its inference, unless the columns say otherwise."""
    usual = {"name": "w", "host": "h", "pid": 1, "version": "1", "ready": True, "inferred": now()}
    with parts.database.writing() as session:
        session.add(Worker(**usual | columns))


def ready(client: httpx.Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["parts"]


def test_a_process_that_lives_says_so_without_asking_anybody(tmp_path: Path) -> None:
    parts = open_parts(ServiceSettings(home=tmp_path, database="postgresql://u:p@127.0.0.1:1/none", _env_file=None))
    transport = httpx.ASGITransport(make_app(parts))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/healthz")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()) == (200, {"ok": True})


def test_a_service_with_all_its_parts_is_ready(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    status, found = ready(client)
    assert status == 200
    assert {name: each["ok"] for name, each in found.items()} == dict.fromkeys(
        ("database", "store", "broker", "worker"), True
    )
    assert all(each["what"] == "well" and each["since"].endswith("Z") for each in found.values())


def test_a_service_without_a_worker_is_not_ready_and_says_how_to_start_one(client: httpx.Client) -> None:
    status, found = ready(client)
    assert status == 503
    assert "deepguard worker" in found["worker"]["what"]
    assert found["database"]["ok"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"seen": MINUTE}, 503),
        ({"ready": False}, 503),
        ({"inferred": None}, 503),
        ({"inferred": 16 * MINUTE}, 503),
        ({"inferred": 14 * MINUTE}, 200),
        # busy for long: it cannot test itself, but it gives signs of life
        ({"inferred": 40 * MINUTE, "job_id": "j"}, 200),
        ({"inferred": 40 * MINUTE, "job_id": "j", "seen": MINUTE}, 503),
        ({"inferred": 40 * MINUTE, "job_id": "j", "ready": False}, 503),
    ],
)
def test_a_worker_counts_while_it_lives_and_its_inference_is_recent(
    parts: Parts, client: httpx.Client, columns: dict[str, Any], expected: int
) -> None:
    ages = {name: now() - value for name, value in columns.items() if isinstance(value, datetime.timedelta)}
    employ(parts, **{"seen": now()} | columns | ages)
    assert ready(client)[0] == expected


def test_one_ready_worker_among_others_is_enough(parts: Parts, client: httpx.Client) -> None:
    employ(parts, name="a", ready=False)
    employ(parts, name="b")
    assert ready(client)[0] == 200


def no_connection(*arguments: object, **options: object) -> None:
    raise ConnectionRefusedError("redis://:secret@there")


def test_a_store_that_is_down_is_named_with_its_reason(
    parts: Parts, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, key: str) -> None:
        raise StoreDown("the storage does not answer; try again in a moment")

    employ(parts)
    monkeypatch.setattr(type(parts.store), "holds", fail)
    status, found = ready(client)
    assert status == 503
    assert found["store"]["what"] == "the storage does not answer; try again in a moment"
    assert [name for name, each in found.items() if not each["ok"]] == ["store"]


def test_a_broker_that_is_down_is_named_with_its_reason(
    parts: Parts, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    employ(parts)
    monkeypatch.setattr(parts.celery, "connection_for_write", no_connection)
    status, found = ready(client)
    assert status == 503
    assert found["broker"]["what"] == "the queue does not answer"
    assert [name for name, each in found.items() if not each["ok"]] == ["broker"]


def test_a_database_that_is_down_is_told_without_its_address_or_password(tmp_path: Path) -> None:
    address = "postgresql://someone:secret@127.0.0.1:1/none"
    app = make_app(open_parts(ServiceSettings(home=tmp_path, database=address, _env_file=None)))
    found = findings(app.state.probes)
    assert not found["database"].ok
    assert not found["worker"].ok
    assert found["store"].ok
    for word in ("secret", "someone", "127.0.0.1"):
        assert word not in found["database"].what


def test_it_is_ready_again_by_itself_and_since_tells_when(
    parts: Parts, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    employ(parts)
    first = ready(client)[1]["broker"]["since"]
    assert ready(client)[1]["broker"]["since"] == first

    with monkeypatch.context() as patched:
        patched.setattr(parts.celery, "connection_for_write", no_connection)
        status, found = ready(client)
        assert status == 503
        assert found["broker"]["since"] > first
    status, after = ready(client)
    assert status == 200
    assert after["broker"]["since"] > found["broker"]["since"]


def test_a_part_that_hangs_is_given_up_in_time_and_asked_only_once() -> None:
    hanging, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        hanging.wait(30)

    probes = {"a": Probe("a", hang, limit=0.2), "b": Probe("b", hang, limit=0.2), "c": Probe("c", lambda: 7)}
    began = time.monotonic()
    found = findings(probes)
    # side by side: not the sum of both
    assert time.monotonic() - began < 0.38
    assert (found["a"].ok, found["a"].what) == (False, "no answer in 0.2 seconds")
    assert (found["c"].ok, found["c"].value) == (True, 7)
    findings(probes)
    assert len(asked) == 2
    hanging.set()
    time.sleep(0.05)
    assert findings(probes)["a"].ok


def test_an_answer_is_kept_for_its_time_and_asked_for_again_after_it() -> None:
    asked: list[int] = []
    probes = {"a": Probe("a", lambda: asked.append(1), kept=0.2)}
    for _ in range(3):
        findings(probes)
    assert len(asked) == 1
    time.sleep(0.25)
    findings(probes)
    assert len(asked) == 2
