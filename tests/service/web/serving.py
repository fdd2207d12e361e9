"""A real server for what cannot be seen through a client that lives in the same process, and what it is sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

BOUNDARY = "----boundary"


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Serve an application on a free port of this machine, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def part(name: str, data: bytes, filename: str | None = None) -> bytes:
    """One part of a form, without the boundary behind it."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def whole(*parts: bytes) -> bytes:
    """A form of parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def head(path: str, length: int) -> bytes:
    """The head of a request that sends a form."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {length}",
    )
    return "\r\n".join((*lines, "", "")).encode()


def answer(sender: socket.socket) -> bytes:
    """All that the server says until it closes the connection."""
    said = b""
    while piece := sender.recv(1 << 16):
        said += piece
    return said
