"""The answer to a request whose body nobody will read: it says so, and lets the sender hear it."""

from __future__ import annotations

import asyncio

from fastapi.responses import JSONResponse, Response
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

LINGER_SECONDS = 5.0


class Closing(JSONResponse):
    """JSON, complete at once, on a connection that then closes.

    A connection that is closed while its client still sends is reset, and many clients then show the reset and not
    the answer. So what they send meanwhile is thrown away for a few seconds, as web servers do.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, throw away what still comes, and end."""
        await close_after(self, receive, send)


async def close_after(response: Response, receive: Receive, send: Send) -> None:
    """Send a whole response, throw away what still comes for a while, and end."""
    response.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                continue
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def unread(connection: HTTPConnection, body: bool) -> None:
    """Note that a request's body is read in pieces, and whether a part of it has not been read yet."""
    unread_in(connection.scope, body)


def unread_in(scope: Scope, body: bool) -> None:
    """Note the same in a request's scope."""
    scope.setdefault("state", {})["unread"] = body


def is_unread(connection: HTTPConnection) -> bool:
    """Return whether `unread` noted that a part of the body is still to come."""
    return bool(connection.scope.get("state", {}).get("unread", False))


def reads_in_pieces(scope: Scope) -> bool:
    """Return whether somebody noted anything of a request's body with `unread`."""
    return "unread" in scope.get("state", {})
