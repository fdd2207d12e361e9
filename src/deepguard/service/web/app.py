"""The web application."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from deepguard import __version__
from deepguard.service.parts import Parts
from deepguard.service.web import faults

API = "/api/v1"
ROUTERS: tuple[str, ...] = (
    "run",
    "uploads",
    "jobs",
    "results",
    "progress",
    "catalogue",
    "statistics",
    "keys",
    "health",
    "metrics",
    "docs",
    "assets",
    "shell",
    "page",
)
"""Modules below `web` that have a `router`; their paths are below `API` unless they are the page or the probes.

A module may also have `install(app)`, which is called once for each application.
"""
DOORS = ("bodies", "middleware", "access")
"""Modules below `web` that every request passes; each has `install(app)`."""


def make_app(parts: Parts) -> FastAPI:
    """Return the application over open parts; it closes the database in the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.database.close()

    app = FastAPI(
        title="Deepguard",
        summary="Keeps faces out of deepfakes.",
        version=__version__,
        # its own pages load scripts from elsewhere; see `docs`
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    faults.register(app)
    for name in DOORS:
        importlib.import_module(f"deepguard.service.web.{name}").install(app)
    for name in ROUTERS:
        module = importlib.import_module(f"deepguard.service.web.{name}")
        app.include_router(module.router)
        # what a module needs of the application beside its paths
        getattr(module, "install", _nothing)(app)
    return app


def _nothing(app: FastAPI) -> None:
    """Stand in for modules that need nothing but their paths."""


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts of the application that a request or websocket came to."""
    parts: Parts = connection.app.state.parts
    return parts


async def _parts(connection: HTTPConnection) -> Parts:
    # a plain function would be called in a thread of its own, at each request
    return parts_of(connection)


Open = Annotated[Parts, Depends(_parts)]
