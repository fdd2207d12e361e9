"""One log for everything: our own messages and those of uvicorn, Celery, Alembic and every other library.

Each message is one line on the error stream. What is logged: the time in UTC, the level, the process, the logger, the
message, `request_id` and `job_id` where there is one; of a request its method, the pattern of its address, the ids in
it, status, milliseconds and bytes. What is never logged: keys, cookies, passwords, tokens of links, addresses of
callers, names of files and what is in them. Fields with such names are dropped, and whatever looks like a secret is
blotted out of the finished line, so that a library's message cannot tell it either.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog
from celery.signals import setup_logging
from structlog.typing import EventDict, Processor, WrappedLogger

from deepguard.service.settings import ServiceSettings

DROPPED = frozenset(
    {
        *("authorization", "client", "cookie", "cookies", "headers", "password", "secret", "share", "token"),
        *("file_name", "filename"),
        # uvicorn's second copy of a message
        "color_message",
    }
)
SECRETS = re.compile(
    r"(dg_)[\w-]{8,}"
    r"|(deepguard_visit=)[^\s;,'\"\\]+"
    r"|([?&](?:share|token|X-Amz-\w+)=)[^\s&'\"\\]+"
    r"|(://[^\s:/@'\"\\]*:)[^\s@/'\"\\]+(?=@)"
    r"|((?:bearer|basic) )[\w.~+/=-]{8,}",
    re.IGNORECASE,
)
BLOT = "***"
TALKATIVE = (
    *("PIL", "asyncio", "httpcore", "httpx", "kombu", "multipart", "python_multipart", "urllib3", "websockets"),
    "watchfiles",
)
"""Libraries whose lesser messages hold what they were given, or tell of nothing but themselves."""
SILENT = ("uvicorn.access",)
"""Loggers whose messages we write ourselves, without what they tell of callers."""
OF_CALLERS = ('%s - "WebSocket', "connection open", "connection closed")
"""Beginnings of uvicorn's messages about websockets: they tell callers' addresses, and the door logs each anyway."""


def configure(settings: ServiceSettings, process: str) -> None:
    """Send all messages of this process to the error stream, as the settings say; once for each process."""
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _of_process(process),
        structlog.stdlib.ExtraAdder(),
        _without_secrets,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared], processors=[*_rendering(as_text=as_text), _blotted]
        )
    )
    _take_over(handler, settings.log_level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    setup_logging.connect(_already, weak=False)
    sys.excepthook = _fatal
    threading.excepthook = _fatal_in_thread


def _of_process(process: str) -> Processor:
    def added(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return added


def _without_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for name in DROPPED & event.keys():
        del event[name]
    return event


def _rendering(*, as_text: bool) -> list[Processor]:
    # never with the values of local variables: there are cookies and names among them
    plain = structlog.processors.ExceptionRenderer()
    clean: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_text:
        look = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        return [*clean, look]
    return [*clean, plain, structlog.processors.JSONRenderer(ensure_ascii=False)]


def _blotted(logger: WrappedLogger, method: str, line: Any) -> str:
    return SECRETS.sub(lambda found: next(filter(None, found.groups())) + BLOT, line)


def _take_over(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "celery", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    for name in SILENT:
        logging.getLogger(name).disabled = True
    logging.getLogger("uvicorn.error").addFilter(_not_of_callers)
    logging.captureWarnings(True)


def _not_of_callers(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(OF_CALLERS)


def _already(**given: Any) -> None:
    """Keep Celery from setting up a log of its own: it does not where this signal is heard."""


def _fatal(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("the process ends by an error", exc_info=(kind, error, trace))


def _fatal_in_thread(given: threading.ExceptHookArgs) -> None:
    log: Callable[..., None] = structlog.get_logger(__name__).error
    log("a thread ended by an error", exc_info=(given.exc_type, given.exc_value, given.exc_traceback))
