"""What the guide's visitor has the service do, asked for as the page asks."""

from __future__ import annotations

import sys
import time
from typing import Any

from playwright.sync_api import APIRequestContext

from deepguard.media.sample import sample_file

API = "/api/v1"
ACTIVE = {"queued", "running", "cancelling"}
FAR = 0.45
"""Share of the whole from which on some programs have usually lost the face."""
PAUSE = 0.1
QUICK: tuple[dict[str, Any], ...] = (
    {"steps": 6},
    {"steps": 4, "strength": 0.5},
    {"steps": 4, "filters": {"warmth": 0.4}},
)
"""Options of further jobs, so that the archive has something to show."""


def begun(request: APIRequestContext, name: str = "astronaut.png", kind: str = "protect", **options: Any) -> str:
    """Send the sample photo, ask for it to be protected or checked, and return the job's id."""
    photo = {"name": name, "mimeType": "image/png", "buffer": sample_file().read_bytes()}
    upload = _answer(request.post(f"{API}/uploads", multipart={"file": photo}))
    wish = {"kind": kind, "upload": upload["id"], "options": options}
    return str(_answer(request.post(f"{API}/jobs", data=wish))["id"])


def far_enough(request: APIRequestContext, job: str) -> None:
    """Wait until a job is about half done."""
    while (seen := _answer(request.get(f"{API}/jobs/{job}")))["state"] in ACTIVE:
        if seen["progress"].get("share", 0) >= FAR:
            return
        time.sleep(PAUSE)


def ended(request: APIRequestContext, job: str) -> None:
    """Wait until a job is over; end the program where it made nothing."""
    while (seen := _answer(request.get(f"{API}/jobs/{job}")))["state"] in ACTIVE:
        time.sleep(PAUSE)
    if seen["state"] != "done":
        sys.exit(f"the job ended as {seen['state']}: {seen['error']}")


def filled(request: APIRequestContext) -> None:
    """Do some more with the photo, quickly."""
    for place, options in enumerate(QUICK):
        ended(request, begun(request, f"astronaut-{place + 2}.png", **options))


def _answer(answer: Any) -> dict[str, Any]:
    if not answer.ok:
        sys.exit(f"{answer.url} answered {answer.status}: {answer.text()}")
    read: dict[str, Any] = answer.json()
    return read
