"""The web application over SQLite and a folder, asked without a network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from deepguard.service import keys
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table, Visit
from deepguard.service.web.app import make_app

with warnings.catch_warnings():
    # it asks for a successor of httpx that nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient
    from tests.service.web.callers import bring, caller, report
    from tests.service.web.visitors import MakeKey


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """Open parts over an empty home; the tables are there, no worker is."""
    made = open_parts(ServiceSettings(home=tmp_path / "home", _env_file=None))
    Table.metadata.create_all(made.database.engine)
    yield made
    made.database.close()


@pytest.fixture
def app(parts: Parts) -> FastAPI:
    """The application; a test may add addresses of its own."""
    return make_app(parts)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A browser that keeps its cookies; what breaks inside is answered, not raised."""
    with TestClient(app, raise_server_exceptions=False) as browser:
        yield browser


@pytest.fixture
def sent(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that workers were sent for."""
    sent: list[str] = []
    monkeypatch.setattr(parts.sender, "send", sent.append)
    return sent


@pytest.fixture
def me(app: FastAPI, client: TestClient, parts: Parts, sent: list[str]) -> TestClient:
    """Somebody who has been here before; a worker has reported."""
    report(parts)
    return caller(app, parts)[0]


@pytest.fixture
def owner(me: TestClient, parts: Parts) -> str:
    """Who `me` is."""
    with parts.database.reading() as session:
        return f"visit:{session.scalars(select(Visit.id)).one()}"


@pytest.fixture
def upload(parts: Parts, owner: str) -> str:
    """An upload of mine."""
    return bring(parts, owner)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Parts]:
    """A service with narrow limits."""
    made = open_parts(
        ServiceSettings(
            home=tmp_path / "home", queue_length=3, queue_length_each=2, jobs_per_day=3, store_bytes=100, _env_file=None
        )
    )
    Table.metadata.create_all(made.database.engine)
    report(made)
    yield made
    made.database.close()


@pytest.fixture
def make_key(parts: Parts) -> MakeKey:
    """Makes keys of programs."""

    def make(rate: str = "1000/minute", jobs_per_day: int = 10, *, admin: bool = False) -> str:
        with parts.database.writing() as session:
            return keys.create(session, keys.Wish("test", rate, jobs_per_day, admin))[1]

    return make
