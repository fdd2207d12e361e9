"""`python -m deepguard.service.web`: the web process, until SIGTERM.

It listens where the settings say, or on a socket that `--fd` hands over: that one outlives this process, so that
whoever connects while it is started again waits instead of being refused.
"""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from deepguard.errors import DeepguardError
from deepguard.service import logs
from deepguard.service.parts import open_parts
from deepguard.service.settings import ServiceSettings, read_settings
from deepguard.service.supervise import follow_parent
from deepguard.service.web.app import make_app

KEEP_ALIVE_SECONDS = 75
"""Longer than nginx keeps an idle connection to us, so that it never sends on one that is just being closed."""
STOP_SECONDS = 8
CONNECTIONS = 1000
MESSAGE_BYTES = 4096
"""Longest message from a browser on a websocket; ours only ever listen."""
PING_SECONDS = 20


def main() -> None:
    """Serve until told to stop; one sentence and exit 1 where a setting is wrong."""
    words = argparse.ArgumentParser(prog="python -m deepguard.service.web", description="The web process alone.")
    words.add_argument("--follow", action="store_true", help="end when the process that started this one ends")
    words.add_argument("--fd", type=int, help="number of a socket that already listens")
    chosen = words.parse_args()
    if chosen.follow:
        follow_parent()
    try:
        settings = read_settings()
        logs.configure(settings, "web")
        server = uvicorn.Server(configured(settings, make_app(open_parts(settings))))
    except DeepguardError as error:
        sys.exit(f"deepguard: {error}")
    server.run(None if chosen.fd is None else [socket.socket(fileno=chosen.fd)])
    if not server.started:
        sys.exit(1)


def configured(settings: ServiceSettings, app: ASGIApp) -> uvicorn.Config:
    """Return how an application is served: limits, and which proxies are believed."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        root_path=settings.root_path.rstrip("/"),
        proxy_headers=True,
        forwarded_allow_ips=settings.proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws_max_size=MESSAGE_BYTES,
        ws_max_queue=4,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
    )


if __name__ == "__main__":
    main()
