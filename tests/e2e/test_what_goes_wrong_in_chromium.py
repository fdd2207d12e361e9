"""What can go wrong: files that are no photos, limits, a service that is not ready, a network that breaks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import delete
from tests.e2e.choosing import EN, choose, face, file, start, starter
from tests.e2e.chromium import Windows, opened, ready
from tests.e2e.stage import Guest, Stage, really_found

from deepguard.service.tables import Worker
from deepguard.service.web.words import Words

REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "empty": (file("empty.jpg", b""), "protect.empty"),
    "text": (file("letter.txt", b"Dear grandmother"), "error.unreadable_image"),
    "drawing": (file("drawing.svg", b"<svg/>"), "error.unsupported_image"),
    "damaged": (file("damaged.jpg", b"MZ" + bytes(500)), "error.unreadable_image"),
}
PROBLEM = {"message": "x", "request_id": "r", "details": {}}


def answers(page: Page, path: str, status: int, code: str, **headers: str) -> None:
    """Let the service refuse a request."""

    def refuse(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=status, json={"code": code, **PROBLEM}, headers=headers)
        else:
            route.continue_()

    page.route(path, refuse)


def chosen(stage: Stage, windows: Windows, guest: Guest, language: str = "en", width: int = 1280) -> Page:
    """A window in which a photo can be started."""
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    with stage.finding(really_found()):
        choose(page)
        expect(face(page, 1, say=Words(language))).to_be_visible()
    return page


@pytest.mark.parametrize(
    ("name", "language", "width"),
    [
        ("empty", "ko", 360),
        ("text", "en", 1280),
        ("drawing", "ko", 360),
        ("damaged", "en", 1280),
        ("damaged", "ko", 360),
    ],
)
def test_a_file_that_is_no_photo_says_so_beside_it_and_the_others_go_on(
    stage: Stage, windows: Windows, name: str, language: str, width: int
) -> None:
    windows.expect("415", "422")
    guest, say = stage.guest(), Words(language)
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    wrong, key = REFUSED[name]
    with stage.finding(really_found()):
        choose(page, wrong, file())
        expect(page.get_by_role("listitem").filter(has_text=wrong["name"])).to_contain_text(say(key))
        expect(page.locator(".protect-stage")).not_to_contain_text(say("protect.blank"))
        expect(starter(page, say)).to_have_attribute("aria-disabled", "false")
    start(page, say)
    assert [job.name for job in stage.rows(guest)] == ["astronaut.png"]


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(stage: Stage, windows: Windows) -> None:
    with stage.settled(upload_bytes=100_000):
        page = opened(windows.open(stage.address, stage.guest()))
        expect(page.locator("main")).to_contain_text("98 kB")
        sent = []
        page.on("request", lambda request: sent.append(request.url))
        choose(page)
        expect(page.get_by_role("listitem")).to_contain_text(EN("error.too_large"))
        assert not [url for url in sent if url.endswith("/uploads")]
        expect(starter(page)).to_have_attribute("aria-disabled", "true")


def test_a_photo_of_too_many_pixels_is_refused_in_words(stage: Stage, windows: Windows) -> None:
    windows.expect("413", "422")
    with stage.settled(pixels=100_000):
        page = opened(windows.open(stage.address, stage.guest()))
        choose(page)
        expect(page.get_by_role("listitem")).to_contain_text(EN("error.image_too_large"))


def test_of_too_many_photos_the_first_ones_are_taken(stage: Stage, windows: Windows) -> None:
    with stage.settled(queue_length_each=2):
        page = opened(windows.open(stage.address, stage.guest()))
        expect(page.locator("main")).to_contain_text("removed after")
        with stage.finding(really_found()):
            choose(page, file("one.png"), file("two.png"), file("three.png"))
            expect(page.get_by_role("status").filter(has_text=EN("protect.many", most=2))).to_be_visible()
            expect(page.get_by_role("listitem")).to_have_count(2)
            expect(starter(page, count=2)).to_have_attribute("aria-disabled", "false")


@pytest.mark.parametrize(
    ("status", "code", "language"),
    [
        (429, "rate", "ko"), (429, "quota", "en"), (429, "queue_full", "ko"), (503, "database_down", "en"),
        (503, "starting", "ko"), (507, "disk_full", "en"), (507, "disk_full", "ko"),
    ],
)  # fmt: skip
def test_a_service_that_cannot_take_more_says_so_and_nothing_is_lost(
    stage: Stage, windows: Windows, status: int, code: str, language: str
) -> None:
    windows.expect(str(status))
    guest, say = stage.guest(), Words(language)
    page = chosen(stage, windows, guest, language, 360)
    answers(page, "**/api/v1/jobs", status, code)
    starter(page, say).click()
    expect(page.get_by_role("alert").filter(has_text=say.error(code))).to_be_visible()
    page.unroute_all()
    start(page, say)
    assert len(stage.rows(guest)) == 1


def test_before_a_worker_has_reported_the_page_says_so_and_goes_on_by_itself(stage: Stage, windows: Windows) -> None:
    windows.expect("503")
    with stage.parts.database.writing() as session:
        session.execute(delete(Worker))
    try:
        page = opened(windows.open(stage.address, stage.guest(), width=360))
        expect(page.get_by_role("status").filter(has_text=EN("starting.title"))).to_be_visible()
    finally:
        stage.employ()
    expect(page.get_by_role("radio", name=EN("preset.balanced"))).to_be_visible()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_photo_whose_sending_breaks_is_sent_again_by_a_button(stage: Stage, windows: Windows, language: str) -> None:
    windows.expect("ERR_FAILED")
    guest, say = stage.guest(), Words(language)
    page = opened(windows.open(stage.address, guest, language=language, width=360))
    page.route("**/api/v1/uploads", lambda route: route.abort())
    choose(page)
    expect(page.get_by_role("listitem")).to_contain_text(say("protect.broken"))
    expect(starter(page, say)).to_have_attribute("aria-disabled", "true")
    page.unroute_all()
    with stage.finding(really_found()):
        page.get_by_role("button", name=say("protect.again")).click()
        expect(face(page, 1, say=say)).to_be_visible()
    start(page, say)
    assert len(stage.rows(guest)) == 1


def test_a_photo_whose_sending_breaks_is_sent_by_itself_when_the_network_is_back(
    stage: Stage, windows: Windows
) -> None:
    windows.expect("ERR_INTERNET_DISCONNECTED")
    page = chosen(stage, windows, stage.guest())
    page.context.set_offline(True)
    choose(page, file("second.png"))
    card = page.get_by_role("listitem").filter(has_text="second.png")
    expect(card).to_contain_text(EN("protect.broken"))
    with stage.finding(really_found()):
        page.context.set_offline(False)
        expect(card).to_contain_text(EN("protect.faces.count.one"))


def test_a_photo_that_is_chosen_without_a_network_is_taken_up_when_it_is_back(stage: Stage, windows: Windows) -> None:
    windows.expect("ERR_INTERNET_DISCONNECTED")
    page = opened(windows.open(stage.address, stage.guest()))
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    choose(page)
    expect(page.get_by_role("status").filter(has_text=EN("error.network"))).to_be_visible()
    with stage.finding(really_found()):
        page.context.set_offline(False)
        expect(face(page, 1)).to_be_visible()


def test_a_reload_while_a_photo_is_sent_asks_for_it_again(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address, stage.guest()))
    page.route("**/api/v1/uploads", lambda route: None)
    choose(page)
    expect(page.get_by_role("listitem")).to_contain_text("astronaut.png")
    page.reload()
    ready(page)
    expect(page.get_by_role("status").filter(has_text="astronaut.png")).to_be_visible()


def test_a_photo_that_is_gone_when_one_comes_back_is_named(stage: Stage, windows: Windows) -> None:
    windows.expect("404")
    guest = stage.guest()
    page = chosen(stage, windows, guest)
    stage.lose_upload(stage.rows(guest, "find")[0].id)
    page.reload()
    expect(page.get_by_role("status").filter(has_text="astronaut.png")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(0)


def test_a_job_goes_on_on_the_page_after_the_network_and_the_service_were_away(stage: Stage, windows: Windows) -> None:
    windows.expect("WebSocket", "ERR_", "503")
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.move(job_id, share=0.4)
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.running"))
    stage.stop()
    expect(page.get_by_role("status").filter(has_text=EN("job.lost"))).to_be_visible()
    # what is known stays
    expect(page.locator("progress")).to_have_js_property("value", 0.4)
    stage.move(job_id, share=0.7)
    stage.start()
    expect(page.locator("progress")).to_have_js_property("value", 0.7)
    expect(page.get_by_text(EN("job.lost"))).to_have_count(0)
    stage.finish(job_id)
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))


def test_where_no_websocket_gets_through_a_job_is_followed_by_asking(stage: Stage, windows: Windows) -> None:
    windows.expect("WebSocket")
    guest = stage.guest()
    job_id = stage.job(guest)
    page = windows.open(stage.address, guest)
    page.route_web_socket(re.compile("/progress"), lambda socket: socket.close())
    opened(page, f"/jobs/{job_id}")
    stage.move(job_id, share=0.4)
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.running"))
    stage.finish(job_id)
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))


def test_a_proxy_that_says_nobody_is_there_ends_no_watch(stage: Stage, windows: Windows) -> None:
    windows.expect("WebSocket", "502")
    guest = stage.guest()
    job_id = stage.job(guest)
    page = windows.open(stage.address, guest)
    away = {"now": True}
    page.route_web_socket(re.compile("/progress"), lambda socket: socket.close())
    page.route(
        re.compile(rf"/api/v1/jobs/{job_id}"),
        lambda route: route.fulfill(status=502, body="Bad Gateway") if away["now"] else route.continue_(),
    )
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_role("status").filter(has_text=EN("job.lost"))).to_be_attached()
    # nothing is known of the job yet, and the page is not empty
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("fault.title"))
    away["now"] = False
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.queued"))
    expect(page.get_by_text(EN("job.lost"))).to_have_count(0)


def test_a_view_that_cannot_be_loaded_says_so_and_leads_back(stage: Stage, windows: Windows) -> None:
    windows.expect("ERR_FAILED", "error")
    page = windows.open(stage.address)
    page.route("**/views/archive/*.js", lambda route: route.abort())
    opened(page)
    page.get_by_role("link", name=EN("tab.archive")).click()
    expect(page.get_by_role("alert")).to_contain_text(EN("error.network"))
    expect(page.get_by_role("button", name=EN("fault.reload"))).to_be_visible()
