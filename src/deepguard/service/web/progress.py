"""Progress as it happens: over a websocket, or by asking and waiting. One look at the database serves all who watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import anyio
import structlog
from fastapi import APIRouter, FastAPI, Query, WebSocket
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from deepguard.service.bell import Bell
from deepguard.service.database import Database
from deepguard.service.states import ACTIVE
from deepguard.service.tables import Job
from deepguard.service.web import shapes
from deepguard.service.web.access import of_websocket
from deepguard.service.web.app import API, parts_of
from deepguard.service.web.faults import STATUS, Fault
from deepguard.service.web.visible import readable_job

PAUSE_SECONDS = 0.1
"""Between two messages about one job; what happens meanwhile is told at once in the next."""
AGAIN_SECONDS = 1.0
"""Between two looks while the database does not answer."""
REASON_BYTES = 123
"""The longest reason that a closing frame has room for (RFC 6455)."""
CLOSED = 4000
"""Added to the HTTP status that a request would have got."""
DOWN_MESSAGE = {"code": "database_down", "message": "the database does not answer; this goes on when it does"}

log = structlog.get_logger(__name__)
router = APIRouter(prefix=API, tags=["jobs"])


@dataclass(frozen=True, slots=True)
class News:
    """The newest that is known of a job."""

    revision: int
    over: bool


DOWN = News(-1, False)
GONE = News(-2, True)


class Watch:
    """One who watches one job. There is one place for news, so that whoever is slow gets the newest and no backlog."""

    def __init__(self) -> None:
        self._news: News | None = None
        self._told = asyncio.Event()

    def tell(self, news: News) -> None:
        """Put the newest in its place."""
        if news != self._news:
            self._news = news
            self._told.set()

    async def beyond(self, revision: int) -> News:
        """Wait for news that is newer than `revision`, or DOWN or GONE."""
        return await self._unlike(lambda news: 0 <= news.revision <= revision)

    async def answered(self) -> None:
        """Wait until the database has answered again."""
        self._news = None
        await self._unlike(lambda news: news is DOWN)

    async def _unlike(self, old: Callable[[News], bool]) -> News:
        while self._news is None or old(self._news):
            self._told.clear()
            await self._told.wait()
        return self._news


class Poller:
    """Looks for changes of all jobs that are watched in this process, by one query at a time; idle while none is."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._watches: dict[str, set[Watch]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self, job_id: str) -> Iterator[Watch]:
        """Lend a watch on a job."""
        watch = Watch()
        self._watches.setdefault(job_id, set()).add(watch)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield watch
        finally:
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    async def _run(self) -> None:
        down = False
        while self._watches:
            asked = tuple(self._watches)
            try:
                found = await asyncio.to_thread(self._look, asked)
            except SQLAlchemyError as error:
                if not down:
                    log.error("the database does not answer to those who watch", error=str(error))
                down, found = True, dict.fromkeys(asked, DOWN)
            else:
                down = False
            for job_id in asked:
                for watch in self._watches.get(job_id, ()):
                    watch.tell(found.get(job_id, GONE))
            await (asyncio.sleep(AGAIN_SECONDS) if down else asyncio.to_thread(self._bell.wait))

    def _look(self, job_ids: Collection[str]) -> Mapping[str, News]:
        with self._database.reading() as session:
            rows = session.execute(select(Job.id, Job.revision, Job.state).where(Job.id.in_(job_ids)))
            return {job_id: News(revision, state not in ACTIVE) for job_id, revision, state in rows}


def install(app: FastAPI) -> None:
    """Give the application its poller."""
    parts = app.state.parts
    app.state.poller = Poller(parts.database, parts.bell)


async def changed(connection: HTTPConnection, job_id: str, revision: int, seconds: float) -> None:
    """Wait until a job has changed after `revision`, at most some seconds."""
    await _until(connection, job_id, seconds, lambda news: news.revision > revision)


