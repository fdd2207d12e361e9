"""A job at its own address: followed, cancelled, tried again, gone; in one window, in two, and for somebody else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect
from tests.e2e.choosing import BOTH, EN
from tests.e2e.chromium import Windows, opened
from tests.e2e.stage import DETECTORS, Guest, Stage, seen

from deepguard.service.states import State
from deepguard.service.web.words import Words


def heading(page: Page, text: str) -> None:
    """The page's heading says this."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def of(stage: Stage, windows: Windows, *, language: str = "en", width: int = 1280) -> tuple[Page, Guest, str]:
    """A window on a guest's own job, which waits."""
    guest = stage.guest()
    job_id = stage.job(guest)
    return opened(windows.open(stage.address, guest, language=language, width=width), f"/jobs/{job_id}"), guest, job_id


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_job_is_followed_from_waiting_to_its_result(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say = Words(language)
    page, _, job_id = of(stage, windows, language=language, width=width)
    heading(page, say("job.queued"))
    stage.move(job_id, detectors=dict.fromkeys(DETECTORS, True))
    heading(page, say("job.running"))
    row = page.get_by_role("listitem").filter(has_text="mtcnn")
    expect(row).to_contain_text(say("job.sees"))
    stage.move(job_id, share=0.62, seconds_left=95.0, detectors={**dict.fromkeys(DETECTORS, True), "mtcnn": False})
    expect(row).to_contain_text(say("job.misses"))
    expect(page.locator("main")).to_contain_text(say("job.left", time=say("unit.minutes", n=2)))
    assert page.locator("progress").evaluate("(bar) => bar.value") == pytest.approx(0.62)
    # seen from another window too
    expect(page).to_have_title(re.compile("62"))
    stage.finish(job_id)
    heading(page, say("job.done"))
    expect(page.get_by_role("link", name=say("result.download"))).to_be_visible()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_job_is_cancelled_and_tried_again(stage: Stage, windows: Windows, language: str) -> None:
    say = Words(language)
    page, _, job_id = of(stage, windows, language=language)
    stage.move(job_id)
    heading(page, say("job.running"))
    page.get_by_role("button", name=say("act.cancel")).click()
    heading(page, say("job.cancelling"))
    # the worker hears of it
    stage.give_up(job_id)
    heading(page, say("job.cancelled"))
    page.get_by_role("button", name=say("act.retry")).click()
    heading(page, say("job.queued"))
    assert stage.row(job_id).state == State.QUEUED


def test_two_windows_follow_one_job_and_what_one_does_the_other_shows(stage: Stage, windows: Windows) -> None:
    page, guest, job_id = of(stage, windows)
    other = opened(windows.open(stage.address, guest, width=360), f"/jobs/{job_id}")
    page.get_by_role("button", name=EN("act.cancel")).click()
    for each in (page, other):
        heading(each, EN("job.cancelled"))
    other.get_by_role("button", name=EN("act.retry")).click()
    heading(other, EN("job.queued"))
    # the window that rested looks again when it is looked at
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    heading(page, EN("job.queued"))


def test_a_job_that_is_deleted_in_another_window_says_so(stage: Stage, windows: Windows) -> None:
    windows.expect("404")
    page, _, job_id = of(stage, windows)
    heading(page, EN("job.queued"))
    stage.delete(job_id)
    expect(page.get_by_role("alert")).to_contain_text(EN("job.gone.now"))
    page.get_by_role("link", name=EN("home")).click()
    expect(page).to_have_url(re.compile("/$"))


def test_a_reload_and_leaving_and_coming_back_find_the_job_as_it_is(stage: Stage, windows: Windows) -> None:
    page, _, job_id = of(stage, windows)
    stage.move(job_id, share=0.5)
    heading(page, EN("job.running"))
    page.reload()
    heading(page, EN("job.running"))
    page.get_by_role("link", name=EN("tab.archive")).click()
    heading(page, EN("tab.archive"))
    stage.finish(job_id)
    page.go_back()
    heading(page, EN("job.done"))


def test_the_first_screen_leads_to_what_still_runs(stage: Stage, windows: Windows) -> None:
    page, _, job_id = of(stage, windows)
    page.get_by_role("link", name=EN("tab.protect")).click()
    page.get_by_role("link", name=EN("protect.running.one")).click()
    heading(page, EN("job.queued"))
    assert page.url.endswith(f"/jobs/{job_id}")


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("over_memory", "ko"), ("over_time", "en"), ("worker_lost", "ko"), ("unreadable_image", "en"),
        ("unreadable_image", "ko"), ("weights_missing", "en"),
    ],
)  # fmt: skip
def test_a_failure_says_what_to_do_next(stage: Stage, windows: Windows, code: str, language: str) -> None:
    say = Words(language)
    page, _, job_id = of(stage, windows, language=language, width=360)
    stage.fail(job_id, code)
    heading(page, say("job.failed"))
    expect(page.locator("main")).to_contain_text(say.error(code))
    expect(page.locator("main")).not_to_contain_text("what the worker says")
    # the same file once more would change nothing where the file is the reason
    again = page.get_by_role("button", name=say("act.retry"))
    expect(again).to_have_count(0 if code == "unreadable_image" else 1)
    # and where it is too much for the service, a smaller one comes first
    best = page.locator("main .primary")
    expect(best).to_have_text(say("act.retry") if code == "weights_missing" else say("job.other"))


