"""The page as an app: what the browser keeps of it, what it says without a connection, and that nothing old stays."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.chromium import Windows, looks_right, opened
from tests.e2e.stage import Stage

from deepguard.service.web import assets

GONE = "ERR_INTERNET_DISCONNECTED"
OUTLINE = "rgb(1, 2, 3)"
OUTLINED = "getComputedStyle(document.body).outlineColor"
IN_CHARGE = """() => navigator.serviceWorker.ready.then(() => navigator.serviceWorker.controller
  || new Promise((heard) => navigator.serviceWorker.addEventListener('controllerchange', heard))).then(() => true)"""
KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    found[name] = (await (await caches.open(name)).keys()).map((each) => new URL(each.url).pathname);
  }
  return found;
}"""

DROPPED = """async (name) => {
  while ((await caches.keys()).includes(name)) await new Promise((later) => setTimeout(later, 20));
}"""


@pytest.fixture
def page(windows: Windows, stage: Stage) -> Iterator[Page]:
    """A phone's window in which the service worker is in charge, in Korean; breaks of its connection are expected."""
    windows.expect(GONE)
    page = windows.open(stage.address, width=360, language="ko", service_workers="allow")
    opened(page, "/help")
    assert page.evaluate(IN_CHARGE)
    yield page
    page.context.set_offline(False)


def test_a_notice_stands_under_the_bar_while_there_is_no_connection(page: Page) -> None:
    notice = page.get_by_text("연결이 끊겼어요.")
    expect(notice).to_have_count(0)
    page.context.set_offline(True)
    expect(notice).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("연결이 끊겼어요.")
    looks_right(page)
    page.context.set_offline(False)
    expect(notice).to_have_count(0)


def test_without_a_connection_a_page_says_so_and_opens_again_by_itself(page: Page) -> None:
    page.context.set_offline(True)
    opened(page, "/archive?state=done")
    expect(page.get_by_role("heading", level=1)).to_have_text("지금은 서버에 닿지 않아요")
    looks_right(page)
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=1)).to_have_text("보관함")
    assert page.url.endswith("/archive?state=done")


def test_the_page_without_a_connection_is_in_the_language_and_theme_that_were_chosen(page: Page) -> None:
    opened(page, "/help?lang=en")
    page.get_by_role("button", name="Switch to the dark theme").click()
    page.context.set_offline(True)
    opened(page, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("The service cannot be reached")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_browser_keeps_the_pages_own_files_and_nothing_of_a_visitors(page: Page) -> None:
    opened(page, "/")
    opened(page, "/archive")
    page.evaluate("fetch('/api/v1/version')")
    kept = page.evaluate(KEPT)
    paths = [path for each in kept.values() for path in each]
    assert any(path.endswith("/app.js") for path in paths)
    assert {path for path in paths if not path.startswith("/static/")} == {"/offline"}
    # one cache of files, and one for the language
    assert sorted(name.startswith("deepguard/ ") for name in kept) == [True, True]


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Call it and the service is a newer version, in which the page has an outline."""

    def update() -> None:
        path, found = "style/base.css", assets.assets()
        body = found[path].body + f"\nbody {{ outline: 1px solid {OUTLINE}; }}".encode()
        changed = replace(found[path], body=body, packed=gzip.compress(body))
        monkeypatch.setattr(assets, "assets", lambda: MappingProxyType({**found, path: changed}))
        assets.version.cache_clear()

    yield update
    monkeypatch.undo()
    assets.version.cache_clear()


def test_a_new_version_is_shown_at_once_and_the_old_one_is_not_kept(page: Page, newer: Callable[[], None]) -> None:
    [old] = [name for name in page.evaluate(KEPT) if not name.endswith("language")]
    assert page.evaluate(OUTLINED) != OUTLINE
    newer()
    opened(page, "/help")
    assert page.evaluate(OUTLINED) == OUTLINE
    page.evaluate(DROPPED, old)
    # what is kept is the new version now
    page.context.set_offline(True)
    opened(page, "/help")
    expect(page.locator("[data-offline]")).to_be_visible()
    assert page.evaluate(OUTLINED) == OUTLINE
