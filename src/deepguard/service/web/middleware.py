"""What every request passes: its id, its line in the log, its headers, and one answer where something broke."""

from __future__ import annotations

import re
import time
import uuid
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepguard.service.web import faults

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GONE = 499
"""nginx's word for a caller who left before the answer."""
STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
BODIES = {"http.response.body", "websocket.http.response.body"}


def install(app: FastAPI) -> None:
    """Put the application behind the door. `app.state.observers` are told of each request: method, route, status, s."""
    app.state.observers = [*getattr(app.state, "observers", ())]
    app.add_middleware(Door, storage=app.state.parts.settings.s3_public)


class Door:
    """The middleware; `storage` is where browsers fetch results directly, or empty."""

    def __init__(self, app: ASGIApp, storage: str = "") -> None:
        self._app = app
        parts = urlsplit(storage)
        also = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
        self._page_policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:{also}; "
            f"media-src 'self'; connect-src 'self'{also}; worker-src 'self'; manifest-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send, self._page_policy)
        scope.setdefault("state", {}).update(request_id=passage.request_id, headers=passage.headers)
        with structlog.contextvars.bound_contextvars(request_id=passage.request_id):
            try:
                await self._app(scope, receive, passage.send)
            except ClientDisconnect:
                passage.status = passage.status or GONE
            except Exception as error:  # whatever it is, the caller must get an answer of one shape
                if passage.status or scope["type"] != "http":
                    passage.status = passage.status or HTTPStatus.INTERNAL_SERVER_ERROR
                    log.exception("an answer broke off")
                    raise
                answer = faults.unexpected(Request(scope), error)
                await answer(scope, receive, passage.send)
            finally:
                passage.note()


class _Passage:
    """One request on its way through the door."""

    def __init__(self, scope: Scope, send: Send, page_policy: str) -> None:
        self._scope = scope
        self._send = send
        self._page_policy = page_policy
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.headers: dict[str, str] = {}
        self.status = 0
        self.size = 0
        self._began = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] in STARTS:
            self.status = message.get("status", HTTPStatus.SWITCHING_PROTOCOLS)
            self._complete(MutableHeaders(scope=message))
        elif message["type"] in BODIES:
            self.size += len(message.get("body", b""))
        elif message["type"] == "websocket.close" and not self.status:
            self.status = HTTPStatus.FORBIDDEN
        await self._send(message)

    def _complete(self, headers: MutableHeaders) -> None:
        headers["X-Request-ID"] = self.request_id
        for name, value in self.headers.items():
            headers.append(name, value)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers.setdefault("WWW-Authenticate", "Bearer")
        page = headers.get("content-type", "").startswith("text/html")
        headers.setdefault("Content-Security-Policy", self._page_policy if page else "default-src 'none'")
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cache-Control", "no-store")

    def note(self) -> None:
        """Write the line, and tell the observers."""
        seconds = time.perf_counter() - self._began
        method = "WEBSOCKET" if self._scope["type"] == "websocket" else self._scope["method"]
        route = getattr(self._scope.get("route"), "path", "")
        status = int(self.status) or GONE
        log.info(
            "request",
            method=method,
            route=route,
            ids=[each for each in self._scope.get("path_params", {}).values() if IDENTIFIER.fullmatch(str(each))],
            status=status,
            ms=round(1000 * seconds, 1),
            bytes=self.size,
        )
        for observe in self._scope["app"].state.observers:
            observe(method, route, status, seconds)
