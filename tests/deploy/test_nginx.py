"""nginx in front: what it lets through, what it refuses, and what the application sees."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI, Request, WebSocket
from tests.deploy.conftest import NGINX, Put

from deepguard.service.database import Database
from deepguard.service.parts import open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.web.app import make_app
from deepguard.service.web.run import MOST_WAIT_SECONDS

MIB = 1 << 20


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(_env_file=None, home=tmp_path / "home")


def echo() -> FastAPI:
    """An application that says what it was asked."""
    app = FastAPI()

    @app.websocket("/api/v1/jobs/{job}/progress")
    async def progress(socket: WebSocket, job: str) -> None:
        await socket.accept()
        await socket.send_json(
            {"job": job, "scheme": socket.url.scheme, "caller": socket.client and socket.client.host}
        )
        await socket.send_text(await socket.receive_text())
        await socket.close()

    @app.post("/size")
    async def size(request: Request) -> dict[str, int]:
        return {"size": sum([len(chunk) async for chunk in request.stream()])}

    @app.get("/{path:path}")
    async def seen(request: Request, path: str) -> dict[str, Any]:
        caller = request.client.host if request.client else ""
        return {
            "url": str(request.url),
            "caller": caller,
            "id": request.headers.get("x-request-id"),
            "host": request.headers.get("x-forwarded-host"),
        }

    return app


def test_the_limit_is_the_settings_own_and_one_mebibyte_more() -> None:
    text = (NGINX / "common.conf").read_text()
    megabytes = re.search(r"client_max_body_size (\d+)m;", text)
    settings = ServiceSettings(_env_file=None)
    limit = max(settings.upload_bytes, settings.clip_bytes)
    assert megabytes
    assert int(megabytes[1]) * MIB == limit + MIB
    assert f"larger than {limit // MIB} MiB" in text


def test_a_file_within_the_limit_passes_and_one_over_it_is_refused_in_the_api_s_own_shape(
    put: Put, settings: ServiceSettings
) -> None:
    front = put("plain", echo(), settings, **{"client_max_body_size 257m;": "client_max_body_size 2m;"})
    with httpx.Client(base_url=f"http://127.0.0.1:{front.plain}") as client:
        assert client.post("/size", content=bytes(2 * MIB)).json() == {"size": 2 * MIB}
        refused = client.post("/size", content=bytes(2 * MIB + 1), headers={"X-Request-ID": "asked-by-me"})
    assert refused.status_code == 413
    assert refused.json() | {"message": ""} == {
        "code": "too_large",
        "message": "",
        "details": {},
        "request_id": "asked-by-me",
    }


def test_a_file_over_the_limit_is_refused_before_it_is_sent(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings)
    with socket.create_connection(("127.0.0.1", front.plain), timeout=10) as caller:
        caller.sendall(f"POST /size HTTP/1.1\r\nHost: here\r\nContent-Length: {258 * MIB}\r\n\r\n".encode())
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


def test_an_upload_is_passed_on_while_it_still_arrives(put: Put, settings: ServiceSettings) -> None:
    arrived: list[int] = []
    app = echo()

    @app.post("/slow")
    async def slow(request: Request) -> dict[str, int]:
        async for chunk in request.stream():
            arrived.append(len(chunk))
        return {"size": sum(arrived)}

    front = put("plain", app, settings)
    with socket.create_connection(("127.0.0.1", front.plain), timeout=10) as caller:
        caller.sendall(b"POST /slow HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\n\r\n0123456789")
        wait_for(lambda: sum(arrived) == 10)
        caller.sendall(b"0123456789")
        assert caller.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_websocket_passes_and_knows_its_caller(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings)

    async def talk() -> tuple[str, str]:
        async with websockets.connect(f"ws://127.0.0.1:{front.plain}/api/v1/jobs/7/progress") as line:
            first = await line.recv()
            await line.send("still there?")
            return str(first), str(await line.recv())

    first, second = asyncio.run(talk())
    assert '"job":"7"' in first
    assert '"scheme":"ws"' in first
    assert '"caller":"127.0.0.1"' in first
    assert second == "still there?"


def test_a_long_message_from_a_browser_ends_its_websocket(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings)

    async def talk() -> int:
        async with websockets.connect(f"ws://127.0.0.1:{front.plain}/api/v1/jobs/7/progress") as line:
            await line.recv()
            await line.send("x" * 100_000)
            with contextlib.suppress(websockets.ConnectionClosed):
                await line.recv()
            await line.wait_closed()
            return line.close_code or 0

    assert asyncio.run(talk()) in {1006, 1009}


def test_behind_tls_the_application_sees_https_and_plain_is_sent_there(put: Put, settings: ServiceSettings) -> None:
    front = put("tls", echo(), settings)
    trusted = ssl.create_default_context(cafile=front.folder / "fullchain.pem")
    with httpx.Client(verify=trusted) as client:
        seen = client.get(f"https://localhost:{front.secure}/jobs/1?share=x")
        assert seen.json()["url"] == f"https://localhost:{front.secure}/jobs/1?share=x"
        assert seen.headers["strict-transport-security"] == "max-age=31536000"
        moved = client.get(f"http://localhost:{front.plain}/jobs/1?share=x")
    assert (moved.status_code, moved.headers["location"]) == (301, "https://localhost/jobs/1?share=x")


def test_what_a_caller_claims_to_be_is_not_believed(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings)
    claims = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    seen = httpx.get(f"http://127.0.0.1:{front.plain}/here", headers=claims).json()
    assert seen["url"].startswith("http://127.0.0.1:")
    assert seen["caller"] == "127.0.0.1"
    assert not seen["host"]


@pytest.mark.parametrize(
    ("given", "kept"), [("my-own-id.1", True), ("", False), ("a b<script>", False), ("x" * 65, False)]
)
def test_a_well_formed_request_id_is_kept_and_any_other_replaced(
    given: str, kept: bool, put: Put, settings: ServiceSettings
) -> None:
    front = put("plain", echo(), settings)
    seen = httpx.get(f"http://127.0.0.1:{front.plain}/here", headers={"X-Request-ID": given}).json()["id"]
    assert seen == given if kept else re.fullmatch("[0-9a-f]{32}", seen)


@pytest.mark.parametrize(("site", "path"), [("plain", "/metrics"), ("prefix", "/deepguard/metrics")])
def test_metrics_are_refused_from_outside(site: str, path: str, put: Put, settings: ServiceSettings) -> None:
    front = put(site, echo(), settings)
    assert httpx.get(f"http://127.0.0.1:{front.plain}{path}").status_code == 403
    assert httpx.get(f"http://127.0.0.1:{front.plain}{path}?x=1").status_code == 403


def test_too_many_requests_are_refused_with_when(put: Put, settings: ServiceSettings) -> None:
    tight = {"rate=100r/s": "rate=1r/s", "burst=400 nodelay": "burst=2 nodelay"}
    front = put("plain", echo(), settings, **tight)
    with httpx.Client(base_url=f"http://127.0.0.1:{front.plain}") as client:
        answers = [client.get("/here") for _ in range(6)]
    refused = [each for each in answers if each.status_code == 429]
    assert 3 <= len(refused) <= 4  # one and a burst of two pass; a slow machine earns one more
    assert refused[0].json()["code"] == "rate"
    assert refused[0].headers["retry-after"] == "1"


def test_a_web_process_that_is_down_is_503_with_when(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings, **{"proxy_pass http://deepguard;": "proxy_pass http://127.0.0.1:1;"})
    answer = httpx.get(f"http://127.0.0.1:{front.plain}/here")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "starting", "5")


def test_the_log_of_nginx_holds_no_address_and_no_token(put: Put, settings: ServiceSettings) -> None:
    front = put("plain", echo(), settings)
    httpx.get(f"http://127.0.0.1:{front.plain}/jobs/1?share=secret-token")
    log = front.folder / "access.log"
    wait_for(lambda: "/jobs/1" in log.read_text())
    assert "secret-token" not in log.read_text()
    assert "127.0.0.1" not in log.read_text()


@pytest.fixture
def prefixed(tmp_path: Path) -> Iterator[ServiceSettings]:
    settings = ServiceSettings(_env_file=None, home=tmp_path / "home", root_path="/deepguard")
    yield settings
    Database(settings.database_url).close()


def test_our_application_works_below_a_path_prefix(put: Put, prefixed: ServiceSettings) -> None:
    front = put("prefix", make_app(open_parts(prefixed)), prefixed)
    with httpx.Client(base_url=f"http://127.0.0.1:{front.plain}") as client:
        assert client.get("/deepguard/healthz").json() == {"ok": True}
        assert client.get("/deepguard").headers["location"].endswith("/deepguard/")
        described = client.get("/deepguard/openapi.json").json()
        assert client.get("/healthz").status_code == 404
    assert described["servers"] == [{"url": "/deepguard"}]


def test_our_application_sees_its_whole_address_below_a_path_prefix(put: Put, prefixed: ServiceSettings) -> None:
    front = put("prefix", echo(), prefixed)
    seen = httpx.get(f"http://127.0.0.1:{front.plain}/deepguard/here?x=1").json()
    assert seen["url"] == f"http://127.0.0.1:{front.plain}/deepguard/here?x=1"


def wait_for(true: Any) -> None:
    async def look() -> None:
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0.02)

    asyncio.run(look())


def test_nginx_waits_longer_than_a_caller_may() -> None:
    (seconds,) = re.findall(r"^proxy_read_timeout (\d+)s;", (NGINX / "common.conf").read_text(), re.MULTILINE)
    assert int(seconds) > MOST_WAIT_SECONDS
