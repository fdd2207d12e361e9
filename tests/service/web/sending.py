"""Sending files in tests, and looking at what is kept of them."""

from __future__ import annotations

import io
import time
from pathlib import Path

from fastapi import FastAPI
from PIL import Image
from sqlalchemy import func, select
from starlette.testclient import TestClient
from tests.service.web.serving import BOUNDARY

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table, Upload
from deepguard.service.web.app import make_app

UPLOADS = "/api/v1/uploads"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def picture(container: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(buffer, container)
    return buffer.getvalue()


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
