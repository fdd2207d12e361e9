"""Weights from the shelf, else from the object storage, else from their source, and then for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import structlog
import torch
from tests.loopback import answering
from tests.service.benches import bench_in, parts_in

from deepguard.errors import WeightsMissing, WeightsUnreachable
from deepguard.service import readiness as subject
from deepguard.service.depot import SMALL_BYTES, Depot, small_public
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

CONTENT = bytes(range(256)) * 64


class Source:
    """A web server that has some files."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []


@pytest.fixture
def source() -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if self.path not in served.files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.files[self.path])))
            self.end_headers()
            self.wfile.write(served.files[self.path])

        def log_message(self, *arguments: Any) -> None:
            pass

    with answering(Handler) as url:
        served = Source(url)
        yield served


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    opened = parts_in(tmp_path / "home")
    yield opened
    opened.database.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def depot(shelf: Shelf, parts: Parts) -> Depot:
    return Depot(shelf, parts.store)


def toy(*urls: str, file: str = "toy.onnx", **changes: Any) -> Weights:
    digest = hashlib.sha256(CONTENT).hexdigest()
    facts: dict[str, Any] = {"size": len(CONTENT), "sha256": digest, "licence": "MIT", "origin": "tests"} | changes
    return Weights(file=file, urls=urls, **facts)


def in_store(parts: Parts) -> list[str]:
    return [each.key for each in parts.store.everything("weights")]


def test_what_lies_on_the_shelf_asks_nobody(depot: Depot, shelf: Shelf, source: Source, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(CONTENT)
    weights = toy(f"{source.address}/toy")
    shelf.take(tmp_path / "mine", weights)
    assert depot.bring(weights).read_bytes() == CONTENT
    assert source.asked == []


def test_the_storage_is_asked_before_the_source(depot: Depot, parts: Parts, shelf: Shelf, source: Source) -> None:
    parts.store.put("weights/toy.onnx", CONTENT)
    path = depot.bring(toy(f"{source.address}/toy"))
    assert (path.parent, path.read_bytes(), source.asked) == (shelf.directory, CONTENT, [])


def test_what_comes_from_a_source_is_shared_once(depot: Depot, parts: Parts, source: Source, tmp_path: Path) -> None:
    source.files["/toy"] = CONTENT
    weights = toy(f"{source.address}/toy")
    depot.bring(weights)
    assert parts.store.get("weights/toy.onnx") == CONTENT
    other = Depot(Shelf(tmp_path / "another machine"), parts.store)
    assert other.bring(weights).read_bytes() == CONTENT
    assert source.asked == ["/toy"]


def test_a_wrong_file_in_the_storage_is_replaced_by_the_sources(depot: Depot, parts: Parts, source: Source) -> None:
    parts.store.put("weights/toy.onnx", b"evil" + CONTENT[4:])
    source.files["/toy"] = CONTENT
    with structlog.testing.capture_logs() as told:
        assert depot.bring(toy(f"{source.address}/toy")).read_bytes() == CONTENT
    assert any("differs from what was pinned" in each.get("error", "") for each in told)
    assert parts.store.get("weights/toy.onnx") == CONTENT


def test_a_wrong_file_from_a_source_reaches_neither_shelf_nor_storage(
    depot: Depot, parts: Parts, shelf: Shelf, source: Source
) -> None:
    source.files["/toy"] = b"evil" + CONTENT[4:]
    weights = toy(f"{source.address}/toy")
    with pytest.raises(WeightsUnreachable, match="differs from what was pinned"):
        depot.bring(weights)
    assert not shelf.holds(weights)
    assert in_store(parts) == []


def test_what_nobody_has_is_told_in_one_line_and_the_rest_comes(depot: Depot, parts: Parts, source: Source) -> None:
    source.files["/good"] = CONTENT
    good = toy(f"{source.address}/good", file="good.onnx")
    bad = [toy(f"{source.address}/bad{number}", file=f"bad{number}.onnx") for number in range(3)]
    with structlog.testing.capture_logs() as told:
        assert depot.bring_all([bad[0], good, *bad[1:]]) == 1
        assert depot.bring_all([good]) == 0
    (line,) = told
    assert line["files"] == ["bad0.onnx", "bad1.onnx", "bad2.onnx"]
    assert in_store(parts) == ["weights/good.onnx"]


def test_weights_without_a_source_come_from_the_storage_or_not_at_all(depot: Depot, parts: Parts) -> None:
    weights = toy()
    with pytest.raises(WeightsMissing, match="models import"):
        depot.bring(weights)
    parts.store.put("weights/toy.onnx", CONTENT)
    assert depot.bring(weights).read_bytes() == CONTENT


def test_only_small_files_that_everybody_may_use_are_brought_unasked() -> None:
    files = small_public()
    assert len(files) > 5
    for weights in files:
        assert weights.urls
        assert not weights.terms
        assert 0 < weights.size <= SMALL_BYTES
    names = {weights.file for weights in files}
    assert {"yunet_n_dynamic.onnx", "version-RFB-640.onnx"} <= names
    assert len(names) == len(files)


@pytest.mark.parametrize(
    ("setting", "asks"), [({}, True), ({"offline": True}, False), ({"fetch_weights": False}, False)]
)
def test_a_worker_brings_them_at_its_start_unless_it_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, bool], asks: bool
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(subject.Depot, "bring_all", lambda self, wanted: calls.append(len(wanted)) or 0)
    parts = open_parts(ServiceSettings(home=tmp_path, _env_file=None, **setting))
    subject.Readiness(parts, "one", torch.device("cpu"), bench_in(parts).guard)._bring()
    assert calls == ([len(small_public())] if asks else [])
    parts.database.close()
