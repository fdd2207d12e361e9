"""The supervisor over real, tiny processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deepguard.service.supervise import Child, Pauses, Supervisor

QUICK = Pauses(first=0.01, most=0.05)


def script(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", textwrap.dedent(text)]


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def supervised(supervisor: Supervisor, meanwhile: Callable[[], None]) -> int:
    """Run a supervisor here, and `meanwhile` beside it; then stop it, and raise what `meanwhile` raised."""
    wrong: list[BaseException] = []

    def beside() -> None:
        try:
            meanwhile()
        except BaseException as error:  # noqa: BLE001 - raised below
            wrong.append(error)
        finally:
            supervisor.stop()

    thread = threading.Thread(target=beside)
    told = supervisor.run(thread.start)
    thread.join()
    if wrong:
        raise wrong[0]
    return told


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    child = Child(
        "sleeper", script(f"import os, time; print(os.getpid(), file=open({str(file)!r}, 'a')); time.sleep(60)"), 5
    )

    def kill_twice() -> None:
        for count in (1, 2):
            until(lambda: len(lines(file)) == count)  # noqa: B023 - used up within the loop
            os.kill(int(lines(file)[-1]), signal.SIGKILL)
        until(lambda: len(lines(file)) == 3)

    supervised(Supervisor([child], pauses=QUICK), kill_twice)
    assert len(set(lines(file))) == 3
    assert not any(alive(int(pid)) for pid in lines(file))


def test_the_pause_grows_to_its_limit_and_begins_anew_after_a_settled_life() -> None:
    pauses, last, seen = Pauses(), 0.0, []
    for _ in range(8):
        last = pauses.after(last, lived=1.0)
        seen.append(last)
    assert seen == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert pauses.after(10.0, lived=60.0) == 0.2


def test_a_child_that_cannot_live_is_not_started_in_a_tight_loop(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    child = Child("broken", ["/bin/sh", "-c", f"echo start >> {file}; exit 3"])
    supervised(Supervisor([child], pauses=Pauses(first=0.3, most=10)), lambda: time.sleep(1.5))
    assert 2 <= len(lines(file)) <= 3  # at 0, 0.3 and 0.9 s


def test_other_children_live_on_when_one_dies(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    quiet = Child(
        "quiet", script(f"import os, time; print(os.getpid(), file=open({str(file)!r}, 'a')); time.sleep(60)")
    )
    broken = Child("broken", ["/bin/sh", "-c", "exit 1"])

    def watch() -> None:
        until(lambda: len(lines(file)) == 1)
        time.sleep(0.3)

    supervised(Supervisor([broken, quiet], pauses=QUICK), watch)
    assert len(lines(file)) == 1


def test_stopping_gives_each_child_its_time_and_then_ends_it(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    polite = f"""
        import signal, sys, time
        def end(number, frame):
            time.sleep(0.3)
            open({str(ended)!r}, "w").write("in order")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        open({str(tmp_path / "polite")!r}, "w")
        time.sleep(60)
    """
    deaf = f"""
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(tmp_path / "deaf.new")!r}, "w").write(str(os.getpid()))
        os.rename({str(tmp_path / "deaf.new")!r}, {str(tmp_path / "deaf")!r})
        time.sleep(60)
    """
    children = [Child("polite", script(polite), 10), Child("deaf", script(deaf), 1)]
    began: list[float] = []

    def both_ready() -> None:
        until(lambda: (tmp_path / "polite").exists() and (tmp_path / "deaf").exists())
        began.append(time.monotonic())

    told = supervised(Supervisor(children, pauses=QUICK), both_ready)
    assert told == signal.SIGTERM
    assert ended.read_text() == "in order"
    assert not alive(int((tmp_path / "deaf").read_text()))
    assert 1.0 <= time.monotonic() - began[0] < 6


def test_what_a_child_started_and_left_behind_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "grandchild"
    child = Child("parent", ["/bin/sh", "-c", f"sleep 60 & echo $! > {file}; wait"], 2)

    def grandchild_is_there() -> None:
        until(lambda: len(lines(file)) == 1)

    supervised(Supervisor([child], pauses=QUICK), grandchild_is_there)
    until(lambda: not alive(int(file.read_text())))


def test_a_command_that_does_not_exist_is_said_at_once_and_leaves_nothing_running(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    first = Child("first", ["/bin/sh", "-c", f"echo $$ > {file}; sleep 60"], 2)
    with pytest.raises(FileNotFoundError):
        Supervisor([first, Child("second", [str(tmp_path / "nothing")])]).run()
    assert not file.exists() or not alive(int(file.read_text() or "0"))


SUPERVISOR = """
    import signal, sys
    signal.signal(signal.SIGHUP, signal.{hangup})
    from deepguard.service.supervise import Child, Supervisor
    code = "import os, signal, time; {prepare}print(os.getpid(), file=open({file!r}, 'a'), flush=True); time.sleep(60)"
    sys.exit(Supervisor([Child("one", [sys.executable, "-c", code], {grace})]).run(lambda: print("up", flush=True)))
"""


def a_supervisor(file: Path, prepare: str = "", grace: float = 5, hangup: str = "SIG_DFL") -> subprocess.Popen[str]:
    text = textwrap.dedent(SUPERVISOR).format(prepare=prepare, file=str(file), grace=grace, hangup=hangup)
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    until(lambda: len(lines(file)) == 1)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    process = a_supervisor(tmp_path / "pid")
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == number
    assert not alive(int((tmp_path / "pid").read_text()))


def test_one_that_was_started_with_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    process = a_supervisor(tmp_path / "pid", hangup="SIG_IGN")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)


def test_a_second_signal_ends_the_waiting(tmp_path: Path) -> None:
    process = a_supervisor(tmp_path / "pid", "signal.signal(signal.SIGTERM, signal.SIG_IGN); ", grace=60)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child that does not look for its parent")
def test_a_killed_supervisor_leaves_no_orphan_even_of_a_child_that_does_not_look(tmp_path: Path) -> None:
    process = a_supervisor(tmp_path / "pid")
    process.kill()
    process.communicate(timeout=10)
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_process_that_follows_its_parent_ends_after_it(tmp_path: Path) -> None:
    follower = f"""
        import os, time
        from deepguard.service.supervise import follow_parent
        follow_parent()
        open({str(tmp_path / "new")!r}, "w").write(str(os.getpid()))
        os.rename({str(tmp_path / "new")!r}, {str(tmp_path / "pid")!r})
        time.sleep(60)
    """
    text = f"import subprocess; subprocess.Popen({[sys.executable, '-c', textwrap.dedent(follower)]!r}).wait()"
    parent = subprocess.Popen([sys.executable, "-c", text])
    until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    until(lambda: not alive(pid))


def test_the_supervisor_knows_neither_web_nor_torch() -> None:
    probe = "import sys; import deepguard.service.supervise; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert not {"torch", "fastapi", "uvicorn", "sqlalchemy", "celery"} & set(done.stdout.split())
