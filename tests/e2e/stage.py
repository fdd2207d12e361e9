"""A stage: the real web process over a real home in which a test says what became of each job."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import io
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import uvicorn
from PIL import Image
from sqlalchemy import select, update
from starlette.types import ASGIApp, Receive, Scope, Send

from deepguard.media.sample import sample_file
from deepguard.service import jobs, keys
from deepguard.service.jobs import Ending
from deepguard.service.kinds.find import Find
from deepguard.service.kinds.protect import Protect
from deepguard.service.kinds.roles import Done, Work
from deepguard.service.parts import Parts, open_parts
from deepguard.service.readiness import abilities, health
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Table, Upload, Visit, Worker, identifier, now
from deepguard.service.web.__main__ import configured
from deepguard.service.web.app import make_app
from deepguard.weights.shelf import Shelf

DETECTORS = ("retinaface", "yolo5face", "s3fd", "dsfd", "pyramidbox", "scrfd", "yunet", "ultralight", "mtcnn")
HAND = "hand"
PIXELS = 50_000_000
Box = tuple[float, float, float, float]
LEFT, RIGHT = (60.0, 60.0, 90.0, 110.0), (300.0, 60.0, 90.0, 110.0)
"""Places of faces in the sample photo, as left, top, width and height."""


@dataclasses.dataclass(frozen=True)
class Guest:
    """Somebody who has been here before: who they are, and their cookie."""

    owner: str
    token: str


class Stage:
    """The web process in a thread, and what its jobs do. Every guest has an archive of their own."""

    def __init__(self, home: Path, protected: Done, **settings: Any) -> None:
        wide = {"rate": "1000000/minute", "jobs_per_day": 10_000}
        self.parts: Parts = open_parts(ServiceSettings(home=home, _env_file=None, **{**wide, **settings}))
        self.protected = protected
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._serving: tuple[uvicorn.Server, threading.Thread] | None = None
        Table.metadata.create_all(self.parts.database.engine)

    @property
    def address(self) -> str:
        """Where it answers; the prefix is not part of it."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def start(self) -> None:
        """Answer from now on."""
        root = self.parts.settings.root_path
        app = make_app(self.parts)
        config = configured(self.parts.settings, stripped(app, root) if root else app)
        config.lifespan, config.timeout_graceful_shutdown = "off", 1
        server = uvicorn.Server(config)
        # its own copy, so that the port stays taken while nobody answers
        thread = threading.Thread(target=server.run, args=([self._listening.dup()],))
        thread.start()
        while not server.started:
            time.sleep(0.005)
        self._serving = server, thread

    def stop(self) -> None:
        """Answer no more; the port is kept."""
        assert self._serving is not None
        server, thread = self._serving
        server.should_exit = True
        thread.join()

    def close(self) -> None:
        """Stop, and close all."""
        self.stop()
        self._listening.close()
        self.parts.database.close()

    def employ(self) -> None:
        """Let a worker report what the real ones can do where no weights but the embedded ones are."""
        shelf = self.parts.settings.shelf
        with self.parts.database.writing() as session:
            known = {"abilities": abilities(shelf), "health": {"models": dict(health(shelf))}}
            session.merge(Worker(name=HAND, host="h", pid=1, version="1", ready=True, inferred=now(), **known))

    def guest(self) -> Guest:
        """Return somebody new."""
        token = identifier()
        visit = Visit(id=identifier(), token_hash=keys.hashed(token))
        with self.parts.database.writing() as session:
            session.add(visit)
        return Guest(f"visit:{visit.id}", token)

    def upload(
        self, guest: Guest, name: str = "할머니 생신.png", data: bytes | None = None, hours: float = 20.0
    ) -> str:
        """Return the id of a photo that a guest has sent: the sample where nothing is said."""
        data = sample_file().read_bytes() if data is None else data
        with Image.open(io.BytesIO(data)) as opened:
            width, height, container = *opened.size, str(opened.format)
        upload = Upload(
            id=identifier(), owner=guest.owner, name=name, container=container, size=len(data),
            sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, expires=later(hours),
        )  # fmt: skip
        self.parts.store.put(f"uploads/{upload.id}", data)
        with self.parts.database.writing() as session:
            session.add(upload)
        return upload.id

    def job(self, guest: Guest, *, upload: str = "", hours: float = 20.0, **columns: Any) -> str:
        """Return the id of a job that waits."""
        values = {"kind": "protect", "name": "할머니 생신.png", "options": {"preset": "balanced"}, "estimate": 36.0}
        upload = upload or self.upload(guest)
        job = jobs.new_job(
            id=identifier(), owner=guest.owner, upload_id=upload, expires=later(hours), **{**values, **columns}
        )
        with self.parts.database.writing() as session:
            session.add(job)
        return job.id

    def claim(self, job_id: str) -> jobs.Claim:
        """Let the worker begin a job."""
        with self.parts.database.writing() as session:
            claim = jobs.claim(session, job_id, HAND)
        assert claim is not None
        return claim

    def move(self, job_id: str, **progress: Any) -> None:
        """Let a job be so far."""
        step = {"stage": "protect", "done": 3, "total": 10, "share": 0.3, "seconds_left": 20.0, "detectors": {}}
        if self.row(job_id).state == State.QUEUED:
            self.claim(job_id)
        with self.parts.database.writing() as session:
            jobs.report(session, self._held(job_id), step | progress)

    def finish(self, job_id: str, done: Done | None = None, **summary: Any) -> None:
        """End a job with results, the real ones of the sample photo where nothing is said."""
        done = done or self.protected
        if self.row(job_id).state == State.QUEUED:
            self.claim(job_id)
        results = []
        for place, each in enumerate(done.made):
            key = f"results/{job_id}/1/{each.name}"
            self.parts.store.put(key, each.data)
            results.append(
                Result(
                    job_id=job_id, name=each.name, position=place, filename=each.filename, media_type=each.media_type,
                    size=len(each.data), sha256=hashlib.sha256(each.data).hexdigest(), key=key,
                )
            )  # fmt: skip
        self._end(job_id, Ending(State.DONE, summary={**done.summary, **summary}, results=results))

    def fail(self, job_id: str, code: str = "no_face") -> None:
        """Let a job fail."""
        if self.row(job_id).state == State.QUEUED:
            self.claim(job_id)
        self._end(job_id, Ending(State.FAILED, code, "what the worker says"))

    def cancel(self, job_id: str) -> None:
        """Let a job be cancelled before it has begun."""
        with self.parts.database.writing() as session:
            jobs.cancel(session, session.get_one(Job, job_id))

    def give_up(self, job_id: str) -> None:
        """Let the worker hear that its job is cancelled."""
        self._end(job_id, Ending(State.FAILED))

    def delete(self, job_id: str) -> None:
        """Let a job be deleted somewhere else."""
        with self.parts.database.writing() as session:
            session.delete(session.get_one(Job, job_id))

    def expire(self, job_id: str) -> None:
        """Let the time of a job that is over be over."""
        with self.parts.database.writing() as session:
            assert jobs.expire(session, job_id)

    def lose_upload(self, job_id: str) -> None:
        """Let the photo of a job be gone."""
        with self.parts.database.writing() as session:
            upload = session.get_one(Upload, session.get_one(Job, job_id).upload_id)
            session.delete(upload)

    def only(self, *names: str) -> Done:
        """Return the real results without those of other names."""
        return dataclasses.replace(
            self.protected, made=tuple(each for each in self.protected.made if each.name in names)
        )

    def row(self, job_id: str) -> Job:
        """Return a job as it stands in the database."""
        with self.parts.database.reading() as session:
            return session.get_one(Job, job_id)

    def rows(self, guest: Guest, kind: str = "protect") -> list[Job]:
        """Return a guest's jobs, the oldest first."""
        with self.parts.database.reading() as session:
            query = select(Job).where(Job.owner == guest.owner, Job.kind == kind).order_by(Job.created)
            return list(session.scalars(query))

    def change(self, job_id: str, **columns: Any) -> None:
        """Change a job's row."""
        with self.parts.database.writing() as session:
            session.execute(update(Job).where(Job.id == job_id).values(revision=Job.revision + 1, **columns))

    @contextmanager
    def settled(self, **changes: Any) -> Iterator[None]:
        """Let some settings be others for a while."""
        before = self.parts.settings
        # what answers holds these very parts
        object.__setattr__(self.parts, "settings", before.model_copy(update=changes))
        try:
            yield
        finally:
            object.__setattr__(self.parts, "settings", before)

    @contextmanager
    def finding(self, done: Done) -> Iterator[None]:
        """Let every search for faces end so, at once; what is inside has led to one."""
        over, ended = threading.Event(), threading.Event()

        def work() -> None:
            while not over.wait(0.03):
                with self.parts.database.reading() as session:
                    waiting = select(Job.id).where(Job.kind == "find", Job.state == State.QUEUED)
                    found = list(session.scalars(waiting))
                for job_id in found:
                    self.finish(job_id, done)
                    ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
            # a page may be ahead of its own search, and nobody would end that later
            assert ended.wait(15), "nothing was searched for faces"
        finally:
            over.set()
            thread.join()

    def _held(self, job_id: str) -> jobs.Claim:
        row = self.row(job_id)
        return jobs.Claim(job_id, row.attempt, row.worker)

    def _end(self, job_id: str, ending: Ending) -> None:
        with self.parts.database.writing() as session:
            jobs.end(session, self._held(job_id), ending)


