"""The archive and the statistics: searched, narrowed, cleared, long, live, empty, closed."""

from __future__ import annotations

import datetime
import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.choosing import BOTH, EN
from tests.e2e.chromium import Windows, opened
from tests.e2e.screens import several
from tests.e2e.stage import Stage

from deepguard.service.tables import Outcome, now
from deepguard.service.web.words import Words


def cards(page: Page) -> list[str]:
    """The names on the cards, in their order."""
    return page.get_by_role("article").locator("a").all_inner_texts()


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_the_archive_is_searched_and_narrowed_and_a_reload_keeps_both(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    guest, say = stage.guest(), Words(language)
    several(stage, guest)
    page = opened(windows.open(stage.address, guest, language=language, width=width), "/archive")
    expect(page.get_by_role("article")).to_have_count(4)
    assert cards(page) == ["me.webp", "우리 반.heic", "holiday.jpg", "할머니 생신.png"]
    page.get_by_role("searchbox", name=say("archive.search")).fill("생신")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("article")).to_contain_text(say("job.done"))
    page.get_by_role("radio", name=say("archive.is.failed")).check(force=True)
    expect(page.locator("main")).to_contain_text(say("archive.nothing"))
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("생신")
    expect(page.get_by_role("radio", name=say("archive.is.failed"))).to_be_checked()
    page.get_by_role("button", name=say("archive.clear")).click()
    expect(page.get_by_role("article")).to_have_count(4)


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_the_archive_is_narrowed_by_kind_and_a_reload_keeps_it(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    guest, say = stage.guest(), Words(language)
    several(stage, guest)
    stage.job(guest, kind="detect", options={}, name="interview.mp4")
    page = opened(windows.open(stage.address, guest, language=language, width=width), "/archive")
    expect(page.get_by_role("article")).to_have_count(5)
    kinds = page.get_by_role("group", name=say("archive.kind"))
    kinds.get_by_role("radio", name=say("tab.detect")).check(force=True)
    expect(page.get_by_role("article")).to_have_count(1)
    assert cards(page) == ["interview.mp4"]
    page.reload()
    expect(kinds.get_by_role("radio", name=say("tab.detect"))).to_be_checked()
    expect(page.get_by_role("article")).to_have_count(1)
    kinds.get_by_role("radio", name=say("tab.protect")).check(force=True)
    expect(page.get_by_role("article")).to_have_count(4)
    page.get_by_role("radio", name=say("archive.is.expired")).check(force=True)
    page.get_by_role("button", name=say("archive.clear")).click()
    expect(page.get_by_role("article")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_cards_live_and_are_cancelled_from_the_archive(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    done, running, waiting, _ = several(stage, guest)
    page = opened(windows.open(stage.address, guest), "/archive")
    page.get_by_role("button", name=EN("archive.cancel", name="우리 반.heic")).click()
    card = page.locator(f"[data-job='{waiting}']")
    expect(card).to_contain_text(EN("job.cancelled"))
    stage.finish(running)
    expect(page.locator(f"[data-job='{running}']")).to_contain_text(EN("job.done"))
    page.locator(f"[data-job='{done}']").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))


@pytest.mark.parametrize("language", ["ko", "en"])
def test_several_are_deleted_after_a_question_and_what_is_refused_is_named(
    stage: Stage, windows: Windows, language: str
) -> None:
    guest, say = stage.guest(), Words(language)
    several(stage, guest)
    page = opened(windows.open(stage.address, guest, language=language, width=360), "/archive")
    for name in ("할머니 생신.png", "holiday.jpg", "me.webp"):
        page.get_by_role("checkbox", name=say("archive.choose", name=name)).check()
    bar = page.get_by_role("region", name=say("archive.bar"))
    expect(bar).to_contain_text(say("archive.chosen", count=3))
    bar.get_by_role("button", name=say("archive.delete"), exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=say("archive.delete.no")).click()
    assert len(stage.rows(guest)) == 4
    bar.get_by_role("button", name=say("archive.delete"), exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=say("archive.delete"), exact=True).click()
    expect(page.get_by_role("article")).to_have_count(2)
    refused = page.locator(".archive-refused")
    expect(refused).to_contain_text("holiday.jpg")
    expect(refused).to_contain_text(say("archive.refused.active"))
    expect(refused).to_be_focused()
    assert {job.name for job in stage.rows(guest)} == {"holiday.jpg", "우리 반.heic"}


def test_two_hundred_jobs_come_page_by_page_and_by_keyboard(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    upload = stage.upload(guest)
    for number in range(200):
        stage.job(guest, upload=upload, name=f"photo {number:03}.jpg")
    page = opened(windows.open(stage.address, guest), "/archive")
    articles = page.get_by_role("article")
    expect(articles.first).to_contain_text("photo 199.jpg")
    assert articles.count() < 200
    page.get_by_role("button", name=EN("archive.more")).press("Enter")
    # whoever goes on by keyboard is led to what came
    expect(page.locator("article a:focus")).to_have_count(1)
    while articles.count() < 200:
        page.keyboard.press("End")
        page.evaluate("new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)))")
    expect(page.locator("main")).to_contain_text(EN("archive.count", count=200))
    assert len(set(cards(page))) == 200


def test_the_back_button_leads_to_where_the_archive_was_left(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    upload = stage.upload(guest)
    for number in range(60):
        stage.fail(stage.job(guest, upload=upload, name=f"photo {number:02}.jpg"))
    page = opened(windows.open(stage.address, guest, width=360), "/archive")
    articles = page.get_by_role("article")
    expect(articles.first).to_be_visible()
    while articles.count() < 60:
        page.keyboard.press("End")
        page.evaluate("new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)))")
    link = page.get_by_role("link", name="photo 05.jpg")
    link.scroll_into_view_if_needed()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.failed"))
    page.go_back()
    expect(link).to_be_in_viewport()


def test_an_archive_in_another_tab_that_deletes_first_is_no_error(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    done = several(stage, guest)[0]
    page = opened(windows.open(stage.address, guest), "/archive")
    page.get_by_role("checkbox", name=EN("archive.choose", name="할머니 생신.png")).check()
    stage.delete(done)
    page.get_by_role("button", name=EN("archive.delete"), exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=EN("archive.delete"), exact=True).click()
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.locator(".archive-refused")).to_have_count(0)


def test_an_archive_that_cannot_be_asked_says_so_and_asks_again(stage: Stage, windows: Windows) -> None:
    windows.expect("ERR_FAILED")
    guest = stage.guest()
    several(stage, guest)
    page = windows.open(stage.address, guest)
    page.route("**/api/v1/jobs?*", lambda route: route.abort())
    opened(page, "/archive")
    expect(page.get_by_role("alert")).to_contain_text(EN("error.network"))
    page.unroute_all()
    page.get_by_role("button", name=EN("fault.reload")).click()
    expect(page.get_by_role("article")).to_have_count(4)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_several_at_once_are_followed_saved_and_cancelled_together(
    stage: Stage, windows: Windows, language: str
) -> None:
    guest, say = stage.guest(), Words(language)
    ids = [stage.job(guest, name=name) for name in ("one.png", "two.png", "three.png")]
    page = opened(windows.open(stage.address, guest, language=language), f"/archive?jobs={','.join(ids)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(say("archive.batch.title", count=3))
    assert cards(page) == ["one.png", "two.png", "three.png"]
    stage.finish(ids[0])
    stage.finish(ids[1])
    expect(page.locator("main")).to_contain_text(say("archive.batch.ready", total=3, ready=2))
    page.get_by_role("button", name=say("archive.batch.cancel")).click()
    expect(page.locator(f"[data-job='{ids[2]}']")).to_contain_text(say("job.cancelled"))
    saved = []
    page.on("download", lambda file: saved.append(file))  # noqa: PLW0108 - the driver takes no builtin
    with page.expect_event("download", lambda file: len(saved) == 2):
        page.get_by_role("button", name=say("archive.batch.all", count=2)).click()
    assert {each.path().read_bytes() for each in saved} == {stage.protected.made[0].data}


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_statistics_are_read_in_words_and_in_tables(stage: Stage, windows: Windows, language: str, width: int) -> None:
    say = Words(language)
    with stage.parts.database.writing() as session:
        for day in range(3):
            ended = now() - datetime.timedelta(days=day)
            facts = {"kind": "protect", "variant": "balanced", "megapixels": 2.0, "seconds": 30.0 + day}
            session.add(Outcome(ended=ended, state="done", found_before=9, found_after=1, **facts))
            session.add(Outcome(ended=ended, state="failed", code="no_face", **facts))
    page = opened(windows.open(stage.address, language=language, width=width), "/statistics")
    page.get_by_role("heading", name=say("statistics.jobs")).wait_for()
    for title in ("jobs", "seconds", "effect", "failures"):
        expect(page.get_by_role("heading", name=say(f"statistics.{title}"))).to_be_visible()
    expect(page.locator("main")).to_contain_text(say("statistics.effect.honest"))
    page.get_by_text(say("statistics.table")).first.click()
    expect(page.get_by_role("table").first).to_be_visible()
    texts = page.locator("svg text").evaluate_all(
        "(all) => all.map((each) => parseFloat(getComputedStyle(each).fontSize) * each.getCTM().a)"
    )
    assert min(texts) >= 12
    page.get_by_role("radio", name=re.compile("^7")).check(force=True)
    expect(page).to_have_url(re.compile("days=7"))
    page.reload()
    expect(page.get_by_role("radio", name=re.compile("^7"))).to_be_checked()


def test_statistics_that_are_not_public_say_so(stage: Stage, windows: Windows) -> None:
    windows.expect("401", "403")
    with stage.settled(public_statistics=False):
        page = opened(windows.open(stage.address), "/statistics")
        expect(page.get_by_role("alert")).to_contain_text(EN("statistics.closed"))
        expect(page.get_by_role("alert")).to_contain_text(EN("statistics.closed.text"))


def test_an_archive_of_nobody_leads_to_the_first_photo(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address), "/archive")
    expect(page.locator("main")).to_contain_text(EN("archive.empty"))
    page.get_by_role("link", name=EN("archive.start")).click()
    expect(page.get_by_role("button", name=EN("start.file"))).to_be_visible()


def test_nobody_sees_what_another_has_made(stage: Stage, windows: Windows) -> None:
    several(stage, stage.guest())
    page = opened(windows.open(stage.address, stage.guest()), "/archive")
    expect(page.locator("main")).to_contain_text(EN("archive.empty"))
