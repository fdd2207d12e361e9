from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvicorn
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from deepguard.service import logs
from deepguard.service.database import Database
from deepguard.service.queue import make_celery
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Key

Configured = Callable[..., Callable[[], list[dict[str, Any]]]]


@pytest.fixture
def configured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Configured]:
    """Configure the log of a process; return a function that gives its lines. All is put back afterwards."""
    root = logging.getLogger()
    level = root.level
    touched = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", *logs.TALKATIVE, *logs.SILENT)]
    states = [(each, each.level, each.disabled, each.propagate) for each in touched]
    for each in touched[:2]:
        # another test's server may have been a quiet one
        each.setLevel(logging.NOTSET)
        each.disabled, each.propagate = False, True
    hooks = sys.excepthook, threading.excepthook
    written: list[str] = []

    def lines() -> list[dict[str, Any]]:
        written.extend(capsys.readouterr().err.splitlines())
        return [json.loads(line) for line in written]

    def start(**changes: Any) -> Callable[[], list[dict[str, Any]]]:
        settings = ServiceSettings(home=tmp_path, _env_file=None, **{"log_format": "json", **changes})
        logs.configure(settings, "test")
        return lines

    yield start
    root.handlers.clear()
    root.setLevel(level)
    for each, its_level, disabled, propagate in states:
        each.setLevel(its_level)
        each.disabled, each.propagate = disabled, propagate
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    logging.getLogger("uvicorn.error").filters.clear()
    structlog.reset_defaults()


def test_every_line_is_json_and_carries_both_ids_whoever_wrote_it(configured: Configured) -> None:
    lines = configured()
    with structlog.contextvars.bound_contextvars(request_id="r-1", job_id="j-1"):
        structlog.get_logger("deepguard.ours").info("ours", stage="protect")
        for name in ("uvicorn.error", "celery.worker", "alembic.runtime.migration", "obstore"):
            logging.getLogger(name).warning("theirs %s", name)
    written = lines()
    assert [line["event"] for line in written] == [
        "ours",
        "theirs uvicorn.error",
        "theirs celery.worker",
        "theirs alembic.runtime.migration",
        "theirs obstore",
    ]
    for line in written:
        assert (line["request_id"], line["job_id"], line["process"]) == ("r-1", "j-1", "test")
        assert line["timestamp"].endswith("Z")
        assert line["level"] in {"info", "warning"}
        assert line["logger"]
    assert written[0]["stage"] == "protect"


def test_a_name_over_several_lines_stays_one_line(configured: Configured) -> None:
    lines = configured()
    structlog.get_logger().info("first\nsecond", value="한국어\n")
    assert [line["event"] for line in lines()] == ["first\nsecond"]


def test_an_error_is_logged_with_its_trace_and_without_the_values_of_variables(configured: Configured) -> None:
    lines = configured()
    cookie = "value-of-a-" + "variable"

    def broken() -> None:
        assert cookie
        raise RuntimeError("the reason")

    try:
        broken()
    except RuntimeError as error:
        structlog.get_logger().exception("ours", exc_info=error)
        logging.getLogger("uvicorn.error").exception("theirs")
    written = lines()
    assert len(written) == 2
    for line in written:
        assert "RuntimeError: the reason" in line["exception"]
        assert "broken" in line["exception"]
        assert cookie not in json.dumps(line)