def stripped(app: ASGIApp, prefix: str) -> ASGIApp:
    """Return an application as it is behind a proxy that takes a prefix away, and serves nothing else."""

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        # the server has put its own prefix before what it was asked for
        asked = scope["path"].removeprefix(prefix)
        outside = not asked.startswith(f"{prefix}/")
        await app({**scope, "path": "/outside" if outside else asked, "raw_path": asked.encode()}, receive, send)

    return behind


def later(hours: float) -> datetime.datetime:
    """Return the moment so many hours from now."""
    return now() + datetime.timedelta(hours=hours)


@functools.cache
def really_protected() -> Done:
    """Return what the real kind makes of the sample photo with the embedded detector and few steps."""
    return Protect().run(_work({"detectors": ["mtcnn"], "steps": 3}))


@functools.cache
def really_found() -> Done:
    """Return what the real search makes of the sample photo with the embedded detector."""
    return Find().run(_work({}))


def seen(*boxes: Box, small: Sequence[int] = (), of: tuple[int, int] = (512, 512)) -> Done:
    """Return a search that has found faces in these places of a photo `of` this size; some numbers are too small."""
    found = really_found()
    report = json.loads(found.made[0].data)
    report["width"], report["height"] = of
    report["faces"] = [
        {**report["faces"][0], "number": number, "large_enough": number not in small,
         "box": dict(zip(("x", "y", "width", "height"), box, strict=True))}
        for number, box in enumerate(boxes, start=1)
    ]  # fmt: skip
    faces = dataclasses.replace(found.made[0], data=json.dumps(report).encode())
    return Done((faces, *found.made[1:]), found.summary)


def _work(options: Mapping[str, Any]) -> Work:
    nowhere = Shelf(Path("nowhere"), offline=True)
    file = sample_file()
    return Work(file, "astronaut.png", options, PIXELS, nowhere, torch.device("cpu"), lambda progress: None)
