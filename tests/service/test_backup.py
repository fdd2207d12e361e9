"""The operating guide's own commands: back-up and restore, for real, while the service writes."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service import servers

from deepguard.service import schema
from deepguard.service.database import Database
from deepguard.service.jobs import new_job
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Job, Upload, identifier, now

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "operate.md"
BLOCKS = dict(re.findall(r"^<!-- run: ([\w ]+) -->\n```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL))


def run(block: str, variables: dict[str, str], between: Callable[[], object] = lambda: None) -> None:
    """Run a block of the guide line by line, as an operator would, and do something between two lines."""
    for line in BLOCKS[block].splitlines():
        subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", line], env={**os.environ, **variables}, check=True)
        between()


def bring(parts: Parts) -> str:
    """Bring a file and a job for it, in the order in which the service writes them; return the upload's id."""
    name = identifier()
    expires = now() + datetime.timedelta(hours=24)
    parts.store.put(f"uploads/{name}", name.encode())
    with parts.database.writing() as session:
        session.add(
            Upload(id=name, owner="visit:1", name="사진.jpg", container="jpeg", size=36, sha256="", expires=expires)
        )
        session.add(
            new_job(kind="protect", owner="visit:1", name="사진.jpg", upload_id=name, options={}, expires=expires)
        )
    return name


def uploads_of(parts: Parts) -> set[str]:
    with parts.database.reading() as session:
        assert set(session.scalars(select(Job.upload_id))) == set(session.scalars(select(Upload.id)))
        return set(session.scalars(select(Upload.id)))


def opened(home: Path, database: str = "") -> Parts:
    parts = open_parts(ServiceSettings(_env_file=None, home=home, database=database))
    schema.upgrade(parts.database)
    return parts


def test_every_kind_of_database_has_both_ways() -> None:
    assert set(BLOCKS) == {f"{way}{kind}" for way in ("back up", "restore") for kind in ("", " postgresql", " mariadb")}


def test_a_back_up_made_while_the_service_writes_has_the_object_of_every_row(tmp_path: Path) -> None:
    variables = {"DEEPGUARD_HOME": str(tmp_path / "my home"), "BACKUP": str(tmp_path / "back up" / "monday")}
    parts = opened(tmp_path / "my home")
    before = bring(parts)
    run("back up", variables, between=lambda: bring(parts))
    lost = bring(parts)
    parts.database.close()
    run("restore", variables)
    restored = opened(tmp_path / "my home")
    rows = uploads_of(restored)
    assert before in rows
    assert lost not in rows
    assert [row for row in rows if restored.store.get(f"uploads/{row}") != row.encode()] == []
    assert not restored.store.holds(f"uploads/{lost}")
    assert bring(restored) in uploads_of(restored)
    restored.database.close()


def test_what_is_not_yet_in_the_file_itself_is_in_the_back_up(tmp_path: Path) -> None:
    parts = opened(tmp_path / "home")
    kept = bring(parts)
    assert (tmp_path / "home/service/deepguard.sqlite-wal").stat().st_size > 0
    run("back up", {"DEEPGUARD_HOME": str(tmp_path / "home"), "BACKUP": str(tmp_path / "copy")})
    copy = Database(f"sqlite+pysqlite:///{tmp_path}/copy/deepguard.sqlite")
    with copy.reading() as session:
        assert session.get(Upload, kept) is not None
    copy.close()
    parts.database.close()


def round_trip(url: str, variables: dict[str, str], kind: str, tmp_path: Path) -> None:
    variables = variables | {"BACKUP": str(tmp_path)}
    parts = opened(tmp_path / "home", url)
    kept = bring(parts)
    run(f"back up {kind}", variables, between=lambda: bring(parts))
    parts.database.close()
    run(f"restore {kind}", variables)
    restored = opened(tmp_path / "home", url)
    assert uploads_of(restored) == {kept}
    with restored.database.reading() as session:
        assert session.scalars(select(Upload.name)).all() == ["사진.jpg"]
    restored.database.close()


def needed(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_postgresql_comes_back_as_it_was(postgres_url: str, tmp_path: Path) -> None:
    needed("pg_dump")
    with servers.bare_database(postgres_url) as database:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        round_trip(url, {"DEEPGUARD_DATABASE": url}, "postgresql", tmp_path)


def test_mariadb_comes_back_as_it_was(mariadb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("mariadb-dump")
    with servers.bare_database(mariadb_url) as database:
        url = database.url
        login = tmp_path / "login"
        login.write_text(
            f"[client]\nhost={url.host}\nport={url.port}\nuser={url.username}\npassword={url.password or ''}\n"
        )
        name = str(url.database)
        for block in ("back up mariadb", "restore mariadb"):
            assert "deepguard" in shlex.split(BLOCKS[block])
            text = re.sub(r" deepguard( |$)", rf" {name}\1", BLOCKS[block], flags=re.MULTILINE)
            monkeypatch.setitem(BLOCKS, block, text)
        round_trip(url.render_as_string(hide_password=False), {"LOGIN": str(login)}, "mariadb", tmp_path)


def test_every_file_that_the_guide_names_exists() -> None:
    named = set(re.findall(r"\b(deploy/[\w./-]*\w|constraints\.txt|compose\.yaml)", GUIDE.read_text()))
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).exists()] == []
