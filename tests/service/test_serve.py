"""`deepguard serve` as its users meet it: real processes, signals and ports."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy
from click.testing import CliRunner

from deepguard.cli.main import main
from deepguard.cli.serve import welcome
from deepguard.errors import DeepguardError
from deepguard.service.prepare import DatabaseDown, prepare
from deepguard.service.settings import ServiceSettings
from deepguard.service.supervise import Supervisor

SECONDS = 60
ADDRESS = re.compile(r"http://[\w.:\[\]]+/")


class Serving:
    """One `deepguard serve`, its lines and its address."""

    def __init__(self, home: Path, *words: str, **variables: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPGUARD_")}
        environment |= {"DEEPGUARD_HOME": str(home), "DEEPGUARD_LOG_FORMAT": "json", **variables}
        self.log = home.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deepguard", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=home.parent,
            )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()

    @property
    def address(self) -> str:
        match = ADDRESS.search(self.line)
        assert match, f"no address in {self.line!r}; {self.log.read_text()}"
        return match[0].rstrip("/")

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.address + path, timeout=SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def web(self) -> psutil.Process:
        (found,) = [child for child in self.children() if "deepguard.service.web" in child.cmdline()]
        return found

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


Serve = Callable[..., Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the service in a home of its own; whatever happens, nothing is left running."""
    home = tmp_path / "home"
    home.mkdir()
    running: list[Serving] = []

    def start(*words: str, **variables: str) -> Serving:
        running.append(Serving(home, *words, **variables))
        return running[-1]

    yield start
    for each in running:
        family = each.children() if each.process.poll() is None else []
        each.process.kill()
        each.process.communicate()
        for child in family:
            child.kill()


def gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=SECONDS)
    assert left == []


