"""Forms with one file, read as they arrive: the file is never held whole, neither in memory nor on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from deepguard.service.web.closing import unread
from deepguard.service.web.faults import Fault

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE = "file"
FRAME_BYTES = 128 << 10
"""What a body may hold beside the file: boundaries, headers, and the other fields."""
FIELD_BYTES = 32 << 10
BOUNDARY_BYTES = 70
"""Longest boundary (RFC 2046)."""
STALL_SECONDS = 60.0
"""Longest silence in the middle of a body."""

CUT = "the upload was cut off before its end; send it again"


async def _body_comes(request: Request) -> None:
    unread(request, request.headers.get("content-length") != "0")


BODY = Depends(_body_comes)
"""For routers that read forms: whoever is refused before the form was read is told to stop sending."""


@dataclass
class _Part:
    disposition: bytes = b""
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    name: str = ""
    filename: str = ""


class Form:
    """One request's form: the file's name as its sender wrote it, its bytes as they come, and the other fields.

    Fields that stand behind the file are known once its bytes have been read to the end.
    """

    def __init__(self, request: Request, limit: int, allowed: Mapping[str, str]) -> None:
        self.filename = ""
        self.fields: dict[str, str] = {}
        self._request = request
        self._limit = limit
        self._allowed = allowed
        self._part = _Part()
        self._files = 0
        self._taken = 0
        self._body = 0
        self._over = False
        self._pieces: list[bytes] = []
        self._parser = MultipartParser(_boundary(request), self._callbacks())

    async def open(self) -> None:
        """Read up to the file, or raise Fault."""
        self._refuse_announced()
        while not self._files:
            await self._feed()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes, then read the rest of the form; Fault where it is too large, wrong or cut off."""
        while True:
            for piece in self._pieces:
                yield piece
            self._pieces = []
            if self._over:
                return
            await self._feed()

    def narrow(self, limit: int) -> None:
        """Let the file have no more bytes than `limit`, now that it is known what it is; Fault where it has already."""
        self._limit = min(self._limit, limit)
        self._refuse_announced()
        if self._taken > self._limit:
            raise self._too_large()

    def _refuse_announced(self) -> None:
        announced = self._request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit + FRAME_BYTES:
            raise self._too_large()

    async def _feed(self) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                message = await self._request.receive()
        except TimeoutError:
            raise Fault(
                "too_slow", f"nothing of the upload came for {STALL_SECONDS:g} seconds; send it again"
            ) from None
        if message["type"] == "http.disconnect":
            unread(self._request, False)
            raise Fault("bad_request", CUT)
        data: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        unread(self._request, more)
        self._body += len(data)
        if self._body > self._limit + FRAME_BYTES:
            raise self._too_large()
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Fault(
                "bad_request", "the body is no correct multipart form; send one with a part named file"
            ) from error
        if not more and not self._over:
            raise Fault("bad_request", CUT if self._body else "the body is empty; send a form with a part named file")

    def _too_large(self) -> Fault:
        return Fault(
            "too_large", f"the file is larger than {sized(self._limit)}; send a smaller one", limit=self._limit
        )

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_begin": self._header_begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        self._part = _Part()

    def _header_begin(self) -> None:
        self._part.header = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        if self._part.header.lower() == b"content-disposition":
            self._part.disposition += data[start:end]

    def _headers_end(self) -> None:
        part = self._part
        kind, options = parse_options_header(part.disposition)
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not part.name:
            raise Fault("bad_request", "a part of the form has no name; send the file as the part named file")
        if part.name != FILE:
            self._refuse_field(part)
            return
        self._files += 1
        if self._files > 1:
            raise Fault("option", "the form has two files; send one at a time")
        self.filename = part.filename

    def _refuse_field(self, part: _Part) -> None:
        if part.name not in self._allowed:
            known = ", ".join((FILE, *self._allowed))
            raise Fault("option", f"there is no field called {part.name[:40]!r}; known are: {known}")
        if part.name in self.fields:
            raise Fault("option", f"the field {part.name} is given twice")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == FILE:
            self._taken += end - start
            if self._taken > self._limit:
                raise self._too_large()
            self._pieces.append(data[start:end])
            return
        self._part.value += data[start:end]
        if len(self._part.value) > FIELD_BYTES:
            raise Fault("option", f"the field {self._part.name} is longer than {sized(FIELD_BYTES)}")

    def _end(self) -> None:
        part = self._part
        if part.name != FILE:
            try:
                self.fields[part.name] = part.value.decode("utf-8")
            except UnicodeDecodeError:
                raise Fault("option", f"the field {part.name} is not text in UTF-8") from None

    def _all(self) -> None:
        self._over = True
        if not self._files:
            raise Fault("option", "the form has no file; send it as the part named file")


async def open_form(request: Request, limit: int, allowed: Mapping[str, str] | None = None) -> Form:
    """Read a request's form up to its file.

    Args:
        request: a request whose body has not been touched.
        limit: the most bytes that the file may have.
        allowed: the names of the other fields, each with what it means.

    Raises:
        Fault: what comes is no form, has no file, or is too large; nothing beyond that point is read.
    """
    form = Form(request, limit, allowed or {})
    await form.open()
    return form


def described(allowed: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return the form's description for OpenAPI."""
    properties: dict[str, object] = {FILE: {"type": "string", "format": "binary", "description": "the picture or clip"}}
    properties |= {name: {"type": "string", "description": meaning} for name, meaning in (allowed or {}).items()}
    schema = {"type": "object", "required": [FILE], "properties": properties, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def sized(size: int) -> str:
    """Return a size in words: 64 MiB."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= BOUNDARY_BYTES:
        raise Fault("bad_request", "send the file as multipart/form-data, in a part named file")
    return boundary
