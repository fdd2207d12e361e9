"""The real parts that the service's tests run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.service import servers
from tests.service.benches import parts_in
from tests.service.household import Timer

from deepguard.service import schema
from deepguard.service.database import Database
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings

DATABASES = ("sqlite", "postgresql", "mariadb")
STORAGES = ("swift", "moto")


def _url(variable: str, run: Callable[[], AbstractContextManager[servers.Server]]) -> Iterator[str]:
    if given := os.environ.get(variable):
        yield given
        return
    with run() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Address of a PostgreSQL server on which databases may be made and dropped."""
    yield from _url(servers.POSTGRES, servers.postgres)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """Address of a MariaDB or MySQL server on which databases may be made and dropped."""
    yield from _url(servers.MARIADB, servers.mariadb)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Address of a Redis server whose queue may be used."""
    yield from _url(servers.REDIS, servers.redis_server)


@pytest.fixture(scope="session")
def swift() -> Iterator[servers.Storage]:
    """OpenStack Swift, with an empty bucket."""
    with servers.swift() as storage:
        yield storage


@pytest.fixture(scope="session")
def moto() -> Iterator[servers.Storage]:
    """Moto, with an empty bucket."""
    with servers.moto() as storage:
        yield storage


@pytest.fixture(scope="session", params=STORAGES)
def storage(request: pytest.FixtureRequest) -> servers.Storage:
    """Each S3-compatible server."""
    found: servers.Storage = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=DATABASES)
def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each kind of database, without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite+pysqlite:///{tmp_path / 'bare' / 'deepguard.sqlite'}")
        yield database
        database.close()
        return
    url = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "mariadb_url")
    with servers.bare_database(url) as database:
        yield database


@pytest.fixture
def any_database(bare_database: Database) -> Database:
    """Each kind of database, with the service's tables, empty."""
    schema.upgrade(bare_database)
    return bare_database


@pytest.fixture
def any_parts(any_database: Database, tmp_path: Path) -> Iterator[Parts]:
    """The service's parts over each kind of database, with folders as store and queue."""
    settings = ServiceSettings(home=tmp_path / "home", database=servers.url_of(any_database), _env_file=None)
    opened = open_parts(settings)
    yield opened
    opened.database.close()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """The service's parts over SQLite and folders, where their kind does not matter."""
    opened = parts_in(tmp_path)
    yield opened
    opened.database.close()


@pytest.fixture
def timer() -> Timer:
    """A steady clock that stands until it is moved."""
    return Timer()
