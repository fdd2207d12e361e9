"""Real servers for tests: PostgreSQL, MariaDB and Redis of this machine's packages, private and in own folders.

Where an environment variable names a server that runs already, that one is used, and cannot be stopped by a test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import URL

from deepguard.service import schema
from deepguard.service.database import Database

START_SECONDS = 60.0
POSTGRES, MARIADB, REDIS = "DEEPGUARD_TEST_POSTGRES", "DEEPGUARD_TEST_MARIADB", "DEEPGUARD_TEST_REDIS"


class Server:
    """One server process on a free loopback port; it can be stopped, killed and started again with its data."""

    def __init__(self, url: str, port: int, command: Sequence[str], answers: Callable[[str], None]) -> None:
        self.url = url
        self.port = port
        self._command = command
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._answers(self.url)
            except (sqlalchemy.exc.OperationalError, redis.exceptions.RedisError) as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    pytest.fail(f"{self._command[-1]} does not start: {error}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in good order; clients that are still there are cut off."""
        if self._process is not None:
            # PostgreSQL would wait for its clients at SIGTERM
            self._process.send_signal(signal.SIGINT if "postgres" in self.url else signal.SIGTERM)
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it without a chance to write anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_SECONDS)
            self._process = None


@contextmanager
def postgres() -> Iterator[Server]:
    """Run a PostgreSQL server."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (binaries[-1] if binaries else None)
    if found is None:
        pytest.skip("PostgreSQL is not installed here")
    binary = Path(found).parent
    with _folder("postgres") as (folder, user):
        data = folder / "data"
        init = [binary / "initdb", "-D", data, "-U", "deepguard", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        _run(_as(user, *map(str, init)))
        port = free_port()
        # what was committed outlives the process, not the machine
        options = ("fsync=off", "max_connections=200", "shared_buffers=32MB")
        command = [str(binary / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        command += [part for option in options for part in ("-c", option)]
        url = f"postgresql://deepguard@127.0.0.1:{port}/postgres"
        yield from _running(Server(url, port, _as(user, *command), _answers_sql))


@contextmanager
def mariadb() -> Iterator[Server]:
    """Run a MariaDB server whose own default is Latin 1, which the service must not rely on."""
    install, binary = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
    if install is None or binary is None:
        pytest.skip("MariaDB is not installed here")
    with _folder("mysql") as (folder, user):
        data = folder / "data"
        user_option = f"--user={user or pwd.getpwuid(os.getuid()).pw_name}"
        how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        _run([install, "--no-defaults", f"--datadir={data}", user_option, *how])
        port = free_port()
        small = ["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--skip-name-resolve"]
        place = [f"--datadir={data}", f"--port={port}", f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1"]
        rest = [f"--pid-file={folder / 'pid'}", "--character-set-server=latin1", user_option, "--max-connections=200"]
        url = f"mysql://root@127.0.0.1:{port}/mysql"
        yield from _running(Server(url, port, [binary, "--no-defaults", *place, *rest, *small], _answers_sql))


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """Run a Redis server that keeps nothing on disk unless `options` say so."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("Redis is not installed here")
    with _folder(None) as (folder, _):
        port = free_port()
        kept = options or ("--save", "", "--appendonly", "no")
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *kept]
        yield from _running(Server(f"redis://127.0.0.1:{port}/0", port, command, _answers_redis))


@contextmanager
def fresh_database(url: str) -> Iterator[Database]:
    """Make an empty database on the server that `url` names, with the service's tables; drop it in the end."""
    with bare_database(url) as database:
        schema.upgrade(database)
        yield database


@contextmanager
def bare_database(url: str) -> Iterator[Database]:
    """Make a database without any table on the server that `url` names; drop it in the end."""
    name = f"deepguard_{uuid.uuid4().hex}"
    _command(url, f"CREATE DATABASE {name}")
    database = Database(Database(url).url.set(database=name).render_as_string(hide_password=False))
    try:
        yield database
    finally:
        database.close()
        force = " WITH (FORCE)" if "postgres" in url else ""
        _command(url, f"DROP DATABASE {name}{force}")


def url_of(database: Database) -> str:
    """Return a database's whole address, with its password."""
    url: URL = database.url
    return url.render_as_string(hide_password=False)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _folder(owner: str | None) -> Iterator[tuple[Path, str | None]]:
    """Lend a folder, and the user that a server runs as in it; servers refuse to run as root."""
    if os.geteuid() != 0:
        owner = None
    # not below pytest's own folder, which only its own user may enter
    with tempfile.TemporaryDirectory(prefix="deepguard-") as name:
        if owner is not None:
            try:
                entry = pwd.getpwnam(owner)
            except KeyError:
                pytest.skip(f"there is no user {owner} to run a server as")
            os.chown(name, entry.pw_uid, entry.pw_gid)
        yield Path(name), owner


def _as(user: str | None, *command: str) -> list[str]:
    return [*command] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        pytest.fail(f"{command[0]} failed: {done.stdout[-500:]} {done.stderr[-500:]}")


def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _command(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(Database(url).url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _answers_sql(url: str) -> None:
    _command(url, "SELECT 1")


def _answers_redis(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.ping()
