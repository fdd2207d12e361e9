"""Uploads: files that users bring. They go to the store as they arrive; nothing in this process decodes them."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from typing import Annotated, get_args

import imagesize
import sqlalchemy
import structlog
from anyio import CancelScope
from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from deepguard.errors import DeepguardError, UnsupportedClip
from deepguard.media.signatures import (
    ENOUGH,
    ENOUGH_OF_CLIPS,
    SUPPORTED,
    ClipContainer,
    Container,
    clip_container,
    recognise,
)
from deepguard.service import clock, figures
from deepguard.service.parts import Parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import ACTIVE
from deepguard.service.store import upload_key
from deepguard.service.tables import Job, Upload, identifier, now
from deepguard.service.web import addresses, multipart, shapes
from deepguard.service.web.access import Owner, Reader, Visitor
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.multipart import Form
from deepguard.service.web.visible import IDENTIFIER

log = structlog.get_logger(__name__)

HEAD_BYTES = 256 << 10
"""How much of a file's beginning is searched for its size in pixels; cameras' previews and profiles come before it."""
NAME_LENGTH = 120
SUFFIX_LENGTH = 10
NAMELESS = "picture"
SYNC = 0x47
"""What each packet of a transport stream has at its beginning, or four bytes later."""
CLIPS = frozenset(get_args(ClipContainer)) - frozenset(get_args(Container))
"""Containers of clips; one that pictures have too counts as a picture here, animated or not."""

router = APIRouter(prefix=f"{API}/uploads", tags=["uploads"])
UploadId = Annotated[str, Path(description="id of the upload", max_length=200, examples=[shapes.ID])]


@router.post(
    "",
    status_code=201,
    dependencies=[multipart.BODY],
    responses=shapes.problems(400, 408, 413, 415, 507),
    openapi_extra=multipart.described(),
    summary="Send a file",
)
async def create(request: Request, response: Response, parts: Open, visitor: Owner) -> shapes.Upload:
    """Keep a picture or clip for jobs to work on. What counts is its content, not its name or type as told."""
    form = await multipart.open_form(request, most_bytes(parts.settings, clips=True))
    upload = await receive(parts, visitor, form, clips=True)
    response.headers["Location"] = addresses.upload_of(request, upload.id)
    return await run_in_threadpool(_shown, parts, upload)


@router.get("/{upload_id}", responses=shapes.problems(404, 410), summary="Show an upload")
def show(upload_id: UploadId, parts: Open, visitor: Reader) -> shapes.Upload:
    """Tell what is known of an upload."""
    with parts.database.reading() as session:
        return shapes.upload_shape(session, own_upload(session, visitor, upload_id))


@router.delete("/{upload_id}", status_code=204, responses=shapes.problems(404, 409), summary="Remove an upload")
def delete(upload_id: UploadId, parts: Open, visitor: Reader) -> None:
    """Remove an upload that no job waits for or works on; results stay."""
    with parts.database.writing() as session:
        if IDENTIFIER.fullmatch(upload_id):
            # whoever makes a job of it at this moment locks it as well: one of the two comes first
            session.get(Upload, upload_id, with_for_update=True)
        upload = own_upload(session, visitor, upload_id, expired=True)
        busy = select(Job.id).where(Job.upload_id == upload.id, Job.state.in_(sorted(ACTIVE))).limit(1)
        if session.scalar(busy) is not None:
            raise Fault("wrong_state", "a job still needs this file; cancel the job first")
        session.delete(upload)
    _forget(parts, upload.id)


def own_upload(session: Session, visitor: Visitor, upload_id: str, *, expired: bool = False) -> Upload:
    """Return an upload that the visitor may use; Fault "not_found", or "expired" unless that is allowed."""
    upload = session.get(Upload, upload_id) if IDENTIFIER.fullmatch(upload_id) else None
    if upload is None or not (visitor.admin or (visitor.owner and visitor.owner == upload.owner)):
        raise Fault("not_found", "there is no such upload; it was removed, or belongs to somebody else")
    if not expired and upload.expires <= clock.service_time(session):
        raise Fault("expired", "the upload was kept for its time and is removed; send the file again")
    return upload


def most_bytes(settings: ServiceSettings, *, clips: bool) -> int:
    """Return the most bytes that a file may have before it is known what it is; `clips` where it may be a clip."""
    return max(settings.upload_bytes, settings.clip_bytes) if clips else settings.upload_bytes


async def receive(
    parts: Parts,
    visitor: Visitor,
    form: Form,
    check: Callable[[Form], None] = lambda form: None,
    *,
    clips: bool = False,
) -> Upload:
    """Store the file of an opened form and return its row, written and committed.

    `check` is called once the whole form is known; whatever it or anything else raises, nothing stays behind. A clip
    is refused unless `clips` are taken.
    """
    upload = Upload(id=identifier(), owner=visitor.owner, name=file_name(form.filename), created=now())
    arriving = _Arriving(form, upload.name, parts.settings)
    await arriving.open(clips=clips)
    await run_in_threadpool(_refuse_where_full, parts)
    await _stored(parts, upload.id, arriving)
    try:
        check(form)
        upload.container = arriving.container
        upload.size, upload.sha256 = arriving.size, arriving.digest.hexdigest()
        upload.width, upload.height = arriving.shape
        await run_in_threadpool(_record, parts, upload)
    except BaseException:
        with CancelScope(shield=True):
            await run_in_threadpool(_forget, parts, upload.id)
        raise
    return upload


def remove(parts: Parts, upload: Upload) -> None:
    """Take an upload back that nothing was made of."""
    with parts.database.writing() as session:
        session.execute(sqlalchemy.delete(Upload).where(Upload.id == upload.id))
    _forget(parts, upload.id)


def file_name(name: str) -> str:
    """Return what a user's name for a file says, as text that can be shown: no folders, no signs that are unseen."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    # C: control signs and those that turn the direction of writing; Zl, Zp: line ends
    seen = "".join(each for each in last if unicodedata.category(each)[0] != "C" and each not in "\u2028\u2029").strip()
    if not seen.strip("."):
        return NAMELESS
    if len(seen) <= NAME_LENGTH:
        return seen
    stem, dot, suffix = seen.rpartition(".")
    if not stem or len(suffix) > SUFFIX_LENGTH:
        return seen[:NAME_LENGTH]
    return stem[: NAME_LENGTH - len(dot + suffix)] + dot + suffix


