from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.types import Message

from deepguard.service import keys
from deepguard.service.parts import Parts
from deepguard.service.web.access import Owner
from deepguard.service.web.app import make_app

Line = dict[str, Any]


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """The messages of this test as fields; `request_id` is among them where it is bound."""
    caught: list[Line] = []

    def catch(logger: object, method: str, event: Line) -> Line:
        caught.append({**event, "level": method})
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, catch])
    yield caught
    structlog.reset_defaults()


@pytest.fixture
def app(parts: Parts) -> FastAPI:
    """The application with addresses that go well and badly."""
    made = make_app(parts)

    @made.get("/test/things/{thing}/{name}")
    def thing(thing: str, name: str) -> dict[str, str]:
        structlog.get_logger("test").info("inside")
        return {"name": name}

    @made.post("/test/own")
    def own(visitor: Owner) -> str:
        return visitor.owner

    @made.get("/test/page", response_class=HTMLResponse)
    def page() -> HTMLResponse:
        return HTMLResponse("<p>", headers={"Cache-Control": "max-age=60"})

    _go_wrong(made)

    @made.websocket("/test/watch")
    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        structlog.get_logger("test").info("inside")
        await websocket.close()

    return made


def _go_wrong(made: FastAPI) -> None:
    @made.get("/test/broken")
    def broken() -> None:
        raise RuntimeError("a secret of ours")

    @made.get("/test/torn")
    async def torn() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"12345"
            raise RuntimeError("torn")

        return StreamingResponse(pieces())

    @made.post("/test/gone")
    async def gone(request: Request) -> None:
        raise ClientDisconnect


def requests(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["event"] == "request"]


def test_a_fitting_request_id_is_kept_and_told_and_bound(client: TestClient, lines: list[Line]) -> None:
    answer = client.get("/test/things/1/a", headers={"X-Request-ID": "from-outside.1"})
    assert answer.headers["x-request-id"] == "from-outside.1"
    assert [(line["event"], line["request_id"]) for line in lines] == [
        ("inside", "from-outside.1"),
        ("request", "from-outside.1"),
    ]
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize("given", ["", "short", "x" * 65, 'a"quote-and-more', "two words", "ünsinnig"])
def test_a_request_id_that_does_not_fit_is_replaced(client: TestClient, given: str) -> None:
    answers = [client.get("/healthz", headers={"X-Request-ID": given.encode()}) for _ in range(2)]
    made = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]


def test_a_request_is_one_line_with_its_pattern_and_without_what_a_caller_wrote(
    client: TestClient, lines: list[Line]
) -> None:
    thing = "6f1c1d0e-7a53-4a52-9b1e-0d6b7f3f9a11"
    body = client.get(f"/test/things/{thing}/grandmother.jpg?share=hush", headers={"User-Agent": "curious"}).content
    (line,) = requests(lines)
    assert line["ms"] >= 0
    assert {name: line[name] for name in ("method", "route", "ids", "status", "bytes", "level")} == {
        "method": "GET",
        "route": "/test/things/{thing}/{name}",
        "ids": [thing],
        "status": 200,
        "bytes": len(body),
        "level": "info",
    }
    for word in ("grandmother", "hush", "curious", "testclient"):
        assert word not in json.dumps(line)


def test_every_field_of_a_request_is_documented(client: TestClient, lines: list[Line]) -> None:
    client.get("/test/things/1/a")
    page = Path(__file__).parents[3] / "docs" / "reference" / "logs.md"
    fields = set(re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert fields >= set(requests(lines)[0])


def test_an_address_that_is_not_there_has_no_pattern(client: TestClient, lines: list[Line]) -> None:
    assert client.get("/wp-login.php").json()["code"] == "not_found"
    (line,) = requests(lines)
    assert (line["route"], line["status"]) == ("", 404)
    assert "wp-login" not in json.dumps(line)


def test_the_patterns_of_routers_are_whole(client: TestClient, lines: list[Line]) -> None:
    client.delete(f"/api/v1/keys/{'0' * 36}")
    assert requests(lines)[0]["route"] == "/api/v1/keys/{key_id}"


def test_what_nobody_expected_is_answered_in_the_one_shape_and_logged_with_the_same_id(
    client: TestClient, lines: list[Line]
) -> None:
    answer = client.get("/test/broken")
    assert answer.status_code == 500
    body = answer.json()
    assert set(body) == {"code", "message", "details", "request_id"}
    assert body["code"] == "internal"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    logged = {line["event"]: line for line in lines}
    assert logged["an unexpected error"]["request_id"] == body["request_id"]
    assert isinstance(logged["an unexpected error"]["exc_info"], RuntimeError)
    assert logged["request"]["status"] == 500


def test_an_answer_that_breaks_off_is_logged_and_not_taken_for_whole(app: FastAPI, lines: list[Line]) -> None:
    with TestClient(app) as client, pytest.raises(RuntimeError, match="torn"):
        client.get("/test/torn")
    assert [line["event"] for line in lines] == ["an answer broke off", "request"]
    assert lines[-1]["bytes"] == 5


def test_a_caller_who_left_is_no_error_of_ours(app: FastAPI, lines: list[Line]) -> None:
    sent: list[Message] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/test/gone",
            "raw_path": b"/test/gone",
            "query_string": b"",
            "headers": [],
            "scheme": "http",
            "server": ("testserver", 80),
            "client": ("testclient", 1),
        }
        await app(scope, receive, send)

    asyncio.run(ask())
    assert sent == []
    (line,) = lines
    assert (line["event"], line["status"], line["level"]) == ("request", 499, "info")


