"""Which files are taken, how they are kept, and who may see and remove them."""

from __future__ import annotations

import datetime
import hashlib
import struct
import subprocess
import sys
import time
import zlib

import pytest
from starlette.testclient import TestClient
from tests.service.web.sending import UPLOADS, files, nothing_kept, picture, send

from deepguard.service.jobs import new_job
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Clock, Upload, identifier, now
from deepguard.service.web import uploads
from deepguard.service.web.app import make_app


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


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
        (b"8BPS" + bytes(500), "unsupported_image"),
        (b"G" + bytes(5000), "unreadable_image"),
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
