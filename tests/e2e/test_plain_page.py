"""The page where scripts do not run: choose a photo, send it, see what came of it; and what says that it needs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from tests.e2e.chromium import WIDTHS, Windows, looks_right, sized
from tests.e2e.stage import DETECTORS, Guest, Stage

ABOUT_FOUR_SECONDS = 8_000


def plain(windows: Windows, stage: Stage, guest: Guest | None = None, **more: Any) -> Page:
    """A window in which no script runs."""
    return windows.open(stage.address, guest, scripts=False, **more)


def sent(page: Page, folder: Path) -> str:
    """Send a photo through the form and return the job's id."""
    photo = folder / "할머니 생신.jpg"
    Image.new("RGB", (640, 480), "grey").save(photo, "JPEG")
    page.goto("/")
    page.locator("input[type=file]").set_input_files(photo)
    page.locator("input[value=strong]").check()
    page.get_by_role("button", name="보호하기").click()
    page.wait_for_url("**/jobs/*")
    return page.url.rpartition("/")[2]


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("dark", [False, True])
def test_the_form_fits_every_window_in_both_languages_and_themes(
    windows: Windows, stage: Stage, language: str, dark: bool
) -> None:
    page = plain(windows, stage, language=language, dark=dark)
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", language)
    for width in WIDTHS:
        page.set_viewport_size(sized(width))
        looks_right(page)
        # the first screen is already the work
        box = page.locator("input[type=file]").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900


def test_a_photo_is_sent_watched_and_cancelled_without_scripts(windows: Windows, stage: Stage, tmp_path: Path) -> None:
    page = plain(windows, stage, width=360, language="ko")
    job_id = sent(page, tmp_path)
    looks_right(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("차례를 기다려요")
    expect(page.locator("main")).to_contain_text("할머니 생신.jpg")
    stage.move(job_id, detectors={name: place % 2 == 0 for place, name in enumerate(DETECTORS)})
    # the page refreshes itself
    expect(page.get_by_text("이제 못 찾아요").first).to_be_visible()
    expect(page.locator("progress")).to_have_attribute("value", "30")
    expect(page.locator("tr")).to_have_count(len(DETECTORS))
    looks_right(page)
    assert stage.row(job_id).options == {"preset": "strong"}
    page.get_by_role("button", name="취소").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("멈추고 있어요")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_result_shows_its_pictures_and_is_deleted_by_a_button(windows: Windows, stage: Stage, width: int) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    page = plain(windows, stage, guest, width=width)
    for language, sentence in (("ko", "안전을 보장하지 않아요"), ("en", "no guarantee of safety")):
        page.goto(f"/jobs/{job_id}?lang={language}")
        looks_right(page)
        expect(page.locator("main")).to_contain_text(sentence)
        assert page.evaluate("document.querySelector('figure img').naturalWidth") > 500
        assert page.evaluate("document.querySelector('figure img').clientWidth") <= width
    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_role("status")).to_contain_text("removed")


def test_a_page_that_is_not_there_says_so_and_leads_back(windows: Windows, stage: Stage) -> None:
    windows.expect("404")
    page = plain(windows, stage, width=360)
    page.goto("/jobs/nothing")
    expect(page.locator("main")).to_contain_text("Not found")
    page.get_by_role("link", name="Back to the start").click()
    expect(page).to_have_url(re.compile("/$"))


def test_the_form_is_done_by_keyboard_alone(windows: Windows, stage: Stage) -> None:
    page = plain(windows, stage, width=360)
    page.goto("/")
    order = []
    while not order or order[-1] != "BUTTON submit":
        assert len(order) < 20
        page.keyboard.press("Tab")
        order.append(page.evaluate("(({tagName, type}) => `${tagName} ${type || ''}`.trim())(document.activeElement)"))
        # whatever has the focus shows it
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    links = len(order) - 3
    assert order == ["A"] * links + ["INPUT file", "INPUT radio", "BUTTON submit"]
    # the skip link, the name, a tab at least, and the language
    assert links >= 4


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("path", ["/archive", "/statistics"])
def test_what_only_scripts_draw_says_so_and_leads_to_what_works(
    windows: Windows, stage: Stage, path: str, language: str
) -> None:
    page = plain(windows, stage, width=360, language=language)
    page.goto(path)
    heading = {"ko": "이 화면은 스크립트가 있어야 열려요", "en": "This page needs scripts"}[language]
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    looks_right(page)
    page.locator("main a.button").click()
    expect(page.locator("input[type=file]")).to_be_visible()


@pytest.mark.parametrize("missing", ["**/*.js", "**/words.*.json"])
def test_scripts_that_do_not_arrive_leave_the_plain_page(windows: Windows, stage: Stage, missing: str) -> None:
    windows.expect("ERR_FAILED", "Failed to fetch", "preloaded")
    page = windows.open(stage.address)
    page.route(missing, lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("button", name="Protect it")).to_be_visible(timeout=ABOUT_FOUR_SECONDS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep the faces in your photo out of deepfakes")
    assert page.locator("html[data-ready]").count() == 0
    looks_right(page)


def test_the_plain_page_is_unseen_while_scripts_are_on_their_way(windows: Windows, stage: Stage) -> None:
    page = windows.open(stage.address)
    held = []
    page.route("**/app.js", lambda route: held.append(route))  # noqa: PLW0108 - the driver takes no builtin
    page.goto("/", wait_until="commit")
    page.wait_for_selector("input[type=file]", state="attached")
    # nothing is painted before the styles are there
    page.evaluate("new Promise((told) => requestAnimationFrame(told))")
    assert not page.get_by_role("button", name="Protect it").is_visible()
    held[0].continue_()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator(".plain").count() == 0