def test_text_is_for_people_and_holds_no_variables_either(
    configured: Configured, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(log_format="text")
    cookie = "value-of-a-" + "variable"
    try:
        raise RuntimeError("the reason")
    except RuntimeError:
        structlog.get_logger().exception("it broke", job_id="j-1")
    text = capsys.readouterr().err
    assert "it broke" in text
    assert "RuntimeError: the reason" in text
    assert cookie not in text


@pytest.mark.parametrize(
    "secret",
    [
        "dg_WtptTwOYDOxYi4YXfTfe4BtusRY7zcySc_o5hgylZNY",
        "GET /api/v1/jobs/1?share=hush-hush-hush HTTP/1.1",
        "cookie: deepguard_visit=hush-hush-hush; a=b",
        "postgresql://somebody:hush-hush-hush@host/name",
        "redis://:hush-hush-hush@host:6379/0",
        "https://bucket/key?X-Amz-Algorithm=A&X-Amz-Signature=hush-hush-hush",
        "Authorization: Bearer hush-hush-hush",
    ],
)
def test_what_looks_like_a_secret_is_blotted_out_wherever_it_stands(configured: Configured, secret: str) -> None:
    lines = configured(log_level="debug")
    structlog.get_logger().info(f"said {secret}", field=secret)
    logging.getLogger("some.library").debug("%r", {"nested": [secret]})
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("some.library").exception("broken")
    written = json.dumps(lines())
    assert len(lines()) == 3
    assert "hush" not in written
    assert "OYDOxYi4" not in written
    assert written.count(logs.BLOT) >= 4


def test_fields_that_name_a_secret_or_a_file_are_dropped(configured: Configured) -> None:
    lines = configured()
    private = dict.fromkeys(("token", "cookie", "filename", "share", "password"), "hush")
    structlog.get_logger().info("ours", size=3, **private)
    logging.getLogger("some.library").info("theirs", extra={"cookie": "hush", "token": "hush"})
    assert "hush" not in json.dumps(lines())
    assert lines()[0]["size"] == 3


def test_the_level_is_the_settings_and_talkative_libraries_stay_quiet(configured: Configured) -> None:
    lines = configured(log_level="debug")
    structlog.get_logger().debug("ours")
    logging.getLogger("python_multipart").debug("a name of a file")
    logging.getLogger("watchfiles.main").info("3 changes detected")
    assert [line["event"] for line in lines()] == ["ours"]
    lines = configured(log_level="error")
    structlog.get_logger("later").warning("not this")
    logging.getLogger("later").warning("nor this")
    structlog.get_logger("later").error("but this")
    assert [line["event"] for line in lines()] == ["ours", "but this"]


def test_uvicorns_messages_come_through_without_callers_addresses(configured: Configured, tmp_path: Path) -> None:
    lines = configured()
    uvicorn.Config("nothing:app", log_config=None)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1, extra={"color_message": "colours"})
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "203.0.113.7:5", "/x?share=hush")
    logging.getLogger("uvicorn.access").info('%s - "%s"', "203.0.113.7:5", "GET /x?share=hush")
    assert [line["event"] for line in lines()] == ["Started server process [1]"]
    assert "color_message" not in lines()[0]


def test_celery_leaves_the_log_as_it_is(configured: Configured, tmp_path: Path) -> None:
    lines = configured()
    app = make_celery(ServiceSettings(home=tmp_path, _env_file=None))
    before = logging.getLogger().handlers[:]
    app.log.setup(loglevel="DEBUG", redirect_stdouts=False)
    assert logging.getLogger().handlers == before
    assert logging.getLogger().level == logging.INFO
    logging.getLogger("celery.app.trace").info("a task")
    assert [line["event"] for line in lines()] == ["a task"]


def test_warnings_and_what_ends_a_process_or_thread_are_lines_too(configured: Configured) -> None:
    lines = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    error = RuntimeError("fatal")
    sys.excepthook(RuntimeError, error, None)
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    written = lines()
    assert "old" in written[0]["event"]
    assert (written[1]["level"], written[1]["event"]) == ("critical", "the process ends by an error")
    assert "ZeroDivisionError" in written[2]["exception"]


def test_a_database_error_tells_the_statement_and_not_its_values(configured: Configured, tmp_path: Path) -> None:
    lines = configured()
    database = Database(f"sqlite+pysqlite:///{tmp_path / 'empty.sqlite'}")
    private = "value-of-a-" + "name"
    try:
        with database.reading() as session:
            session.scalar(select(Key).where(Key.name == private))
    except OperationalError as error:
        structlog.get_logger().error("failed", error=str(error), exc_info=error)
    database.close()
    (line,) = lines()
    assert "no such table: api_keys" in line["error"]
    assert private not in json.dumps(line)
