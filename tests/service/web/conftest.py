"""The web application over SQLite and a folder, asked without a network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table
from deepguard.service.web.app import make_app

with warnings.catch_warnings():
    # it asks for a successor of httpx that nothing else here needs
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


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
