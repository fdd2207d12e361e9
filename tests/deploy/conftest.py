"""A real nginx with the configuration of `deploy/`, in front of an application served as ours is."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp

from deepguard.service.settings import ServiceSettings
from deepguard.service.web.__main__ import configured

NGINX = Path(__file__).parents[2] / "deploy" / "nginx"
SECONDS = 20.0


@dataclass(frozen=True)
class Front:
    """nginx's two ports, and its folder."""

    plain: int
    secure: int
    folder: Path


Put = Callable[..., Front]


@pytest.fixture(scope="session")
def nginx_program() -> str:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    return program


@pytest.fixture
def put(nginx_program: str, tmp_path: Path) -> Iterator[Put]:
    """Return a function that serves an application, puts nginx with one of our sites in front, and waits for both."""
    with contextlib.ExitStack() as stack:

        def start(site: str, app: ASGIApp, settings: ServiceSettings, **changes: str) -> Front:
            back = stack.enter_context(serving(app, settings))
            front = Front(free_port(), free_port(), tmp_path)
            configuration = lay_out(site, front, back, changes)
            stack.enter_context(running(nginx_program, configuration, front))
            return front

        yield start


@contextlib.contextmanager
def serving(app: ASGIApp, settings: ServiceSettings) -> Iterator[int]:
    """Serve an application as our web process does; the port is lent."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configured(settings, app))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        until(lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(SECONDS)


@contextlib.contextmanager
def running(program: str, configuration: Path, front: Front) -> Iterator[None]:
    with (front.folder / "error.log").open("w") as errors:
        process = subprocess.Popen(
            [program, "-p", str(front.folder), "-c", str(configuration), "-e", "stderr"], stderr=errors
        )
        try:
            until(lambda: answers(front.plain) or process.poll() is not None)
            assert process.poll() is None, (front.folder / "error.log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(SECONDS)


def lay_out(site: str, front: Front, back: int, changes: dict[str, str]) -> Path:
    """Write our files where a test may read and write them; only ports, paths and `changes` differ."""
    folder = front.folder
    certificate(folder)
    swaps = {
        "server 127.0.0.1:5000;": f"server 127.0.0.1:{back};",
        "listen 80;": f"listen 127.0.0.1:{front.plain};",
        "listen [::]:80;": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{front.secure} ssl http2;",
        "listen [::]:443 ssl http2;": "",
        "/etc/nginx/deepguard/": f"{folder}/",
        "/etc/nginx/certificates/": f"{folder}/",
        "/var/log/nginx/": f"{folder}/",
        **changes,
    }
    used = set()
    for name in ("upstream", "http", "common", site):
        text = (NGINX / f"{name}.conf").read_text(encoding="utf-8")
        used |= {old for old in swaps if old in text}
        for old, new in swaps.items():
            text = text.replace(old, new)
        assert "/etc/nginx" not in re.sub("#.*", "", text), "a path that the test does not know"
        (folder / f"{name}.conf").write_text(text, encoding="utf-8")
    assert set(changes) <= used
    main = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    places = "".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    includes = "".join(f"include {folder}/{name}.conf; " for name in ("upstream", "http", site))
    main.write_text(
        f"{user} daemon off; pid {folder}/pid; worker_processes 1; events {{ }}\nhttp {{ {places} {includes} }}\n"
    )
    return main


def certificate(folder: Path) -> None:
    """Write a certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
