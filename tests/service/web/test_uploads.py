"""What may be sent, what is refused, and that what is refused leaves nothing behind."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import io
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient
from tests.service.web.serving import BOUNDARY, answer, head, part, serving, whole

from deepguard.service.jobs import new_job
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.store import StoreFull
from deepguard.service.tables import Clock, Table, Upload, identifier, now
from deepguard.service.web import closing, multipart, uploads
from deepguard.service.web.app import make_app

UPLOADS = "/api/v1/uploads"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def picture(container: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, container)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def send(client: TestClient, data: bytes, name: str = "photo.jpg", **headers: str):
    return client.post(UPLOADS, files={"file": (name, data, "text/html")}, headers=headers)


def rows(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Upload))


def files(parts: Parts) -> list[Path]:
    return [each for each in parts.store.folder.rglob("*") if each.is_file()]


def nothing_kept(parts: Parts) -> bool:
    return rows(parts) == 0 and files(parts) == []


def settled(condition, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


def application(tmp_path: Path, **settings) -> tuple[Parts, FastAPI]:
    made = open_parts(ServiceSettings(home=tmp_path / "home", _env_file=None, **settings))
    Table.metadata.create_all(made.database.engine)
    return made, make_app(made)


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_an_upload_is_stored_as_it_came_under_an_id_of_ours(client, parts, container):
    data = picture(container)
    given = send(client, data)
    assert given.status_code == 201
    shown = given.json()
    assert (shown["container"], shown["size"], shown["width"], shown["height"]) == (container, len(data), 64, 48)
    assert shown["sha256"] == hashlib.sha256(data).hexdigest()
    assert parts.store.get(f"uploads/{shown['id']}") == data
    assert given.headers["location"] == f"http://testserver{UPLOADS}/{shown['id']}"
    assert client.get(f"{UPLOADS}/{shown['id']}").json() == shown


def test_a_large_file_arrives_whole_and_its_size_in_pixels_is_read_from_its_beginning(client, parts):
    data = picture("BMP", (1400, 900))
    shown = send(client, data).json()
    assert len(data) > 3_700_000
    assert (shown["sha256"], shown["width"]) == (hashlib.sha256(data).hexdigest(), 1400)
    assert parts.store.get(f"uploads/{shown['id']}") == data


def test_an_upload_expires_when_the_settings_say(client, parts):
    shown = send(client, picture()).json()
    left = datetime.datetime.fromisoformat(shown["expires"]) - now()
    assert abs(left.total_seconds() - parts.settings.keep_hours * 3600) < 30


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unreadable_image"),
        (b"MZ\x90\x00" + bytes(500), "unreadable_image"),
        (b"\x7fELF\x02\x01\x01" + bytes(500), "unreadable_image"),
        (b"<html><script>alert(1)</script></html>", "unreadable_image"),
        (b"PK\x03\x04" + picture(), "unreadable_image"),
        (b"GIF89a" + bytes(500), "unsupported_image"),
        (b"%PDF-1.7\n" + picture(), "unsupported_image"),
    ],
)
def test_what_is_no_picture_by_its_content_is_refused_whatever_its_name_and_type_say(client, parts, data, code):
    given = client.post(UPLOADS, files={"file": ("photo.jpg", data, "image/jpeg")})
    assert (given.status_code, given.json()["code"]) == (415, code)
    assert nothing_kept(parts)


def test_a_polyglot_is_taken_as_the_picture_that_it_begins_as(client):
    both = picture() + b"PK\x03\x04" + b"<script>alert(1)</script>"
    given = client.post(UPLOADS, files={"file": ("page.html", both, "text/html")})
    assert (given.status_code, given.json()["container"]) == (201, "JPEG")


def test_a_truncated_picture_is_left_to_the_worker_with_its_size_unknown_where_the_header_is_cut(client):
    given = send(client, picture()[:30])
    assert (given.status_code, given.json()["width"], given.json()["height"]) == (201, None, None)


def test_a_decompression_bomb_is_refused_by_its_header(client, parts):
    given = send(client, bomb(60_000, 60_000))
    assert (given.status_code, given.json()["code"]) == (413, "image_too_large")
    assert "60000x60000" in given.json()["message"]
    assert nothing_kept(parts)


def test_a_header_that_lies_about_its_size_breaks_nothing(client):
    given = send(client, bomb(0, 2**31))
    assert (given.status_code, given.json()["width"]) == (201, None)


def test_noise_behind_a_signature_is_measured_or_not_but_never_hangs_or_breaks():
    noise = hashlib.shake_256(b"seed").digest(40_000)
    heads = [picture(each)[:size] for each in ("JPEG", "PNG", "WEBP", "TIFF", "BMP") for size in (3, 8, 16, 40)]
    heads += [b"II*\x00\x08\x00\x00\x00\xff\xff", b"\x00\x00\x00\x18ftypheic", b"II+\x00\x08\x00\x00\x00"]
    began = time.monotonic()
    for start in heads:
        for offset in range(0, 20_000, 1000):
            width, height = uploads.pixel_size(start + noise[offset : offset + 20_000])
            assert (width is None) == (height is None)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("/", "picture"),
        ("..", "picture"),
        ("", "picture"),
        ("a\x00b\r\nc\x1b[31m.jpg", "abc[31m.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("여름 사진.jpg", "여름 사진.jpg"),
        ("\u1112\u1161\u11ab.jpg", "한.jpg"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("." + "y" * 300, "." + "y" * 119),
    ],
)
def test_a_name_is_text_to_show_and_no_path(given, kept):
    assert uploads.file_name(given) == kept


def test_a_name_with_path_tricks_never_becomes_a_key(client, parts):
    shown = send(client, picture(), "../../../../tmp/evil.jpg").json()
    assert shown["name"] == "evil.jpg"
    assert [each.name for each in files(parts)] == [shown["id"]]


@pytest.mark.parametrize(
    ("body", "headers", "status", "word"),
    [
        (b"hello", {"Content-Type": "text/plain"}, 400, "multipart/form-data"),
        (b"{}", {"Content-Type": "application/json"}, 400, "multipart/form-data"),
        (b"hello", {"Content-Type": "multipart/form-data"}, 400, "multipart/form-data"),
        (b"hello", {"Content-Type": f"multipart/form-data; boundary={'b' * 71}"}, 400, "multipart/form-data"),
        (b"hello", FORM, 400, "no correct multipart form"),
        (b"", FORM, 400, "empty"),
        (whole(), FORM, 422, "no file"),
        (whole(part("file", picture(), "a"), part("file", picture(), "b")), FORM, 422, "two files"),
        (whole(part("other", b"1"), part("file", picture(), "a")), FORM, 422, "no field called 'other'"),
        (whole(part("file", picture(), "a"), part("other", b"1", "x")), FORM, 422, "no field called 'other'"),
        (part("file", picture(), "a"), FORM, 400, "cut off"),
        (whole(part("file", picture(), "a" * 5000)), FORM, 400, "no correct multipart form"),
        (f"--{BOUNDARY}\r\nX-Name: a\r\n\r\n".encode() + picture(), FORM, 400, "no name"),
    ],
)
def test_a_body_that_is_no_form_with_one_file_is_refused_with_one_sentence(client, parts, body, headers, status, word):
    given = client.post(UPLOADS, content=body, headers=headers)
    assert given.status_code == status
    assert word in given.json()["message"]
    assert nothing_kept(parts)


async def _fields(*messages: bytes, allowed: dict[str, str]) -> tuple[multipart.Form, bytes]:
    waiting = [{"type": "http.request", "body": each, "more_body": True} for each in messages]
    waiting[-1]["more_body"] = False

    async def receive():
        return waiting.pop(0)

    headers = [(each.lower().encode(), value.encode()) for each, value in FORM.items()]
    request = multipart.Request({"type": "http", "method": "POST", "headers": headers, "state": {}}, receive)
    form = await multipart.open_form(request, 1000, allowed)
    return form, b"".join([each async for each in form.chunks()])


@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_fields_before_and_behind_the_file_are_read_however_the_body_is_cut(piece):
    data = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n-" * 20
    body = whole(part("before", "앞".encode()), part("file", data, "사진.jpg"), part("behind", b""))
    pieces = [body[each : each + piece] for each in range(0, len(body), piece)]
    form, read = asyncio.run(_fields(*pieces, allowed={"before": "", "behind": ""}))
    assert (read, form.filename, form.fields) == (data, "사진.jpg", {"before": "앞", "behind": ""})


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (whole(part("a", bytes(40_000)), part("file", b"x", "n")), "longer than"),
        (whole(part("a", b"1"), part("a", b"2"), part("file", b"x", "n")), "twice"),
        (whole(part("a", b"\xff\xfe"), part("file", b"x", "n")), "UTF-8"),
        (whole(part("file", bytes(1001), "n")), "larger than"),
        (b"\r\n" * 100_000, "larger than"),
        (whole(part("file", b"x", "n")) + bytes(200_000), "larger than"),
    ],
)
def test_a_form_takes_no_more_than_a_bounded_amount_of_memory(body, word):
    with pytest.raises(multipart.Fault, match=word):
        asyncio.run(_fields(body, allowed={"a": ""}))


def test_a_sender_that_falls_silent_is_told_so(monkeypatch):
    monkeypatch.setattr(multipart, "STALL_SECONDS", 0.02)

    async def silent():
        await asyncio.sleep(10)

    headers = [(each.lower().encode(), value.encode()) for each, value in FORM.items()]
    request = multipart.Request({"type": "http", "method": "POST", "headers": headers, "state": {}}, silent)
    with pytest.raises(multipart.Fault, match="nothing of the upload came") as caught:
        asyncio.run(multipart.open_form(request, 1000))
    assert caught.value.code == "too_slow"


def test_a_file_over_the_limit_is_refused_before_its_body_is_sent(tmp_path):
    parts, app = application(tmp_path, upload_bytes=1 << 20)
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
    parts, app = application(tmp_path, upload_bytes=1 << 20)
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
    _, app = application(tmp_path, upload_bytes=1 << 20)
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


def test_a_stranger_is_told_that_there_is_no_upload(app, client, parts):
    made = send(client, picture()).json()["id"]
    stranger = TestClient(app)
    for answered in (stranger.get(f"{UPLOADS}/{made}"), stranger.delete(f"{UPLOADS}/{made}")):
        assert (answered.status_code, answered.json()["code"]) == (404, "not_found")
    assert len(files(parts)) == 1


@pytest.mark.parametrize("wrong", ["none", identifier(), "%00", "..%2f..", "x" * 190])
def test_an_id_that_is_none_is_not_found(client, wrong):
    assert client.get(f"{UPLOADS}/{wrong}").status_code == 404


def test_a_removed_upload_is_gone_with_its_file_and_a_second_time_not_found(client, parts):
    made = send(client, picture()).json()["id"]
    assert client.delete(f"{UPLOADS}/{made}").status_code == 204
    assert nothing_kept(parts)
    assert client.delete(f"{UPLOADS}/{made}").status_code == 404


def test_an_upload_that_a_job_still_needs_stays(client, parts):
    made = send(client, picture()).json()["id"]
    with parts.database.writing() as session:
        owner = session.get_one(Upload, made).owner
        job = new_job(id=identifier(), kind="protect", owner=owner, name="a", upload_id=made, options={}, expires=now())
        session.add(job)
    refused = client.delete(f"{UPLOADS}/{made}")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert len(files(parts)) == 1
    with parts.database.writing() as session:
        session.get_one(type(job), job.id).state = State.DONE
    assert client.delete(f"{UPLOADS}/{made}").status_code == 204


def test_an_upload_after_its_time_is_expired_and_can_still_be_removed(client, parts):
    made = send(client, picture()).json()["id"]
    later = now() + datetime.timedelta(hours=25)
    with parts.database.writing() as session:
        session.add(Clock(id=1, time=later, wall=later))
    given = client.get(f"{UPLOADS}/{made}")
    assert (given.status_code, given.json()["code"]) == (410, "expired")
    assert client.delete(f"{UPLOADS}/{made}").status_code == 204


def test_a_method_that_an_address_does_not_take_is_refused_with_those_that_it_takes(client):
    given = client.put(f"{UPLOADS}/{identifier()}")
    assert (given.status_code, given.json()["code"]) == (405, "method")
    assert given.headers["allow"] == "DELETE, GET"
    # an address outside the described API
    assert set(client.put("/openapi.json").headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_the_form_is_described(client):
    described = client.get("/openapi.json").json()["paths"][UPLOADS]["post"]["requestBody"]["content"]
    schema = described["multipart/form-data"]["schema"]
    assert (schema["required"], schema["properties"]["file"]["format"]) == (["file"], "binary")


def test_the_web_process_loads_no_torch_and_decodes_nothing(tmp_path):
    program = (
        "import sys, pathlib;"
        "from deepguard.service.parts import open_parts;"
        "from deepguard.service.settings import ServiceSettings;"
        "from deepguard.service.web.app import make_app;"
        "make_app(open_parts(ServiceSettings(home=pathlib.Path(sys.argv[1]), _env_file=None)));"
        "import deepguard.service.web.__main__;"
        "print({'torch', 'PIL', 'numpy', 'kornia', 'onnx'} & {*sys.modules} or 'none')"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "none"


def test_every_database_takes_shows_counts_and_removes_uploads(any_parts: Parts):
    data = picture()
    with TestClient(make_app(any_parts)) as client:
        made = send(client, data, "여름 🌞.jpg").json()
        assert (made["name"], made["size"], made["width"]) == ("여름 🌞.jpg", len(data), 64)
        assert client.get(f"{UPLOADS}/{made['id']}").json() == made
        assert client.delete(f"{UPLOADS}/{made['id']}").status_code == 204
        assert nothing_kept(any_parts)
