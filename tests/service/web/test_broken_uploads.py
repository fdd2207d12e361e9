"""What is refused in the middle, what breaks off and what cannot be kept leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import time

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from tests.service.web.sending import UPLOADS, application, files, nothing_kept, picture, rows, send, settled
from tests.service.web.serving import answer, head, part, serving

from deepguard.service.parts import Parts
from deepguard.service.store import StoreFull
from deepguard.service.tables import Upload
from deepguard.service.web import closing, uploads


def test_a_file_over_the_limit_is_refused_before_its_body_is_sent(tmp_path):
    parts, app = application(tmp_path, upload_bytes=1 << 20, clip_bytes=1 << 20)
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        # only the head: the answer comes although nothing of the body ever did
        sender.sendall(head(UPLOADS, 5 << 20))
        sender.settimeout(2)
        said = sender.recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in said.lower()
        assert b'"too_large"' in said
        assert b"larger than 1 MiB" in said
    assert nothing_kept(parts)


def test_a_file_that_grows_over_the_limit_is_refused_at_once_and_its_sender_reads_why(tmp_path):
    parts, app = application(tmp_path, upload_bytes=1 << 20, clip_bytes=1 << 20)
    start = part("file", picture(), "a")[:-2]
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        # the length that was announced is allowed, and chunks announce none
        chunked = head(UPLOADS, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        sender.sendall(chunked + b"%x\r\n" % len(start) + start + b"\r\n")
        for _ in range(40):
            # a client that does not listen while it sends; without lingering it would be reset
            sender.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        said = sender.recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 413 ")
    assert settled(lambda: nothing_kept(parts))


def test_a_sender_that_goes_on_after_its_refusal_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(closing, "LINGER_SECONDS", 0.2)
    _, app = application(tmp_path, upload_bytes=1 << 20, clip_bytes=1 << 20)
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        sender.sendall(head(UPLOADS, 5 << 20))
        began = time.monotonic()
        assert answer(sender).startswith(b"HTTP/1.1 413 ")
        assert 0.1 < time.monotonic() - began < 3


def test_a_renamed_executable_is_refused_after_its_first_bytes(tmp_path):
    parts, app = application(tmp_path)
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
        sender.sendall(head(UPLOADS, 5 << 20) + part("file", b"MZ" + bytes(100), "photo.jpg"))
        said = sender.recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 415 ")
    assert nothing_kept(parts)


def test_a_sender_that_leaves_in_the_middle_leaves_nothing(tmp_path):
    parts, app = application(tmp_path)
    half = part("file", picture() + bytes(3 << 20), "a")
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sender:
            sender.sendall(head(UPLOADS, 2 * len(half)) + half)
            assert settled(lambda: bool(files(parts)))
        assert settled(lambda: nothing_kept(parts))


def test_a_store_that_is_down_is_told_and_leaves_no_row(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    parts, app = application(tmp_path, store="s3://bucket", s3_endpoint=f"http://127.0.0.1:{port}", s3_key="k")
    with TestClient(app) as client:
        given = send(client, picture())
        assert (given.status_code, given.json()["code"]) == (503, "store_down")
        assert "retry-after" in given.headers
        assert rows(parts) == 0


def test_a_full_disk_is_told_and_leaves_nothing(client, parts, monkeypatch):
    async def full(key, chunks):
        async for _ in chunks:
            raise StoreFull("the disk is full; the operator must make room")

    monkeypatch.setattr(parts.store, "put_stream", full)
    given = send(client, picture())
    assert (given.status_code, given.json()["code"]) == (507, "disk_full")
    assert nothing_kept(parts)


def test_a_disk_that_is_really_full_is_told_and_leaves_nothing(client, parts):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(parts.store.folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        given = send(client, picture("BMP", (1000, 600)))
        assert (given.status_code, given.json()["code"]) == (507, "disk_full")
        assert nothing_kept(parts)
        assert send(client, picture()).status_code == 201
    finally:
        subprocess.run(["umount", str(parts.store.folder)], check=True)


def test_the_store_takes_no_more_than_its_limit_in_all(tmp_path):
    data = picture()
    parts, app = application(tmp_path, store_bytes=2 * len(data))
    with TestClient(app) as client:
        assert [send(client, data).status_code for _ in range(2)] == [201, 201]
        given = send(client, data)
        assert (given.status_code, given.json()["code"]) == (507, "store_full")
        assert (rows(parts), len(files(parts))) == (2, 2)


def test_a_file_whose_row_cannot_be_written_is_removed_again(client, parts, monkeypatch):
    def broken(parts: Parts, upload: Upload) -> None:
        assert files(parts)
        raise OperationalError("insert", {}, Exception("the server went away"))

    monkeypatch.setattr(uploads, "_record", broken)
    given = send(client, picture())
    assert (given.status_code, given.json()["code"]) == (503, "database_down")
    assert nothing_kept(parts)