def test_one_line_says_where_the_service_is_and_it_is_there(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    assert re.fullmatch(
        r"Deepguard listens on 127\.0\.0\.1, port (\d+): open http://127\.0\.0\.1:\1/ in a browser; Ctrl-C stops it\n",
        served.line,
    )
    assert served.get("/healthz") == 200
    assert [child.cmdline()[2] for child in served.children()] == ["deepguard.service.web"]


def test_sigterm_ends_the_whole_tree_with_0(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    served.get("/healthz")
    family = served.children()
    assert served.end() == 0
    gone(family)


def test_ctrl_c_ends_it_with_130_and_one_sentence(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    served.get("/healthz")
    assert served.end(signal.SIGINT) == 130
    assert "Traceback" not in served.log.read_text()


def test_no_process_is_left_when_the_supervisor_is_killed(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    served.get("/healthz")
    family = served.children()
    assert family
    served.process.kill()
    gone(family)


def test_callers_wait_and_are_not_refused_while_a_killed_web_process_is_started_again(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    assert served.get("/healthz") == 200
    first = served.web()
    first.kill()
    assert served.get("/healthz") == 200
    assert served.web().pid != first.pid
    noted = [json.loads(line) for line in served.log.read_text().splitlines() if '"child"' in line]
    assert [(each["child"], each["code"]) for each in noted] == [("web", -signal.SIGKILL)]


def test_a_request_that_was_begun_is_answered_before_the_web_process_ends(serve: Serve) -> None:
    served = serve("serve", "--no-worker", "--port", "0")
    served.get("/healthz")
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as begun:
        begun.sendall(b"POST /api/v1/jobs HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.3)
        ending = threading.Thread(target=served.end)
        ending.start()
        time.sleep(0.3)
        begun.sendall(b"{}")
        assert begun.recv(100).startswith(b"HTTP/1.1 ")
        ending.join()


def test_host_and_port_come_from_the_environment_and_options_win(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = str(taken.getsockname()[1])
        served = serve("serve", "--no-worker", "--port", "0", HOST="0.0.0.0", PORT=busy)
    assert served.line.startswith("Deepguard listens on 0.0.0.0, port ")
    assert "http://127.0.0.1:" in served.line
    assert served.get("/healthz") == 200


def test_the_env_file_is_read(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HOST=127.0.0.2\nPORT=0\nDEEPGUARD_WORKERS=0\n")
    assert serve("serve").line.startswith("Deepguard listens on 127.0.0.2, port ")


def refused(monkeypatch: pytest.MonkeyPatch, home: Path, *words: str) -> tuple[int, str]:
    """Run the command here, where it must not start anything; return its exit code and its error."""
    monkeypatch.setenv("DEEPGUARD_HOME", str(home))
    # it would send this process's messages to the runner's stream, which ends with it
    monkeypatch.setattr("deepguard.service.logs.configure", lambda *_: None)
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("something was started"))
    result = CliRunner().invoke(main, list(words))
    return result.exit_code, result.stderr


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = refused(monkeypatch, tmp_path / "home", "serve", "--port", str(port))
    assert (code, error) == (1, f"deepguard: port {port} is in use already; choose another one with --port\n")
    assert not (tmp_path / "home").exists()


def test_an_address_of_another_machine_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, error = refused(monkeypatch, tmp_path, "serve", "--host", "192.0.2.1", "--port", "0")
    assert code == 1
    assert error.startswith("deepguard: 192.0.2.1 port 0 cannot be listened on (")
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("worker",)])
def test_a_home_that_cannot_be_written_is_one_sentence_and_nothing_is_started(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    code, error = refused(monkeypatch, tmp_path / "file" / "home", *words)
    assert code == 1
    assert re.fullmatch(r"deepguard: \S+ cannot be written \(.+\); set DEEPGUARD_HOME to a folder that can\n", error)


def test_a_wrong_setting_names_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPGUARD_KEEP_HOURS", "soon")
    code, error = refused(monkeypatch, tmp_path, "serve", "--port", "0")
    assert code == 2
    assert error.startswith("deepguard: the setting DEEPGUARD_KEEP_HOURS is wrong: ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEEPGUARD_BROKER", "nonsense"),
        ("DEEPGUARD_STORE", "nonsense"),
        ("DEEPGUARD_RATE", "often"),
        ("DEEPGUARD_DEVICE", "banana"),
    ],
)
@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("worker",)])
def test_a_setting_that_only_the_processes_use_is_refused_before_they_are_started(
    words: tuple[str, ...], variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Supervisor, started: object = None) -> int:
        raise AssertionError("nothing must be started")

    monkeypatch.setattr(Supervisor, "run", start)
    monkeypatch.setenv(variable, value)
    code, error = refused(monkeypatch, tmp_path, *words)
    assert code == 2
    assert error.startswith("deepguard: ")
    assert variable in error


def test_no_workers_at_all_is_said_by_the_command_that_starts_only_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_WORKERS", "0")
    code, error = refused(monkeypatch, tmp_path, "worker")
    assert (code, "use --workers 1" in error) == (2, True)


def test_a_database_that_never_answers_is_waited_for_and_then_one_sentence_without_the_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = ServiceSettings(
        _env_file=None, home=tmp_path, database=f"postgresql://someone:secret@127.0.0.1:{port}/name"
    )
    pauses: list[float] = []
    with pytest.raises(DatabaseDown) as caught:
        prepare(settings, wait=6, sleep=pauses.append)
    assert len(pauses) == 3
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, DeepguardError)


def test_the_database_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = ServiceSettings(_env_file=None, home=tmp_path / "home")
    prepare(settings)
    engine = sqlalchemy.create_engine(settings.database_url)
    with engine.begin() as connection:
        assert "jobs" in sqlalchemy.inspect(connection).get_table_names()
        connection.execute(sqlalchemy.text("CREATE TABLE mine (id INTEGER)"))
    prepare(settings)
    with engine.begin() as connection:
        assert "mine" in sqlalchemy.inspect(connection).get_table_names()
    engine.dispose()


def test_the_line_puts_an_address_of_the_sixth_version_in_brackets() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert "open http://[::1]:" in welcome(listener)


def test_neither_the_supervisor_nor_the_web_process_loads_torch(tmp_path: Path) -> None:
    for module in ("deepguard.cli.serve", "deepguard.service.web.__main__", "deepguard.service.prepare"):
        probe = f"import sys; import {module}; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", probe], timeout=SECONDS, check=False).returncode == 0, module
