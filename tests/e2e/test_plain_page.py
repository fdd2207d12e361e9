"""The plain page in a real Chromium, without scripts: choose a photo, send it, see what came of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select, update
from tests.e2e.browser import Tab, browsing, program
from tests.service.web.serving import serving

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Table, Worker, now
from deepguard.service.web.app import make_app

WIDTHS = (360, 768, 1280)
DETECTORS = ("retinaface", "yolo5face", "s3fd", "dsfd", "pyramidbox", "scrfd", "yunet", "ultralight", "mtcnn")
ABILITY = {
    "name": "protect",
    "summary": "protects",
    "schema": {"type": "object", "properties": {"preset": {"default": "balanced"}}, "additionalProperties": False},
    "presets": [{"name": name, "summary": "", "options": {}} for name in ("balanced", "strong", "small-faces")],
    "seconds": {"": [8, 30]},
    "results": ["picture"],
    "missing": {},
}

pytestmark = pytest.mark.skipif(program() is None, reason="Chromium is not here")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Open parts with a worker that has reported, and does nothing."""
    made = open_parts(ServiceSettings(home=tmp_path_factory.mktemp("home"), _env_file=None))
    Table.metadata.create_all(made.database.engine)
    with made.database.writing() as session:
        session.add(Worker(name="w", host="h", pid=1, version="1", abilities={"protect": ABILITY}))
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def address(parts: Parts) -> Iterator[str]:
    """Where the service answers."""
    with serving(make_app(parts)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser's tab in which no script runs."""
    with browsing(tmp_path_factory.mktemp("browser")) as lent:
        lent.without_scripts()
        yield lent


def looks_right(tab: Tab, width: int) -> None:
    """Nothing reaches out of the window, everything to press is large enough for a thumb, and nothing was refused."""
    assert tab.value("document.documentElement.scrollWidth") <= width
    small = (
        "[...document.querySelectorAll('button, a.button')].filter(e => e.getBoundingClientRect().height < 44).length"
    )
    assert tab.value(small) == 0
    broken = "[...document.images].filter(e => e.complete && e.loading != 'lazy' && e.naturalWidth == 0).length"
    assert tab.value(broken) == 0
    assert tab.complaints() == []


def sent(tab: Tab, address: str, folder: Path) -> str:
    """Send a photo through the form and return the job's id."""
    photo = folder / "할머니 생신.jpg"
    Image.new("RGB", (640, 480), "grey").save(photo, "JPEG")
    tab.open(f"{address}/?lang=ko")
    tab.choose("input[type=file]", photo)
    tab.press("input[value=strong]", follows=False)
    tab.press("form button")
    return str(tab.value("location.pathname")).rpartition("/")[2]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_the_form_fits_every_window_in_both_languages_and_themes(
    tab: Tab, address: str, language: str, width: int, dark: bool
) -> None:
    tab.resize(width, dark=dark)
    tab.open(f"{address}/?lang={language}")
    assert tab.value("document.documentElement.lang") == language
    looks_right(tab, width)
    # the first screen is already the work
    assert tab.value("document.querySelector('input[type=file]').getBoundingClientRect().bottom") < 900


def test_a_photo_is_sent_watched_and_cancelled_without_scripts(
    tab: Tab, address: str, parts: Parts, tmp_path: Path
) -> None:
    tab.resize(360)
    job_id = sent(tab, address, tmp_path)
    looks_right(tab, 360)
    assert "차례를 기다려요" in tab.value("document.body.innerText")
    assert "할머니 생신.jpg" in tab.value("document.body.innerText")
    progress = {"stage": "protect", "done": 3, "total": 10, "share": 0.3, "seconds_left": 20.0}
    detectors = {name: place % 2 == 0 for place, name in enumerate(DETECTORS)}
    with parts.database.writing() as session:
        change = {"state": State.RUNNING, "attempt": 1, "progress": progress | {"detectors": detectors}}
        session.execute(update(Job).where(Job.id == job_id).values(**change))
    # the page refreshes itself
    tab.until("document.body.innerText.includes('이제 못 찾아요')")
    assert tab.value("document.querySelector('progress').value") == 30
    assert tab.value("document.querySelectorAll('tr').length") == len(DETECTORS)
    looks_right(tab, 360)
    with parts.database.reading() as session:
        assert session.scalars(select(Job.options).where(Job.id == job_id)).one() == {"preset": "strong"}
    tab.press("form button")
    assert "멈추고 있어요" in tab.value("document.body.innerText")


def finish(parts: Parts, job_id: str) -> None:
    """End a job with results, as a worker would."""
    file = io.BytesIO()
    Image.new("RGB", (1200, 600), "grey").save(file, "PNG")
    facts = {"variant": "strong", "faces": 1, "detectors": 9, "found_before": 9, "found_after": 0, "ssim": 0.97}
    with parts.database.writing() as session:
        change = {"state": State.DONE, "ended": now(), "summary": facts | {"found_posted": {"instagram": 1}}}
        session.execute(update(Job).where(Job.id == job_id).values(**change))
        for place, name in enumerate(("picture", "comparison", "heatmap", "log")):
            key = f"results/{job_id}/1/{name}"
            parts.store.put(key, file.getvalue())
            columns: dict[str, Any] = {"filename": f"{name}.png", "media_type": "image/png", "sha256": "0" * 64}
            size = len(file.getvalue())
            session.add(Result(job_id=job_id, name=name, position=place, size=size, key=key, **columns))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_result_shows_its_pictures_and_is_deleted_by_a_button(
    tab: Tab, address: str, parts: Parts, tmp_path: Path, width: int
) -> None:
    tab.resize(width)
    job_id = sent(tab, address, tmp_path)
    finish(parts, job_id)
    for language, sentence in (("ko", "안전을 보장하지 않아요"), ("en", "no guarantee of safety")):
        tab.open(f"{address}/jobs/{job_id}?lang={language}")
        looks_right(tab, width)
        assert sentence in tab.value("document.body.innerText")
        assert tab.value("document.querySelector('figure img').naturalWidth") == 1200
        assert tab.value("document.querySelector('figure img').clientWidth") <= width
    tab.press("button.danger")
    assert "removed" in tab.value("document.querySelector('[role=status]').innerText")


def test_a_page_that_is_not_there_says_so_and_leads_back(tab: Tab, address: str) -> None:
    tab.resize(360)
    tab.open(f"{address}/jobs/nothing?lang=en")
    assert "There is nothing here" in tab.value("document.body.innerText")
    tab.press("main a.button")
    assert tab.value("location.pathname") == "/"


def test_the_form_is_done_by_keyboard_alone(tab: Tab, address: str) -> None:
    tab.resize(360)
    tab.open(f"{address}/?lang=en")
    order = []
    for _ in range(6):
        tab.key("Tab")
        order.append(tab.value("[document.activeElement.tagName, document.activeElement.type || ''].join(' ').trim()"))
        # whatever has the focus shows it
        assert tab.value("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert order == ["A", "A", "A", "INPUT file", "INPUT radio", "BUTTON submit"]
