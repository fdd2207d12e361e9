"""`deepguard worker`: workers alone, for a machine that serves no pages."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence

import click

from deepguard.errors import OptionError
from deepguard.service import logs
from deepguard.service.prepare import prepare
from deepguard.service.settings import ServiceSettings, read_settings
from deepguard.service.supervise import Child, Supervisor
from deepguard.settings import environment_with

GRACE = 20.0
"""Seconds for a worker to hand its job back."""
VARIABLES: Mapping[str, str] = {"host": "HOST", "port": "PORT", "workers": "DEEPGUARD_WORKERS"}
"""Settings that are options of a command too."""


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), help="Workers to start; each loads the models.")
def worker(workers: int | None) -> None:
    """Start workers only, until Ctrl-C; the web process runs elsewhere.

    Database, queue and storage must be those of the web process: set them by environment or .env.
    """
    settings = settled(workers=workers)
    if not settings.workers:
        raise OptionError("DEEPGUARD_WORKERS is 0, so that there is nothing to start; use --workers 1")
    prepare(settings)
    keep(settings, worker_children(settings), f"{settings.workers} at work; Ctrl-C stops")


def settled(**options: str | int | None) -> ServiceSettings:
    """Return the settings of the environment and `.env`, where options that were given win, and log as they say."""
    given = {name: value for name, value in options.items() if value is not None}
    settings = read_settings().model_copy(update=given)
    logs.configure(settings, "supervisor")
    return settings


def worker_children(settings: ServiceSettings) -> list[Child]:
    """Return the workers to start, each with a name of its own among all machines."""
    place = f"{socket.gethostname()}-{os.getpid()}"
    return [
        Child(name, module("worker", "--name", name), GRACE)
        for name in (f"{place}-{slot}" for slot in range(1, settings.workers + 1))
    ]


def module(name: str, *words: str) -> Sequence[str]:
    """Return the words that start a module of the service, tied to this process."""
    return [sys.executable, "-m", f"deepguard.service.{name}", "--follow", *words]


def keep(settings: ServiceSettings, children: Sequence[Child], line: str) -> None:
    """Keep the children running until a signal; print the line once they are started."""
    changes = {variable: str(getattr(settings, name)) for name, variable in VARIABLES.items()}
    supervisor = Supervisor(children, environment_with(changes))
    if supervisor.run(lambda: click.echo(line)) == signal.SIGINT:
        raise KeyboardInterrupt