def test_a_job_that_waits_tells_how_long_and_forgets_it_when_its_turn_has_come(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    page = windows.open(stage.address, guest)
    waiting = [0.0, 64.0]
    asked = []

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json["job"])
        found = {"seconds": 36.0, "waiting_seconds": waiting.pop(), "based_on": "first guess", "samples": 0}
        route.fulfill(json=found)

    page.route(re.compile("/estimates"), answer)
    page.clock.install()
    opened(page, f"/jobs/{job_id}")
    stated = page.locator("#stage")
    expect(stated).to_have_text(EN("job.before", time=EN("unit.minutes", n=1)))
    page.clock.run_for(15_000)
    expect(stated).to_have_text(EN("stage.queued"))
    assert asked == [job_id, job_id]


def test_where_no_face_was_found_one_is_drawn_for_the_same_photo(stage: Stage, windows: Windows) -> None:
    page, guest, job_id = of(stage, windows)
    stage.fail(job_id, "no_face")
    expect(page.locator("main")).to_contain_text(EN.error("no_face"))
    with stage.finding(seen()):
        page.get_by_role("link", name=EN("job.draw")).click()
        frame = page.get_by_role("application", name=EN("protect.box.keys"))
        expect(frame).to_be_visible()
        frame.press("Enter")
        page.get_by_role("button", name=EN("start.send"), exact=True).click()
        page.wait_for_url(re.compile(f"/jobs/(?!{job_id})"))
    [old, new] = stage.rows(guest)
    assert new.upload_id == old.upload_id
    assert set(new.options["box"]) == {"x", "y", "width", "height"}


def test_a_job_whose_time_is_over_offers_to_begin_anew(stage: Stage, windows: Windows) -> None:
    page, _, job_id = of(stage, windows)
    stage.finish(job_id)
    heading(page, EN("job.done"))
    expect(page.locator(".compare-frame.here")).to_be_visible()
    stage.expire(job_id)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    heading(page, EN("job.expired"))
    expect(page.locator("main")).to_contain_text(EN("job.expired.text"))
    page.get_by_role("link", name=EN("job.other")).click()
    expect(page.get_by_role("button", name=EN("start.file"))).to_be_visible()


def test_whoever_has_the_link_sees_the_result_and_none_of_the_buttons(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    address = f"/jobs/{job_id}?share={stage.row(job_id).share}"
    page = opened(windows.open(stage.address), address)
    heading(page, EN("job.queued"))
    expect(page.get_by_role("button", name=EN("act.cancel"))).to_have_count(0)
    stage.finish(job_id)
    heading(page, EN("job.done"))
    expect(page.locator(".compare-frame.here")).to_be_visible()
    for name in ("act.delete", "result.strength.go"):
        expect(page.get_by_role("button", name=EN(name))).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("link", name=EN("result.download")).click()
    assert saved.value.path().read_bytes() == stage.protected.made[0].data


def test_a_link_that_is_wrong_shows_nothing_of_the_job(stage: Stage, windows: Windows) -> None:
    windows.expect("404")
    job_id = stage.job(stage.guest())
    page = windows.open(stage.address)
    page.goto(f"/jobs/{job_id}?share=wrong")
    expect(page.locator("main")).to_contain_text(EN("job.gone.never"))
    expect(page.locator("main")).not_to_contain_text("할머니")
