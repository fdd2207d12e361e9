"""Fetching: what arrives is what was pinned, or nothing is left and the error says what was tried."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from deepguard.errors import OutputError, WeightsCorrupt, WeightsMissing, WeightsUnreachable
from deepguard.types import Progress
from deepguard.weights import sources
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

if TYPE_CHECKING:
    from conftest import Source

Describe = Callable[..., Weights]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/toy.onnx"


def lying_on(shelf: Shelf) -> set[str]:
    """Return the names of all files of a shelf but its locks."""
    return {file.name for file in shelf.directory.iterdir() if file.suffix != ".lock"}


def test_a_good_file_arrives_whole_and_is_told_of(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(source.serves("/toy.onnx", content))
    seen: list[Progress] = []
    assert shelf.fetch(weights, watch=seen.append).read_bytes() == content
    assert lying_on(shelf) == {"toy.onnx"}
    assert seen[-1] == Progress("toy.onnx", len(content), len(content))
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert len(seen) > 1


def test_a_file_that_is_here_is_not_fetched_again(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(source.serves("/toy.onnx", content))
    shelf.fetch(weights)
    shelf.fetch(weights)
    assert source.asked == ["/toy.onnx"]


def test_a_damaged_file_is_replaced(source: Source, shelf: Shelf, weights_of: Describe, content: bytes) -> None:
    weights = weights_of(source.serves("/toy.onnx", content))
    shelf.fetch(weights).write_bytes(content[:-1])
    assert shelf.fetch(weights).read_bytes() == content


def test_wrong_content_of_the_right_size_leaves_nothing(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    url = source.serves("/toy.onnx", content[::-1])
    with pytest.raises(WeightsUnreachable, match=rf"{url} sent a file that differs .*deepguard models import DIR"):
        shelf.fetch(weights_of(url))
    assert lying_on(shelf) == set()


def test_an_endless_answer_is_cut_at_the_pinned_size(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    url = source.serves("/toy.onnx", content * 4)
    with pytest.raises(WeightsUnreachable, match="sent more than 262,144 bytes"):
        shelf.fetch(weights_of(url))
    assert lying_on(shelf) == set()


@pytest.mark.parametrize("pinned", [True, False])
def test_an_answer_that_breaks_off_leaves_nothing(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes, pinned: bool
) -> None:
    url = source.serves("/toy.onnx", content[:1000], promised=len(content))
    weights = weights_of(url) if pinned else weights_of(url, size=0, sha256="")
    with pytest.raises(WeightsUnreachable, match="broke off"):
        shelf.fetch(weights)
    assert lying_on(shelf) == set()


def test_a_fetch_that_was_killed_is_started_afresh(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    shelf.directory.mkdir()
    (shelf.directory / ".toy.onnx.part").write_bytes(b"left by a killed process" * 100_000)
    assert shelf.fetch(weights_of(source.serves("/toy.onnx", content))).read_bytes() == content
    assert lying_on(shelf) == {"toy.onnx"}


def test_a_source_that_never_answers_is_given_up_and_named(silent: str, shelf: Shelf, weights_of: Describe) -> None:
    start = time.monotonic()
    with pytest.raises(WeightsUnreachable, match=rf"{silent} did not answer within 0.2 seconds"):
        shelf.fetch(weights_of(silent), timeout=(1, 0.2))
    assert time.monotonic() - start < 3
    assert lying_on(shelf) == set()


def test_a_source_that_falls_silent_midway_is_given_up(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    done = threading.Event()

    def half(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:100_000])
        request.wfile.flush()
        done.wait(10)

    source.answers["/toy.onnx"] = half
    with pytest.raises(WeightsUnreachable, match="fell silent"):
        shelf.fetch(weights_of(f"{source.address}/toy.onnx"), timeout=(1, 0.2))
    done.set()
    assert lying_on(shelf) == set()


def test_the_next_source_is_tried_after_one_that_lacks_the_file(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(f"{source.address}/gone.onnx", source.serves("/toy.onnx", content))
    assert shelf.fetch(weights).read_bytes() == content
    assert source.asked == ["/gone.onnx", "/toy.onnx"]


def test_every_failed_source_is_named_with_its_reason(source: Source, shelf: Shelf, weights_of: Describe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}/toy.onnx"
    with pytest.raises(WeightsUnreachable) as failure:
        shelf.fetch(weights_of(closed, f"{source.address}/gone.onnx", "gopher://nowhere/toy.onnx"))
    text = str(failure.value)
    assert f"{closed} cannot be reached" in text
    assert f"{source.address}/gone.onnx answered 404" in text
    assert "gopher://nowhere/toy.onnx failed (InvalidSchema)" in text


def test_offline_touches_no_socket_and_says_what_to_do(
    shelf: Shelf, weights_of: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    offline = Shelf(shelf.directory, offline=True)
    with pytest.raises(WeightsUnreachable, match=r"network is switched off; .*toy.onnx.* models import DIR"):
        offline.fetch(weights_of("http://weights.example/toy.onnx"))


def test_offline_still_returns_what_is_here(shelf: Shelf, weights_of: Describe, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_bytes(content)
    weights = weights_of("http://weights.example/toy.onnx")
    shelf.take(file, weights)
    assert Shelf(shelf.directory, offline=True).fetch(weights).read_bytes() == content


def test_weights_without_a_source_must_be_brought(shelf: Shelf, weights_of: Describe) -> None:
    with pytest.raises(WeightsMissing, match=r"swap is not on the shelf.*get it yourself.*models import DIR"):
        shelf.fetch(weights_of(), model="swap")


def test_the_proxy_of_the_environment_gets_the_request(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", source.address)
    url = "http://weights.example/toy.onnx"
    source.serves(url, content)
    assert shelf.fetch(weights_of(url)).read_bytes() == content
    assert source.asked == [url]


def test_a_proxy_that_is_not_there_is_blamed(
    shelf: Shelf, weights_of: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
    with pytest.raises(WeightsUnreachable, match="cannot be reached through the proxy"):
        shelf.fetch(weights_of("http://weights.example/toy.onnx"))


def test_two_who_fetch_at_once_ask_the_source_once(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    asked, go = threading.Event(), threading.Event()
    weights = weights_of(source.serves("/toy.onnx", content))
    answer = source.answers["/toy.onnx"]

    def late(request: BaseHTTPRequestHandler) -> None:
        asked.set()
        go.wait(10)
        answer(request)

    source.answers["/toy.onnx"] = late
    found: list[bytes] = []
    people = [threading.Thread(target=lambda: found.append(shelf.fetch(weights).read_bytes())) for _ in range(3)]
    people[0].start()
    assert asked.wait(10)
    for person in people[1:]:
        person.start()
    time.sleep(0.1)
    assert source.asked == ["/toy.onnx"]
    go.set()
    for person in people:
        person.join(10)
    assert found == [content] * 3
    assert source.asked == ["/toy.onnx"]
    assert lying_on(shelf) == {"toy.onnx"}


def test_waiting_for_another_process_has_an_end(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deepguard.weights.shelf.PATIENCE", 0.1)
    shelf.directory.mkdir()
    with (
        filelock.FileLock(shelf.directory / ".toy.onnx.lock"),
        pytest.raises(WeightsUnreachable, match=r"another process .* toy\.onnx for too long"),
    ):
        shelf.fetch(weights_of(source.serves("/toy.onnx", content)))
    assert source.asked == []


def test_raising_from_the_watch_stops_the_fetch_and_leaves_nothing(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        shelf.fetch(weights_of(source.serves("/toy.onnx", content)), watch=stop)
    assert lying_on(shelf) == set()


def test_a_full_disk_ends_the_fetch_and_leaves_nothing(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources._Arriving, "write", full)
    with pytest.raises(OutputError, match=r"No space left on device.*DEEPGUARD_MODELS"):
        shelf.fetch(weights_of(source.serves("/toy.onnx", content)))
    assert lying_on(shelf) == set()


def test_a_file_without_a_published_hash_is_held_to_its_first_fetch(
    source: Source, shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(source.serves("/toy.onnx", content), size=0, sha256="")
    shelf.fetch(weights).write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match="imported first"):
        shelf.path(weights)
    source.serves("/toy.onnx", b"other")
    with pytest.raises(WeightsUnreachable, match="imported first"):
        shelf.fetch(weights)
    source.serves("/toy.onnx", content)
    assert shelf.fetch(weights).read_bytes() == content