async def over(connection: HTTPConnection, job_id: str, seconds: float) -> None:
    """Wait until a job is over, at most some seconds."""
    await _until(connection, job_id, seconds, lambda news: news.over)


@router.websocket("/jobs/{job_id}/progress")
async def progress(
    websocket: WebSocket, job_id: str, share: Annotated[str, Query(description="the job's share token")] = ""
) -> None:
    """Send the job, then again with every change, and close with 1000 after the last.

    Other ends are closed with 4000 and the HTTP status: 4404 where there is no such job, 4410 where it is deleted.
    """
    poller: Poller = websocket.app.state.poller
    try:
        visitor = await run_in_threadpool(of_websocket, websocket)
    except (Fault, SQLAlchemyError) as error:
        if await _accepted(websocket):
            await _close(websocket, error if isinstance(error, Fault) else _down())
        return

    def read() -> shapes.Job:
        with parts_of(websocket).database.reading() as session:
            return shapes.job_shape(session, readable_job(session, visitor, job_id, share), websocket, visitor.owner)

    if await _accepted(websocket):
        with poller.watching(job_id) as watch:
            await _while_there(websocket, _Feed(websocket, read, watch))


class _Feed:
    """What one websocket is sent of one job."""

    def __init__(self, websocket: WebSocket, read: Callable[[], shapes.Job], watch: Watch) -> None:
        self._websocket = websocket
        self._read = read
        self._watch = watch
        self._revision = -1

    async def run(self) -> Fault | None:
        """Send until the job is over; return why it ended otherwise."""
        told_down = False
        while True:
            try:
                job = await run_in_threadpool(self._read)
            except Fault as fault:
                return fault if self._revision < 0 else _deleted()
            except SQLAlchemyError:
                if not told_down:
                    await self._websocket.send_json(DOWN_MESSAGE)
                told_down = True
                await self._watch.answered()
                continue
            told_down = False
            await self._websocket.send_text(job.model_dump_json())
            if job.state not in ACTIVE:
                return None
            self._revision = job.revision
            await self._pause()

    async def _pause(self) -> None:
        began = asyncio.get_running_loop().time()
        news = await self._watch.beyond(self._revision)
        left = began + PAUSE_SECONDS - asyncio.get_running_loop().time()
        # the end is worth telling at once
        if left > 0 and not news.over:
            await asyncio.sleep(left)


async def _accepted(websocket: WebSocket) -> bool:
    """Open the websocket; False where the other side has left before it was open."""
    try:
        await websocket.accept()
    except OSError:
        return False
    return True


async def _while_there(websocket: WebSocket, feed: _Feed) -> None:
    """Run a feed to its end and close, or stop it when the other side leaves."""
    async with anyio.create_task_group() as group:
        group.start_soon(_leave, websocket, group.cancel_scope)
        with contextlib.suppress(WebSocketDisconnect):
            await _close(websocket, await feed.run())
        group.cancel_scope.cancel()


async def _leave(websocket: WebSocket, feeding: anyio.CancelScope) -> None:
    # what the other side says does not matter, only that it goes
    while (await websocket.receive())["type"] != "websocket.disconnect":
        continue
    feeding.cancel()


async def _close(websocket: WebSocket, fault: Fault | None) -> None:
    if fault is None:
        await websocket.close(1000)
        return
    reason = str(fault).encode()[:REASON_BYTES].decode(errors="ignore")
    await websocket.close(CLOSED + STATUS[fault.code], reason)


async def _until(connection: HTTPConnection, job_id: str, seconds: float, enough: Callable[[News], bool]) -> None:
    poller: Poller = connection.app.state.poller
    revision = -1
    with poller.watching(job_id) as watch, contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                news = await watch.beyond(revision)
                if news is DOWN:
                    await watch.answered()
                elif news is GONE or enough(news):
                    return
                else:
                    revision = news.revision


def _deleted() -> Fault:
    return Fault("expired", "the job was deleted")


def _down() -> Fault:
    return Fault("database_down", DOWN_MESSAGE["message"])
