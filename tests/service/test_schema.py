"""The tables come from migrations, by one process at a time, and only in a database that is ours."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import inspect, text
from tests.service.servers import url_of

from deepguard.cli.main import main
from deepguard.errors import OptionError
from deepguard.service import clock, schema
from deepguard.service.database import Database, DatabaseDown
from deepguard.service.tables import Table

UPGRADE = (
    "import sys; from deepguard.service import schema; from deepguard.service.database import Database; "
    "print(flush=True); sys.stdin.readline(); schema.upgrade(Database(sys.argv[1]))"
)


def execute(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_the_migrations_make_exactly_the_tables_of_the_code(any_database: Database) -> None:
    with any_database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_an_upgraded_database_is_left_alone(any_database: Database) -> None:
    execute(any_database, "INSERT INTO quotas (owner, day, used) VALUES ('visit:1', '2026-01-01', 3)")
    schema.upgrade(any_database)
    with any_database.engine.connect() as connection:
        assert connection.scalar(text("SELECT used FROM quotas")) == 3
    assert schema.current(any_database) == schema.latest()


def test_the_clock_begins_with_the_tables(any_database: Database) -> None:
    with any_database.reading() as session:
        age = clock.now() - clock.service_time(session)
    assert 0 <= age.total_seconds() < 60


def test_several_processes_may_upgrade_at_once(bare_database: Database) -> None:
    command = [sys.executable, "-W", "ignore", "-c", UPGRADE, url_of(bare_database)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert [(process.returncode, error) for process, error in zip(processes, errors, strict=True)] == [(0, "")] * 4
    assert schema.current(bare_database) == schema.latest()


def test_a_migration_that_was_stopped_half_way_is_finished(bare_database: Database) -> None:
    schema.upgrade(bare_database)
    # as MySQL leaves it, which commits every change of a table at once
    execute(bare_database, "DELETE FROM alembic_version", "DROP TABLE results", "DROP TABLE clock")
    with bare_database.engine.begin() as connection:
        index = next(each for each in Table.metadata.tables["jobs"].indexes if each.name == "jobs_by_end")
        index.drop(connection)
    schema.upgrade(bare_database)
    with bare_database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_a_database_of_a_newer_program_is_refused_with_one_sentence(any_database: Database) -> None:
    execute(any_database, "UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(OptionError, match="is at ffff, which this program does not know: a newer version has used it"):
        schema.upgrade(any_database)
    assert schema.current(any_database) == "ffff"


def test_a_database_of_another_program_is_refused_and_left_alone(bare_database: Database) -> None:
    execute(bare_database, "CREATE TABLE jobs (what VARCHAR(10))")
    with pytest.raises(OptionError, match="has a table jobs that this program did not make"):
        schema.upgrade(bare_database)
    assert inspect(bare_database.engine).get_table_names() == ["jobs"]


def test_names_are_told_apart_by_case_on_every_database(any_database: Database) -> None:
    for owner in ("visit:a", "visit:A"):
        execute(any_database, f"INSERT INTO quotas (owner, day, used) VALUES ('{owner}', '2026-01-01', 1)")
    with any_database.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM quotas WHERE owner = 'visit:A'")) == 1


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    database = Database("postgresql://me:secret@127.0.0.1:1/name")
    with pytest.raises(DatabaseDown, match=r"me:\*\*\*@127.0.0.1:1/name cannot be used: .*refused"):
        schema.status(database)


def test_the_command_upgrades_and_says_where_the_tables_are(
    bare_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("DEEPGUARD_DATABASE", url_of(bare_database))
    monkeypatch.setenv("DEEPGUARD_HOME", str(tmp_path_factory.mktemp("home")))

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["database", *words])
        return done.exit_code, done.output

    code, text_before = said("status")
    assert (code, "at nothing" in text_before, "deepguard database upgrade" in text_before) == (1, True, True)
    assert said("upgrade") == (0, f"the tables are at {schema.latest()}\n")
    code, text_after = said("status")
    assert (code, f"at {schema.latest()}; this version needs {schema.latest()}" in text_after) == (0, True)
