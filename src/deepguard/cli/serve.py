"""`deepguard serve`: the whole service as one tree of processes."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

import click

from deepguard.cli.worker import keep, module, settled, worker_children
from deepguard.errors import DeepguardError
from deepguard.service.prepare import prepare
from deepguard.service.supervise import Child

GRACE = 10.0
"""Seconds for the web process to answer what it has begun to answer."""
BACKLOG = 2048


class CannotListen(DeepguardError):
    """The address or port cannot be had."""

    code = "listen"


@click.command()
@click.option("--host", help="Address to listen on; 127.0.0.1 where neither this nor HOST is given.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 5000 where neither this nor PORT is given; 0: any free one."
)
@click.option("--workers", type=click.IntRange(0, 64), help="Workers to start, 1 by default; each loads the models.")
@click.option("--no-worker", is_flag=True, help="Start the web process only; workers run elsewhere.")
def serve(host: str | None, port: int | None, workers: int | None, no_worker: bool) -> None:
    """Serve the API and the page, with workers, until Ctrl-C.

    Further settings are environment variables or lines of the file .env; see docs/reference/settings.md.
    """
    settings = settled(host=host, port=port, workers=0 if no_worker else workers)
    with listening(settings.host, settings.port) as listener:
        prepare(settings)
        number = listener.fileno()
        web = Child("web", module("web", "--fd", str(number)), GRACE, (number,))
        keep(settings, [web, *worker_children(settings)], welcome(listener))


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, or raise CannotListen.

    The supervisor holds it and the web process uses it: while that one is started again, callers wait.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"port {port} is in use already; choose another one with --port") from error
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise CannotListen(f"{host} port {port} cannot be listened on ({why}); see --host and --port") from error


def welcome(listener: socket.socket) -> str:
    """Return the line that says where the service is and what to do."""
    host, port = listener.getsockname()[:2]
    bound = ipaddress.ip_address(host)
    near = {4: "127.0.0.1", 6: "::1"}[bound.version] if bound.is_unspecified else host
    name = f"[{near}]" if bound.version == 6 else near
    return f"Deepguard listens on {host}, port {port}: open http://{name}:{port}/ in a browser; Ctrl-C stops it"
