"""The example of the page is put among the views, and looked at in Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.e2e.chromium import Windows, browsing, opened, program
from tests.service.web.conftest import TestClient
from tests.service.web.markup import Markup
from tests.service.web.pages import HTML, TOKEN, done, enter
from tests.service.web.serving import serving

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Job, Table
from deepguard.service.web import assets, shell, views, words
from deepguard.service.web.app import make_app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-view.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAME = "brightness"


class Visitor:
    """Whose job is looked at."""

    token = TOKEN


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the page's files with the example among them."""
    copy = tmp_path / "static"
    shutil.copytree(words.STATIC, copy)
    folder = copy / "views" / NAME
    folder.mkdir()
    for name, text in re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(text, encoding="utf-8")
    for module in (assets, shell, views, words):
        monkeypatch.setattr(module, "STATIC", copy)
    monkeypatch.setattr(words, "WORDS", words.read_words(words.files()))
    forget()
    yield copy
    monkeypatch.undo()
    forget()


@pytest.fixture
def parts(static: Path, tmp_path: Path) -> Iterator[Parts]:
    made = open_parts(ServiceSettings(home=tmp_path / "home", _env_file=None))
    Table.metadata.create_all(made.database.engine)
    yield made
    made.database.close()


def forget() -> None:
    """Have the files read anew."""
    for each in (assets.assets, assets.version, views.views, views.styles):
        each.cache_clear()


def counted(parts: Parts, client: TestClient) -> str:
    """A job of the example's kind that is done."""
    job_id = done(parts, enter(parts, client), bands=16)
    with parts.database.writing() as session:
        session.get_one(Job, job_id).kind = "histogram"
    return job_id


def test_the_pages_example_has_a_tab_in_both_languages_and_an_address_without_scripts(parts: Parts) -> None:
    with TestClient(make_app(parts)) as client:
        for language, name in (("en", "Brightness"), ("ko", "밝기")):
            page = client.get(f"/?lang={language}", headers=HTML)
            links = [each["href"] for each in Markup(page.text).all("a")]
            assert "/brightness" in links
            assert f">{name}</a>" in page.text
        assert client.get("/brightness", headers=HTML).status_code == 200


def test_the_pages_example_is_shown_in_chromium(parts: Parts) -> None:
    if program() is None:
        pytest.skip("Chromium is not here")
    app = make_app(parts)
    with TestClient(app) as client, serving(app) as port, browsing() as browser:
        job_id = counted(parts, client)
        windows = Windows(browser)
        window = windows.open(f"http://127.0.0.1:{port}", Visitor(), language="ko")
        opened(window, f"/{NAME}")
        expect(window.get_by_role("heading", level=1)).to_have_text("밝기를 세어 본 사진")
        expect(window.locator(".lead")).to_have_text("사진 1장을 세어 봤어요.")
        opened(window, f"/jobs/{job_id}")
        expect(window.get_by_text("밝기를 16칸으로 나누었어요.")).to_be_visible()
        windows.close()


def test_the_pages_example_is_typed(static: Path, tmp_path: Path) -> None:
    compiler = ROOT / "out" / "types" / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip("the TypeScript compiler is not here; make types brings it")
    settings = (ROOT / "tsconfig.json").read_text(encoding="utf-8")
    include = re.sub(r'"include": \[.*?\]', f'"include": ["static/views/{NAME}/*.js"]', settings)
    (tmp_path / "tsconfig.json").write_text(include, encoding="utf-8")
    done = subprocess.run([compiler, "-p", tmp_path], capture_output=True, text=True, check=False)
    own = [line for line in done.stdout.splitlines() if f"views/{NAME}/" in line]
    assert own == []
    # it would have been noticed
    (static / "views" / NAME / "result.js").write_text("say(1);\n", encoding="utf-8")
    wrong = subprocess.run([compiler, "-p", tmp_path], capture_output=True, text=True, check=False)
    assert f"views/{NAME}/result.js" in wrong.stdout


def test_what_the_page_says_of_a_view_is_all_that_there_is() -> None:
    _, fields = (table for table in re.findall(r"((?:^\|.*\n)+)", TEXT, re.MULTILINE) if "| promise |" in table)
    named = re.findall(r"^\| `(\w+)`", fields, re.MULTILINE)
    # the name is the folder's
    assert {*named, "name"} == set(views.View.__dataclass_fields__)


def test_every_file_and_function_that_the_page_names_exists() -> None:
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", TEXT):
        assert (ROOT / path).is_file()
    scripts = "".join(each.read_text(encoding="utf-8") for each in (words.STATIC / "core").glob("*.js"))
    functions = ("say", "h", "number", "percent", "duration", "moment", "address", "apiAddress", "resultAddress")
    for name in (*functions, "fault", "problemOf", "sentence", "known"):
        assert f"`{name}" in TEXT or f"({name}(" in TEXT
        assert re.search(rf"^export (?:async )?function {name}\b", scripts, re.MULTILINE), name