def test_a_websocket_has_an_id_and_a_line_too(client: TestClient, lines: list[Line]) -> None:
    with client.websocket_connect("/test/watch", headers={"X-Request-ID": "from-outside.2"}) as socket:
        assert (b"x-request-id", b"from-outside.2") in (socket.extra_headers or [])
    assert [line["request_id"] for line in lines] == ["from-outside.2"] * 2
    assert (lines[1]["method"], lines[1]["status"], lines[1]["route"]) == ("WEBSOCKET", 101, "/test/watch")


def test_every_answer_forbids_guessing_of_types_storing_and_loading(client: TestClient) -> None:
    for answer in (client.get("/test/things/1/a"), client.get("/nothing"), client.get("/test/broken")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'"


def test_a_page_loads_from_its_own_place_only_and_may_be_framed_by_nobody(parts: Parts, app: FastAPI) -> None:
    policy = TestClient(app).get("/test/page").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
    assert TestClient(app).get("/test/page").headers["cache-control"] == "max-age=60", "what an address sets stays"


def test_pictures_may_come_from_the_public_object_storage(parts: Parts) -> None:
    settings = parts.settings.model_copy(update={"s3_public": "https://s3.example:9000/path"})
    app = make_app(replace(parts, settings=settings))

    @app.get("/test/page", response_class=HTMLResponse)
    def page() -> str:
        return "<p>"

    policy = TestClient(app).get("/test/page").headers["content-security-policy"]
    assert "img-src 'self' blob: https://s3.example:9000;" in policy


def test_observers_are_told_of_each_request_by_its_pattern(app: FastAPI) -> None:
    told: list[tuple[str, str, int]] = []

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        assert seconds > 0
        told.append((method, route, status))

    app.state.observers = [*app.state.observers, observe]
    client = TestClient(app, raise_server_exceptions=False)
    for path in ("/test/things/1/a", "/nothing", "/test/broken"):
        client.get(path)
    assert told == [("GET", "/test/things/{thing}/{name}", 200), ("GET", "", 404), ("GET", "/test/broken", 500)]


def test_no_line_of_the_log_holds_a_key_or_a_cookie(client: TestClient, parts: Parts, lines: list[Line]) -> None:
    with parts.database.writing() as session:
        token = keys.create(session, keys.Wish("chief", "1000/minute", 10, admin=True))[1]
    made = client.post("/api/v1/keys", json={"name": "grandmother"}, headers={"X-API-Key": token}).json()["token"]
    client.post("/test/own")
    cookie = next(iter(client.cookies.values()))
    client.get("/test/broken", headers={"Authorization": f"Bearer {made}"})
    client.get("/api/v1/keys", headers={"X-API-Key": f"{token}x"})
    written = " ".join(map(repr, lines))
    assert len(requests(lines)) == 4
    for secret in (token, made, cookie, "grandmother"):
        assert secret not in written


class Outside(HTMLParser):
    """Whatever a page would load, and its links."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "srcset", "data", "action", "poster", "style"} or (tag, name) == ("link", "href"):
                self.loads.append(f"{tag} {value}")
            elif name == "href":
                self.links.append(value or "")


def test_the_page_of_the_api_names_every_address_and_loads_nothing(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    page = Outside()
    page.feed(answer.text)
    assert page.loads == []
    assert "<script" not in answer.text
    assert "@import" not in answer.text
    assert "url(" not in answer.text
    assert set(page.links) >= {"openapi.json", "#MadeKey"}
    assert all(link == "openapi.json" or f'id="{link[1:]}"' in answer.text for link in page.links)
    described = client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in answer.text


def test_the_style_of_the_page_is_allowed_by_its_own_policy(client: TestClient) -> None:
    answer = client.get("/docs")
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_what_a_description_says_is_shown_as_text(app: FastAPI) -> None:
    @app.get("/test/odd", summary="<script>alert(1)</script>")
    def odd(value: str = "") -> None:
        """A <b>bold</b> claim."""

    text = TestClient(app).get("/docs").text
    assert "<script" not in text
    assert "A &lt;b&gt;bold&lt;/b&gt; claim." in text


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_fastapis_own_pages_are_gone(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
