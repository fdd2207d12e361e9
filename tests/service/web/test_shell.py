"""What makes the page an app, and the help: as the server gives them, in both languages and below a prefix."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.service.web.conftest import TestClient
from tests.service.web.markup import Markup, words
from tests.service.web.pages import HTML, KOREAN, assert_only_our_scripts

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table, Worker
from deepguard.service.web import assets
from deepguard.service.web.app import make_app
from deepguard.service.web.words import LANGUAGES

MODELS = {
    "mtcnn": {"role": "detector", "available": True},
    "scrfd": {"role": "detector", "available": False, "missing": "deepguard models pull scrfd"},
    "yunet": {"role": "detector", "available": False, "fault": "it broke"},
    "lpips": {"role": "measure", "available": True},
}


def manifest_of(client: httpx.Client, page: str = "/") -> dict[str, Any]:
    """The manifest that a page names."""
    links = Markup(client.get(page, headers=HTML).text).all("link")
    [address] = [str(each["href"]) for each in links if each["rel"] == "manifest"]
    answer = client.get(address)
    assert answer.headers["content-type"] == "application/manifest+json"
    read: dict[str, Any] = answer.json()
    return read


def shell_of(client: httpx.Client, address: str = "/sw.js") -> dict[str, Any]:
    """What the service worker is told to keep."""
    [told] = re.findall(r"^self\.shell = (\{.*\});$", client.get(address).text, re.MULTILINE)
    read: dict[str, Any] = json.loads(told)
    return read


def test_the_manifest_speaks_the_pages_language(client: httpx.Client) -> None:
    english, korean = manifest_of(client), manifest_of(client, "/?lang=ko")
    assert (english["name"], english["lang"], korean["name"], korean["lang"]) == ("Deepguard", "en", "딥가드", "ko")
    # an app stays the same one when its language changes
    assert english["id"] == korean["id"] == "/"
    assert [each["url"] for each in english["shortcuts"]] == ["/detect", "/archive", "/statistics"]


def test_every_icon_of_the_manifest_is_a_picture_of_the_size_that_it_says(client: httpx.Client) -> None:
    icons = manifest_of(client)["icons"]
    assert {each["purpose"] for each in icons} == {"any", "maskable"}
    for each in icons:
        answer = client.get(each["src"])
        assert answer.headers["content-type"] == each["type"]
        if each["sizes"] != "any":
            assert "x".join(map(str, Image.open(io.BytesIO(answer.content)).size)) == each["sizes"]
    assert sum(len(client.get(each["src"]).content) for each in icons) < 20_000


def test_the_service_worker_is_asked_for_anew_and_may_fetch_from_its_own_site_only(client: httpx.Client) -> None:
    answer = client.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'"


def test_the_service_worker_keeps_what_any_page_needs_and_all_of_it_is_there(client: httpx.Client) -> None:
    shell = shell_of(client)
    page = Markup(client.get("/offline", headers=HTML).text)
    named = {str(each.get("href") or each.get("src")) for tag in ("link", "script", "img") for each in page.all(tag)}
    files = {each for each in named if each.startswith("/static/") and not each.endswith(".png")}
    assert len(files) > 8
    assert files <= set(shell["files"])
    assert all(client.get(each).status_code == 200 for each in shell["files"])
    for language in LANGUAGES:
        kept = client.get(shell["offline"][language], headers={"Accept": "text/html"})
        assert Markup(kept.text).all("html")[0]["lang"] == language


def test_the_service_worker_changes_with_any_file_and_not_with_the_visitor(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/sw.js").text
    client.cookies.set("deepguard_theme", "dark")
    assert client.get("/sw.js", headers=KOREAN).text == first
    monkeypatch.setattr(assets, "version", lambda: "0" * 12)
    assert shell_of(client)["version"] not in first


def test_the_page_without_a_connection_says_what_needs_it(client: httpx.Client) -> None:
    page = client.get("/offline", headers=HTML)
    assert_only_our_scripts(page.text)
    for promise in ("opens again by itself", "To protect photos", "still on this device"):
        assert promise in words(page)
    korean = words(client.get("/offline", headers=KOREAN))
    for promise in ("저절로 다시 열려요", "서버에 닿아야 해요", "이 기기에 그대로 있어요"):
        assert promise in korean


def test_below_a_prefix_the_app_begins_and_ends_there(tmp_path: Path) -> None:
    parts = open_parts(ServiceSettings(home=tmp_path, root_path="/deepguard", _env_file=None))
    Table.metadata.create_all(parts.database.engine)
    with TestClient(make_app(parts)) as client:
        told = client.get("/manifest.webmanifest").json()
        shell = shell_of(client)
    addresses = [told["id"], told["start_url"], told["scope"], *(each["src"] for each in told["icons"])]
    addresses += [*(each["url"] for each in told["shortcuts"]), *shell["files"], *shell["offline"].values()]
    assert [each for each in addresses if not each.startswith("/deepguard/")] == []
    assert shell["root"] == "/deepguard"


def test_the_help_says_what_it_does_not_do_and_how_long_photos_are_kept(client: httpx.Client) -> None:
    page = client.get("/help", headers=HTML)
    assert {"limits", "photos", "tested", "keys"} <= {str(each.get("id")) for each in Markup(page.text).all("section")}
    text = words(page)
    for promise in ("guarantees nothing", "already online", "Screenshots", "Only programs can be", "after 24 hours"):
        assert promise in text
    assert "has just started" in text
    korean = words(client.get("/help", headers=KOREAN))
    for promise in ("안전을 보장하지 않아요", "이미 올린 사진", "24시간 뒤에", "학습에는 쓰지 않아요"):
        assert promise in korean


def test_the_help_names_the_programs_that_a_photo_is_tested_against_here(parts: Parts, client: httpx.Client) -> None:
    with parts.database.writing() as session:
        session.add(Worker(name="w", host="h", pid=1, version="1", health={"models": MODELS}))
    text = words(client.get("/help", headers=HTML))
    assert re.search(r"MTCNN \S+ tested\b", text)
    assert re.search(r"SCRFD \S+ not tested: its model is not here", text)
    assert re.search(r"YuNet \S+ not tested: it does not work now", text)
    assert "lpips" not in text.lower()


def test_every_page_leads_to_the_help(client: httpx.Client) -> None:
    for path in ("/", "/help", "/offline", "/nothing"):
        links = Markup(client.get(path, headers=HTML).text).all("a")
        [link] = [each for each in links if each["href"] == "/help"]
        assert (link.get("aria-current") == "page") == (path == "/help")
