"""One database: its engine, and transactions that read or write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import sqlalchemy
from sqlalchemy import Connection, CursorResult, Engine, UpdateBase, event
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError, OptionError

MIGRATIONS = Path(__file__).parent / "migrations"
CONNECT_SECONDS = 5
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}
"""The driver that comes with the installation, for addresses that name none."""


class DatabaseDown(DeepguardError):
    """The database did not answer, or refused."""

    code = "database_down"


class Database:
    """SQLite, PostgreSQL, MySQL or MariaDB behind one SQLAlchemy address."""

    def __init__(self, address: str) -> None:
        self.url = _url(address)
        self.engine = _engine(self.url)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Lend a session for one transaction that only reads."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Lend a session for one transaction; it is committed in the end, or rolled back by whatever is raised.

        On SQLite it takes the write lock at once: a transaction that reads first and writes later could not wait.
        """
        engine = self.engine.execution_options(writes=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def changed(session: Session, statement: UpdateBase) -> int:
    """Run a statement that changes rows and return how many; objects that the session holds do not learn of it."""
    statement = statement.execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def _url(address: str) -> URL:
    try:
        url = sqlalchemy.make_url(address)
    except sqlalchemy.exc.ArgumentError as error:
        raise OptionError("DEEPGUARD_DATABASE is no address such as postgresql://user:password@host/name") from error
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.drivername == "mariadb":
        url = url.set(drivername="mariadb+pymysql")
    if url.get_backend_name() not in {"sqlite", "postgresql", "mysql", "mariadb"}:
        raise OptionError(f"DEEPGUARD_DATABASE names {url.get_backend_name()}; use sqlite, postgresql or mysql")
    return url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        timeout: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
        # READ COMMITTED everywhere: compare-and-set must see what others committed a moment ago
        return sqlalchemy.create_engine(
            url,
            pool_pre_ping=True,
            hide_parameters=True,
            pool_size=10,
            max_overflow=20,
            connect_args=timeout,
            isolation_level="READ COMMITTED",
        )
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # hidden: an error's text would tell names of files and hashes to the log
    engine = sqlalchemy.create_engine(
        url, pool_size=10, max_overflow=20, connect_args={"timeout": 30}, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: object) -> None:
    # the driver's own transactions begin too late; see _begin
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
