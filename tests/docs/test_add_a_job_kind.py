"""The example of the page is asked for over the API and worked on by a worker's attempt."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator
from tests.service.benches import bench_in, parts_in
from tests.service.web.conftest import TestClient

from deepguard.media.sample import sample_file
from deepguard.service.attempt import Bench, attempt
from deepguard.service.kinds.roles import Ability, kinds
from deepguard.service.readiness import Readiness
from deepguard.service.states import State
from deepguard.service.web.app import make_app
from deepguard.weights.shelf import Shelf

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-job-kind.md"
MODULE = "histogram_of_the_page"


@pytest.fixture
def ability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ability:
    """What the page's kind can do; it is in the registry for one test."""
    kinds.names()
    monkeypatch.setattr(kinds, "_entries", dict(kinds._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / f"{MODULE}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    importlib.import_module(MODULE)
    shelf = Shelf(tmp_path / "shelf")
    return kinds.create("histogram", shelf, torch.device("cpu")).ability(shelf)


@pytest.fixture
def bench(tmp_path: Path, ability: Ability) -> Iterator[Bench]:
    """A worker that has published what it can do."""
    parts = parts_in(tmp_path / "home")
    bench = bench_in(parts)
    Readiness(parts, bench.name, bench.device, bench.guard).introduce()
    yield bench
    parts.database.close()


@pytest.fixture
def client(bench: Bench) -> Iterator[TestClient]:
    with TestClient(make_app(bench.parts)) as client:
        yield client


def asked(client: TestClient, **options: object) -> dict[str, object]:
    """What the API answers to a job about the sample photo."""
    upload = client.post("/api/v1/uploads", files={"file": sample_file().read_bytes()}).json()
    answer = client.post("/api/v1/jobs", json={"kind": "histogram", "upload": upload["id"], "options": options})
    job: dict[str, object] = answer.json()
    return job | {"status": answer.status_code}


def test_the_pages_example_goes_from_the_api_through_a_worker_to_its_result(bench: Bench, client: TestClient) -> None:
    job = asked(client, bands=8)
    assert (job["status"], job["state"]) == (201, "queued")
    assert attempt(bench, str(job["id"])) is State.DONE
    shown = client.get(f"/api/v1/jobs/{job['id']}").json()
    (result,) = shown["results"]
    assert (result["name"], result["filename"]) == ("histogram", "histogram.json")
    assert shown["summary"]["bands"] == 8
    body = client.get(result["url"]).json()
    assert list(body["counts"]) == ["red", "green", "blue"]
    for counts in body["counts"].values():
        assert len(counts) == 8
        assert sum(counts) == body["width"] * body["height"] > 0
    assert shown["summary"]["megapixels"] == pytest.approx(body["width"] * body["height"] / 1e6)


def test_the_web_process_refuses_options_that_the_page_forbids(client: TestClient) -> None:
    refused = asked(client, bands=1000)
    assert (refused["status"], refused["code"]) == (422, "option")
    assert asked(client, strips=4)["status"] == 422


def test_the_pages_kind_is_described_as_the_page_asks(client: TestClient, ability: Ability) -> None:
    Draft202012Validator.check_schema(dict(ability.schema))
    assert ability.schema["additionalProperties"] is False
    assert all("description" in each for each in ability.schema["properties"].values())
    shown = client.get("/api/v1/kinds/histogram").json()
    assert (shown["summary"], shown["results"]) == (ability.summary, ["histogram"])


def test_what_the_page_says_of_the_members_is_all_that_there_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    first, second = (table for table in re.findall(r"((?:^\|.*\n)+)", text, re.MULTILINE) if "| promise |" in table)
    assert set(re.findall(r"^\| `(\w+)`", first, re.MULTILINE)) == {"ability", "spans", "run"}
    assert re.findall(r"^\| `(\w+)`", second, re.MULTILINE) == list(Ability.__dataclass_fields__)


def test_every_file_that_the_page_names_exists() -> None:
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", PAGE.read_text(encoding="utf-8")):
        assert path.endswith("test_histogram_kind.py") or (root / path).is_file()
