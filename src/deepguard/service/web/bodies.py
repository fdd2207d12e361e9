"""No body that is read whole is longer than any that the API needs; those who read piece by piece see to themselves."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deepguard.service.web.closing import reads_in_pieces, unread_in

LONGEST = 1 << 20


def install(app: FastAPI) -> None:
    """Hold the application's requests to the limit."""
    app.add_middleware(Bodies)


class Bodies:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a body that ends in an error where it is too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        taken = int(announced) if announced.isdecimal() and len(announced) < 20 else 0

        async def bounded() -> Message:
            nonlocal taken
            if reads_in_pieces(scope):
                return await receive()
            _refuse_long(scope, taken)
            message = await receive()
            if not announced:
                taken += len(message.get("body", b""))
                _refuse_long(scope, taken)
            return message

        await self._app(scope, bounded, send)


def _refuse_long(scope: Scope, taken: int) -> None:
    if taken > LONGEST:
        unread_in(scope, True)
        raise HTTPException(413, "the body is longer than any that this address takes; only files may be large")
