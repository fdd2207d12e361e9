"""Forms with one file, read in pieces of any size with a bounded amount of memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.service.web.sending import FORM, UPLOADS, nothing_kept, picture
from tests.service.web.serving import BOUNDARY, part, whole

from deepguard.service.web import multipart


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


def test_the_form_is_described(client):
    described = client.get("/openapi.json").json()["paths"][UPLOADS]["post"]["requestBody"]["content"]
    schema = described["multipart/form-data"]["schema"]
    assert (schema["required"], schema["properties"]["file"]["format"]) == (["file"], "binary")
