"""The queue without a server: whole messages, each taken once, in their order, by many processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from tests.service import servers

from deepguard.errors import OptionError
from deepguard.service import folder
from deepguard.service.queue import QUEUE, QueueDown, Sender, make_celery
from deepguard.service.settings import ServiceSettings

WRITERS, READERS, EACH = 2, 3, 250
ROOT = Path(__file__).parents[2]


def settings_for(home: Path, broker: str = "") -> ServiceSettings:
    return ServiceSettings(home=home, broker=broker, _env_file=None)


def body(message: Any) -> list[Any]:
    """The arguments of a task's message."""
    found: list[Any] = json.loads(message.body)[0]
    return found


def send(home: Path, begin: int) -> None:
    sender = Sender(make_celery(settings_for(home)))
    for number in range(begin, begin + EACH):
        sender.send(f"{number}:" + "x" * 5000)


def receive(home: Path, taken: Any, done: Any) -> None:
    with make_celery(settings_for(home)).connection_for_read() as connection:
        queue = connection.SimpleQueue(QUEUE, no_ack=True)
        while True:
            over = done.is_set()
            try:
                taken.put(body(queue.get_nowait())[0])
            except Empty:
                if over:
                    break
                time.sleep(0.002)
        queue.close()


def test_five_hundred_messages_of_many_writers_reach_many_readers_whole_and_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    taken, done = context.Queue(), context.Event()
    readers = [context.Process(target=receive, args=(tmp_path, taken, done)) for _ in range(READERS)]
    writers = [context.Process(target=send, args=(tmp_path, EACH * number)) for number in range(WRITERS)]
    for process in [*readers, *writers]:
        process.start()
    for process in writers:
        process.join()
    done.set()
    found = [taken.get(timeout=60) for _ in range(WRITERS * EACH)]
    for process in readers:
        process.join()
    assert Counter(found) == Counter(f"{number}:" + "x" * 5000 for number in range(WRITERS * EACH))
    assert taken.empty()
    assert Sender(make_celery(settings_for(tmp_path))).check() == 0


def test_messages_are_taken_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    app = make_celery(settings_for(tmp_path))
    for number in range(30):
        Sender(app).send(str(number))
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(QUEUE, no_ack=True)
        assert [body(queue.get_nowait())[0] for _ in range(30)] == [str(number) for number in range(30)]
        queue.close()


def test_half_a_message_is_never_seen(tmp_path: Path) -> None:
    app = make_celery(settings_for(tmp_path))
    Sender(app).send("whole")
    (settings_for(tmp_path).queue_folder / QUEUE / ".00000000000000000001-half").write_text('{"bo')
    assert Sender(app).check() == 1


def test_what_killed_processes_left_of_messages_goes_after_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = settings_for(tmp_path)
    Sender(make_celery(made)).send("whole")
    queue = made.queue_folder / QUEUE
    for name in (".00000000000000000001-half", ".00000000000000000002-read.taken"):
        (queue / name).write_text('{"bo')
        # a message may have waited long before it was taken
        os.utime(queue / name, (0, 0))
    folder.sweep(made.queue_folder)
    young = len(list(queue.glob(".*")))
    later = time.time() + 3700
    monkeypatch.setattr("deepguard.service.folder.time.time", lambda: later)
    folder.sweep(made.queue_folder)
    assert (young, list(queue.glob(".*")), Sender(make_celery(made)).check()) == (2, [], 1)


@pytest.fixture(params=["folder", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceSettings]:
    """Each kind of queue, empty."""
    url = "" if request.param == "folder" else request.getfixturevalue("redis_url")
    made = settings_for(tmp_path, url)
    yield made
    with make_celery(made).connection_for_write() as connection:
        connection.default_channel.queue_purge(QUEUE)


def test_what_was_sent_is_counted(settings: ServiceSettings) -> None:
    sender = Sender(make_celery(settings))
    before = sender.check()
    for number in range(3):
        sender.send(str(number))
    assert sender.check() - before == 3


WORKER = """
import sys, time
from pathlib import Path
from deepguard.service.queue import TASK, make_celery
from deepguard.service.settings import ServiceSettings
app = make_celery(ServiceSettings(home=Path(sys.argv[1]), broker=sys.argv[2], _env_file=None))
out = open(sys.argv[3], "a", buffering=1)

@app.task(name=TASK)
def work(job_id):
    out.write(f"{job_id} {time.monotonic()}\\n")

app.worker_main(["worker", "--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"])
"""


def test_a_worker_starts_soon_after_a_message_was_sent(settings: ServiceSettings, tmp_path: Path) -> None:
    log = tmp_path / "seen"
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(settings.home), settings.broker, str(log)]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        sender = Sender(make_celery(settings))
        sender.send("first")
        _lines(log, 1)
        delays = []
        for number in range(20):
            sent = time.monotonic()
            sender.send(str(number))
            delays.append(float(_lines(log, number + 2)[-1].split()[1]) - sent)
    finally:
        worker.kill()
        worker.wait()
    # generous: what was measured stands in docs/decisions/0010-the-queue-without-a-server.md
    assert sorted(delays)[10] < 0.5


def _lines(file: Path, count: int) -> list[str]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count and all(len(line.split()) == 2 for line in lines):
            return lines
        time.sleep(0.002)
    raise AssertionError(f"{file} has fewer than {count} lines")


def test_a_broker_that_is_down_is_told_and_works_again_when_it_is_back(tmp_path: Path) -> None:
    with servers.redis_server() as server:
        sender = Sender(make_celery(settings_for(tmp_path, server.url)))
        sender.send("a")
        server.kill()
        begun = time.monotonic()
        with pytest.raises(QueueDown, match="the job waits and begins when it does"):
            sender.send("b")
        with pytest.raises(QueueDown):
            sender.check()
        took = time.monotonic() - begun
        server.start()
        sender.send("c")
        assert sender.check() == 1
    assert took < 15


def test_a_folder_that_cannot_be_written_is_a_queue_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "queue").write_text("a file where the folder should be")
    sender = Sender(make_celery(settings_for(tmp_path)))
    with pytest.raises(QueueDown):
        sender.send("a")
    with pytest.raises(QueueDown):
        sender.check()


def test_a_broker_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="DEEPGUARD_BROKER is no address such as redis://"):
        make_celery(settings_for(tmp_path, "amqp://host"))
