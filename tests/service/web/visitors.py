"""Visitors and keys in tests, in front of an application with an address for each way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from fastapi import FastAPI, WebSocket
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from deepguard.service.parts import Parts
from deepguard.service.tables import Visit
from deepguard.service.web import access
from deepguard.service.web.access import Admin, Owner, Reader
from deepguard.service.web.app import Open, make_app

MakeKey = Callable[..., str]


def with_addresses(app: FastAPI) -> FastAPI:
    """Add an address for each way in."""

    @app.get("/test/read")
    def read(visitor: Reader) -> dict[str, object]:
        return {"owner": visitor.owner, "admin": visitor.admin}

    @app.post("/test/own")
    def own(visitor: Owner) -> dict[str, object]:
        return {"owner": visitor.owner}

    @app.post("/test/job")
    def job(visitor: Owner, parts: Open) -> dict[str, object]:
        with parts.database.writing() as session:
            access.spend(session, visitor)
        return {"owner": visitor.owner}

    @app.get("/test/admin")
    def administer(visitor: Admin) -> dict[str, object]:
        return {"owner": visitor.owner}

    @app.websocket("/test/watch")
    async def watch(websocket: WebSocket) -> None:
        visitor = await run_in_threadpool(access.of_websocket, websocket)
        await websocket.accept()
        await websocket.send_text(visitor.owner)
        await websocket.close()

    return app


@contextmanager
def browser(parts: Parts, base_url: str = "http://testserver", host: str = "203.0.113.7") -> Iterator[TestClient]:
    """A browser at an address of the internet, in front of an application of its own."""
    yield TestClient(
        with_addresses(make_app(parts)), base_url=base_url, client=(host, 50000), raise_server_exceptions=False
    )


def settled(parts: Parts, **changes: object) -> Parts:
    return replace(parts, settings=parts.settings.model_copy(update=changes))


def visits(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Visit)) or 0
