"""The servers that `.ci/run` starts: they answer, they are private, and they leave nothing behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from deepguard.service.database import Database

SERVERS = Path(__file__).parents[2] / ".ci" / "servers"
PROGRAMS = {"POSTGRES": "pg_dump", "MARIADB": "mariadbd", "REDIS": "redis-server"}


def ask(action: str, notes: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SERVERS), action, str(notes)], capture_output=True, text=True, check=True, timeout=120)


def test_each_server_answers_and_all_of_them_are_gone_in_the_end(tmp_path: Path) -> None:
    for program in PROGRAMS.values():
        if shutil.which(program, path="/usr/bin:/usr/sbin:/usr/local/bin") is None:
            pytest.skip(f"{program} is not installed")
    ask("start", tmp_path)
    try:
        addresses = dict(line.split("=", 1) for line in (tmp_path / "addresses").read_text().splitlines())
        assert set(addresses) == {f"DEEPGUARD_TEST_{name}" for name in PROGRAMS}
        for name in ("POSTGRES", "MARIADB"):
            database = Database(addresses[f"DEEPGUARD_TEST_{name}"])
            assert database.url.host == "127.0.0.1"
            with database.writing() as session:
                session.execute(text("CREATE TABLE here (id INTEGER)"))
            database.close()
        with redis.from_url(addresses["DEEPGUARD_TEST_REDIS"]) as client:
            assert client.ping()
        base = Path((tmp_path / "base").read_text().strip())
        assert base.is_dir()
    finally:
        ask("stop", tmp_path)
    assert not base.exists()
    assert list(tmp_path.iterdir()) == []
    with redis.from_url(addresses["DEEPGUARD_TEST_REDIS"]) as client, pytest.raises(redis.exceptions.ConnectionError):
        client.ping()


def test_stopping_what_was_never_started_is_no_fault(tmp_path: Path) -> None:
    assert ask("stop", tmp_path / "nothing").stdout == ""
