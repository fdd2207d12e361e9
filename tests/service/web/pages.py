"""What tests of the page share: a visitor, jobs in every state, and what a page tells its scripts."""

from __future__ import annotations

import datetime
import io
import json
import re
from typing import Any

import httpx
from PIL import Image
from tests.service.web.markup import Markup

from deepguard.service import jobs, keys
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Result, Upload, Visit, Worker, now
from deepguard.service.web.access import COOKIE

HTML = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "en"}
KOREAN = HTML | {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}
TOKEN = "a visitor's token"
HOSTILE = '<script>alert("x")</script>.jpg'
PRESETS = ("balanced", "strong", "small-faces", "brand-new")
ABILITY = {
    "name": "protect",
    "summary": "protects",
    "schema": {
        "type": "object",
        "properties": {"preset": {"enum": list(PRESETS), "default": "balanced"}},
        "additionalProperties": False,
    },
    "presets": [{"name": name, "summary": f"about {name}", "options": {}} for name in PRESETS],
    "seconds": {"": [8, 30]},
    "results": ["picture"],
    "missing": {},
}


def employ(parts: Parts) -> None:
    with parts.database.writing() as session:
        session.add(Worker(name="w", host="h", pid=1, version="1", abilities={"protect": ABILITY}))


def enter(parts: Parts, client: httpx.Client) -> str:
    """Make the browser a visit and return the owner that it is."""
    with parts.database.writing() as session:
        visit = Visit(id="00000000-0000-0000-0000-000000000001", token_hash=keys.hashed(TOKEN))
        session.add(visit)
    client.cookies.set(COOKIE, TOKEN)
    return f"visit:{visit.id}"


def give(parts: Parts, owner: str, state: State, **columns: Any) -> str:
    """Write down a job in a state and return its id."""
    later = now() + datetime.timedelta(hours=23)
    upload = Upload(
        id="00000000-0000-0000-0000-00000000000a", owner=owner, name=HOSTILE, container="JPEG", size=1, sha256="0",
        created=now(), expires=later,
    )  # fmt: skip
    job = jobs.new_job(kind="protect", owner=owner, name=HOSTILE, upload_id=upload.id, options={}, expires=later)
    job.id, job.state = "00000000-0000-0000-0000-00000000000b", state
    for name, value in columns.items():
        setattr(job, name, value)
    with parts.database.writing() as session:
        session.add_all([upload, job])
    return job.id


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "grey").save(file, "JPEG")
    return file.getvalue()


def done(parts: Parts, owner: str, **summary: Any) -> str:
    facts = {"variant": "balanced", "faces": 1, "detectors": 9, "found_before": 9, "found_after": 0}
    job_id = give(parts, owner, State.DONE, ended=now(), summary=facts | summary)
    with parts.database.writing() as session:
        for place, name in enumerate(("picture", "view", "comparison", "heatmap", "thumbnail", "log")):
            key = f"results/{job_id}/1/{name}"
            parts.store.put(key, name.encode())
            session.add(
                Result(
                    job_id=job_id, name=name, position=place, filename=f"{name}.bin", media_type="image/png",
                    size=len(name), sha256="0" * 64, key=key,
                )
            )  # fmt: skip
    return job_id


def boot_of(text: str) -> dict[str, Any]:
    """What the page tells its scripts."""
    [(kind, told)] = re.findall(r'<script type="([\w/]+)" id="boot">(.*?)</script>', text)
    assert kind == "application/json"
    read: dict[str, Any] = json.loads(told)
    return read


def assert_only_our_scripts(text: str) -> None:
    """There are two script elements: data, and one module of our own."""
    data, module = Markup(text).all("script")
    assert data == {"type": "application/json", "id": "boot"}
    assert module == {"type": "module", "src": f"{boot_of(text)['assets']}/app.js"}
    assert str(module["src"]).startswith("/static/")
