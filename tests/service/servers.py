"""Real servers for tests: PostgreSQL, MariaDB and Redis of this machine's packages, OpenStack Swift and moto of PyPI.

Each is private, in a folder of its own and on free ports of the loopback.

Where an environment variable names a server that runs already, that one is used, and cannot be stopped by a test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import redis
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import URL

from deepguard.service import schema
from deepguard.service.database import Database

START_SECONDS = 60.0
POSTGRES, MARIADB, REDIS = "DEEPGUARD_TEST_POSTGRES", "DEEPGUARD_TEST_MARIADB", "DEEPGUARD_TEST_REDIS"
BUCKET = "photos"
# a server ends with the tests, however these end
TIED = ("setpriv", "--pdeathsig=TERM") if shutil.which("setpriv") else ()
# of the Python that runs the tests
PROGRAMS = str(Path(sys.executable).parent)
SWIFT_HASH = "[swift-hash]\nswift_hash_path_suffix = deepguard\n"
# a server of its own writes to the system's log and becomes the user `swift` where nothing is said
SWIFT_SERVER = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}
mount_check = false
fallocate_reserve = 0
log_level = CRITICAL
"""
# what a busy machine does late is still done at once: nothing repairs it afterwards
SWIFT_STORE = """[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
container_update_timeout = 30
"""
SWIFT_PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_guard_web = {secret} .admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_limit = 100000
"""
# how a client hears that a server is not there yet
STARTING = (sqlalchemy.exc.OperationalError, redis.exceptions.RedisError, OSError)


@dataclass(frozen=True, slots=True)
class Storage:
    """An S3-compatible server with an empty bucket `photos`: its address, and the keys that it was given."""

    url: str
    key: str
    secret: str


class Server:
    """One server process on a free loopback port; it can be stopped, killed and started again with its data."""

    def __init__(
        self, url: str, port: int, command: Sequence[str], answers: Callable[[str], None], user: str | None = None
    ) -> None:
        self.url = url
        self.port = port
        self._command = command
        self._answers = answers
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            _as(self._user, *self._command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._answers(self.url)
            except STARTING as error:
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
        with _running(Server(url, port, command, _answers_sql, user)) as server:
            yield server


@contextmanager
def mariadb() -> Iterator[Server]:
    """Run a MariaDB server whose own default is Latin 1, which the service must not rely on."""
    install, binary = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
    if install is None or binary is None:
        pytest.skip("MariaDB is not installed here")
    with _folder("mysql") as (folder, user):
        data = folder / "data"
        how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        _run(
            [install, "--no-defaults", f"--datadir={data}", f"--user={user or pwd.getpwuid(os.getuid()).pw_name}", *how]
        )
        port = free_port()
        small = ["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--skip-name-resolve"]
        place = [f"--datadir={data}", f"--port={port}", f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1"]
        rest = [f"--pid-file={folder / 'pid'}", "--character-set-server=latin1", "--max-connections=200"]
        url = f"mysql://root@127.0.0.1:{port}/mysql"
        with _running(
            Server(url, port, [binary, "--no-defaults", *place, *rest, *small], _answers_sql, user)
        ) as server:
            yield server


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
        with _running(Server(f"redis://127.0.0.1:{port}/0", port, command, _answers_redis)) as server:
            yield server


@contextmanager
def swift() -> Iterator[Storage]:
    """Run OpenStack Swift with its S3 interface: a proxy, and one server each for accounts, containers and objects.

    Objects lie on one disk, once. Linux only: it keeps what it knows of an object in extended attributes.
    """
    if shutil.which("swift-proxy-server", path=PROGRAMS) is None:
        pytest.skip("OpenStack Swift is not installed here")
    with _folder(None) as (folder, _), ExitStack() as running:
        (folder / "disk").mkdir()
        try:
            os.setxattr(folder / "disk", "user.deepguard", b"kept")
        except OSError:
            pytest.skip("OpenStack Swift needs a temporary folder with extended attributes")
        (folder / "swift.conf").write_text(SWIFT_HASH)
        for kind in ("account", "container", "object"):
            server = running.enter_context(_swift_server(folder, kind, SWIFT_STORE.format(kind=kind)))
            _ring(folder / f"{kind}.builder", server.port)
        secret = uuid.uuid4().hex
        proxy = running.enter_context(_swift_server(folder, "proxy", SWIFT_PROXY.format(secret=secret)))
        storage = Storage(proxy.url, "guard:web", secret)
        _make_bucket(storage)
        yield storage


@contextmanager
def moto() -> Iterator[Storage]:
    """Run moto, which imitates Amazon's S3 in memory and believes every signature, however old."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(Server(f"http://127.0.0.1:{port}", port, command, _listens)) as server:
        storage = Storage(server.url, "key", "secret")
        _make_bucket(storage)
        yield storage


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
    if user is None:
        return [*TIED, *command]
    # in one call: whoever becomes another user is untied
    return [*TIED, f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        pytest.fail(f"{command[0]} failed: {done.stdout[-500:]} {done.stderr[-500:]}")


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def _swift_server(folder: Path, kind: str, pipeline: str) -> Iterator[Server]:
    port = free_port()
    settings = folder / f"{kind}.conf"
    user = pwd.getpwuid(os.geteuid()).pw_name
    settings.write_text(SWIFT_SERVER.format(port=port, user=user, folder=folder) + pipeline)
    command = [f"{PROGRAMS}/swift-{kind}-server", str(settings)]
    with _running(Server(f"http://127.0.0.1:{port}", port, command, _listens)) as server:
        yield server


def _ring(builder: Path, port: int) -> None:
    """Say which server keeps which objects: the one on `port` keeps all of them, once."""
    for arguments in (["create", "1", "1", "0"], ["add", f"r1z1-127.0.0.1:{port}/disk", "1"], ["rebalance"]):
        _run([f"{PROGRAMS}/swift-ring-builder", str(builder), *arguments])


def _make_bucket(storage: Storage) -> None:
    keys = {"aws_access_key_id": storage.key, "aws_secret_access_key": storage.secret}
    client = boto3.client("s3", endpoint_url=storage.url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=BUCKET)
    client.close()


def _listens(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), timeout=1).close()


def _command(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(Database(url).url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


def _answers_sql(url: str) -> None:
    _command(url, "SELECT 1")


def _answers_redis(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.ping()
