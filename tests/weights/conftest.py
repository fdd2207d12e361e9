"""A source of weights on this machine, and what it serves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.loopback import answering

from deepguard.weights.catalogue import Weights

CONTENT = bytes(range(256)) * 1024


@dataclass
class Source:
    """A web server: `answers` maps a path to what is done with the request; `asked` lists the paths asked for."""

    address: str
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def serves(self, path: str, content: bytes, promised: int | None = None) -> str:
        """Answer with `content`, under a content-length of `promised` bytes; return the address."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Length", str(promised or len(content)))
            request.end_headers()
            request.wfile.write(content)

        self.answers[path] = answer
        return self.address + path


@pytest.fixture
def source() -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if self.path in served.answers:
                served.answers[self.path](self)
            else:
                self.send_error(404)

        def log_message(self, *arguments: Any) -> None:
            pass

    with answering(Handler) as url:
        served = Source(url)
        yield served


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def weights_of() -> Callable[..., Weights]:
    """Return a function that describes a weight file with CONTENT, pinned in full unless told otherwise."""

    def describe(*urls: str, **changes: Any) -> Weights:
        facts: dict[str, Any] = {
            "file": "toy.onnx",
            "size": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "licence": "MIT",
            "origin": "made by the tests",
            "urls": urls,
        }
        return Weights(**(facts | changes))

    return describe


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
