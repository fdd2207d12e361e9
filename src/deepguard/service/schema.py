"""The database's tables: made and brought forward by migrations, by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import alembic.command
import sqlalchemy
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from deepguard.errors import DeepguardError, OptionError
from deepguard.service.database import MIGRATIONS, Database, DatabaseDown
from deepguard.service.tables import Table

LOCK = 0x6465657067756172
"""The advisory lock's number on PostgreSQL: "deepguar" in ASCII."""
LOCK_NAME = "deepguard.schema"
LOCK_SECONDS = 120
VERSIONS = "alembic_version"


class SchemaBusy(DeepguardError):
    """Another process has been changing the tables for too long."""

    code = "starting"


def upgrade(database: Database) -> None:
    """Bring the tables to what this program needs; do nothing where they are.

    Safe when several processes start at once: one works, the others wait for it. OptionError where the database was
    made by a newer program, or holds another program's tables.
    """
    if current(database) == latest():
        return
    with _alone(database) as connection:
        _check(connection)
        alembic.command.upgrade(_config(connection), "head")


def current(database: Database) -> str | None:
    """Return the migration that the database is at; None where it has no tables yet."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def status(database: Database) -> str | None:
    """Return the same; DatabaseDown where the database does not answer."""
    try:
        return current(database)
    except DBAPIError as error:
        why = str(error.orig).strip().partition("\n")[0]
        raise DatabaseDown(f"the database {database.url.render_as_string()} cannot be used: {why}") from error


def latest() -> str | None:
    """Return the migration that this program needs."""
    return _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    # a percent sign in the installation's path is no placeholder
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """Lend a connection in a transaction that no other process of this program is in at the same time."""
    engine = database.engine.execution_options(writes=True)
    name = engine.dialect.name
    with engine.connect() as connection:
        if name in {"mysql", "mariadb"}:
            with _named_lock(connection), connection.begin():
                yield connection
            return
        with connection.begin():
            # on SQLite the transaction itself is the lock, see Database.writing
            if name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection


@contextmanager
def _named_lock(connection: Connection) -> Iterator[None]:
    """Hold MySQL's named lock: it stays through the commits that each change of a table implies there."""
    with connection.begin():
        got = connection.scalar(text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK_NAME, "seconds": LOCK_SECONDS})
    if got != 1:
        raise SchemaBusy("another process has been changing the database's tables for minutes; wait, then start again")
    try:
        yield
    finally:
        with connection.begin():
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK_NAME})


def _check(connection: Connection) -> None:
    """Refuse a database that this program must not touch."""
    names = set(sqlalchemy.inspect(connection).get_table_names())
    if VERSIONS not in names:
        strange = sorted(names & Table.metadata.tables.keys())
        if strange:
            raise OptionError(
                f"the database has a table {strange[0]} that this program did not make; "
                "give DEEPGUARD_DATABASE a database of its own"
            )
        return
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise OptionError(
            f"the database is at {revision}, which this program does not know: a newer version has used it; "
            "install that version again, or give DEEPGUARD_DATABASE another database"
        )