class _Arriving:
    """A file on its way into the store: recognised and measured by its beginning, counted and hashed throughout."""

    def __init__(self, form: Form, name: str, settings: ServiceSettings) -> None:
        self.container: Container | ClipContainer
        self.shape: tuple[int | None, int | None] = (None, None)
        self.size = 0
        self.digest = hashlib.sha256()
        self.fault: Exception | None = None
        self._name = name
        self._form = form
        self._settings = settings
        self._chunks = form.chunks()
        self._head = bytearray()

    async def open(self, *, clips: bool) -> None:
        """Read the beginning; InputError or Fault where the file is refused by it, a clip unless `clips` are taken."""
        recognised = False
        async for chunk in self._chunks:
            self._head += chunk
            if not recognised and _tells(self._head):
                self._recognise(clips=clips)
                recognised = True
            if len(self._head) >= HEAD_BYTES:
                break
        if not recognised:
            self._recognise(clips=clips)
        if self.container not in CLIPS:
            self._measure()

    def _recognise(self, *, clips: bool) -> None:
        head = bytes(self._head[:ENOUGH_OF_CLIPS])
        clip = clip_container(head)
        if clip is None or clip not in CLIPS:
            self.container = recognise(head, self._name)
            self._form.narrow(self._settings.upload_bytes)
            return
        if not clips:
            raise UnsupportedClip(no_clips(self._name))
        self.container = clip
        self._form.narrow(self._settings.clip_bytes)

    def _measure(self) -> None:
        self.shape = pixel_size(bytes(self._head))
        width, height = self.shape
        most = self._settings.pixels
        if width and height and width * height > most:
            raise Fault(
                "image_too_large",
                f"the picture has {width}x{height} pixels; at most {most} are allowed, so make it smaller",
                limit=most,
            )

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the whole file; what goes wrong on the way is kept in `fault`, as the store may wrap it."""
        try:
            yield self._counted(bytes(self._head))
            self._head.clear()
            async for chunk in self._chunks:
                yield self._counted(chunk)
        except Exception as error:
            self.fault = error
            raise

    def _counted(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        self.digest.update(chunk)
        return chunk


def _tells(head: bytes | bytearray) -> bool:
    """Return whether more of a file would not change what it is; only packets of a transport stream need more."""
    if len(head) >= ENOUGH_OF_CLIPS or len(head) < ENOUGH:
        return len(head) >= ENOUGH
    return clip_container(bytes(head)) is not None or SYNC not in {head[0], head[4]}


def no_clips(name: str) -> str:
    """Return the sentence for a clip where only pictures are taken."""
    return f"{name} is a clip, and this is done to pictures only; give a {SUPPORTED} file, or detect with the clip"


def pixel_size(head: bytes) -> tuple[int | None, int | None]:
    """Return width and height as a picture's header tells them; None for both where it does not."""
    try:
        width, height = imagesize.get(io.BytesIO(head))
    except Exception:  # noqa: BLE001 - the file is hostile until the worker has decoded it, and the library's errors many
        return None, None
    # larger numbers are lies, and more than a column holds
    return (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else (None, None)


async def _stored(parts: Parts, upload_id: str, arriving: _Arriving) -> None:
    try:
        await parts.store.put_stream(upload_key(upload_id), arriving.chunks())
    except Exception as error:
        if arriving.fault is not None:
            raise arriving.fault from error
        raise


def _refuse_where_full(parts: Parts) -> None:
    with parts.database.reading() as session:
        _refuse_more(session, parts, 1)


def _refuse_more(session: Session, parts: Parts, size: int) -> None:
    taken = int(session.scalar(select(figures.stored_bytes())) or 0)
    if taken + size > parts.settings.store_bytes:
        raise Fault("store_full", "there is no room for more files; delete jobs, or wait until old ones are removed")


def _record(parts: Parts, upload: Upload) -> None:
    with parts.database.writing() as session:
        _refuse_more(session, parts, upload.size)
        upload.expires = clock.expiry(session, parts.settings.keep_hours)
        session.add(upload)


def _shown(parts: Parts, upload: Upload) -> shapes.Upload:
    with parts.database.reading() as session:
        return shapes.upload_shape(session, upload)


def _forget(parts: Parts, upload_id: str) -> None:
    """Remove the object; where that fails, housekeeping finds it without a row and removes it later."""
    try:
        parts.store.delete(upload_key(upload_id))
    except DeepguardError as error:
        log.warning("an upload's file stays until the next clean-up", upload=upload_id, error=str(error))
