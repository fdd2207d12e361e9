"""What came of a job: looked at, measured, saved, passed on, made anew, deleted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.choosing import BOTH, EN
from tests.e2e.chromium import Windows, opened
from tests.e2e.stage import Guest, Stage

from deepguard.measures.ceilings import FACE, PICTURE
from deepguard.service.kinds.roles import Done
from deepguard.service.web.words import Words


def of(stage: Stage, windows: Windows, *, language: str = "en", width: int = 1280) -> tuple[Page, Guest, str]:
    """A window on a result of the guest's own."""
    guest = stage.guest()
    job_id = stage.job(guest, options={"preset": "balanced", "detectors": ["mtcnn"], "steps": 3})
    stage.finish(job_id)
    page = opened(windows.open(stage.address, guest, language=language, width=width), f"/jobs/{job_id}")
    expect(page.locator(".compare-frame.here")).to_be_visible()
    return page, guest, job_id


def report(stage: Stage) -> dict[str, Any]:
    """The log of the stage's results."""
    found: dict[str, Any] = json.loads(next(each.data for each in stage.protected.made if each.name == "log"))
    return found


def logged(stage: Stage, **facts: Any) -> Done:
    """The stage's results with another log."""
    log = json.dumps({**report(stage), **facts}).encode()
    made = (dataclasses.replace(each, data=log) if each.name == "log" else each for each in stage.protected.made)
    return dataclasses.replace(stage.protected, made=tuple(made))


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_the_result_is_told_in_plain_words_and_never_called_safe(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say = Words(language)
    page, _, _ = of(stage, windows, language=language, width=width)
    words = page.locator("main")
    lead = say("result.said.none.one" if stage.protected.summary["found_after"] else "result.said.one", count=1)
    expect(words).to_contain_text(lead)
    expect(words).to_contain_text(say("result.honest"))
    expect(words).to_contain_text("MTCNN")
    expect(page.get_by_role("table").filter(has_text=say("posting.instagram"))).to_be_visible()
    page.get_by_role("link", name=say("result.limits")).click()
    expect(page).to_have_url(re.compile("/help#limits$"))


@pytest.mark.parametrize("width", [360, 1280])
def test_the_handle_between_before_and_after_is_moved_by_keys_and_by_hand(
    stage: Stage, windows: Windows, width: int
) -> None:
    page, _, _ = of(stage, windows, width=width)
    handle = page.get_by_role("slider", name=EN("compare.handle"))
    for key, value in (("Home", 0), ("End", 100), ("PageDown", 90), ("ArrowLeft", 88), ("ArrowUp", 90)):
        handle.press(key)
        expect(handle).to_have_attribute("aria-valuenow", str(value))
    assert EN("compare.value", share="90%") == handle.get_attribute("aria-valuetext")
    frame = page.locator(".compare-frame").bounding_box()
    assert frame is not None
    page.mouse.click(frame["x"] + 0.25 * frame["width"], frame["y"] + 0.8 * frame["height"])
    assert abs(int(handle.get_attribute("aria-valuenow") or 0) - 25) <= 1


def test_the_heat_map_is_shown_with_its_scale_by_key_and_while_the_mouse_is_there(
    stage: Stage, windows: Windows
) -> None:
    page, _, _ = of(stage, windows)
    button = page.get_by_role("button", name=EN("result.heatmap"))
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".compare-heat")).to_be_visible()
    expect(page.locator("figcaption")).to_contain_text("16/255")
    button.press("Enter")
    expect(page.locator(".compare-heat")).to_be_hidden()
    button.hover()
    expect(page.locator(".compare-heat")).to_be_visible()
    page.mouse.move(0, 0)
    expect(page.locator(".compare-heat")).to_be_hidden()


@pytest.mark.parametrize(("width", "density", "moves"), [(360, 1, True), (1280, 1, True), (1280, 2, False)])
def test_at_full_size_one_pixel_is_one_pixel_in_both_panes(
    stage: Stage, windows: Windows, width: int, density: int, moves: bool
) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    page = windows.open(stage.address, guest, width=width, device_scale_factor=density)
    opened(page, f"/jobs/{job_id}")
    expect(page.locator(".compare-frame.here")).to_be_visible()
    page.get_by_role("radio", name="100%").check(force=True)
    frame = page.locator(".compare-frame")
    places = "(frame) => [...frame.querySelectorAll('.compare-layer > img')].map((each) => "
    widths = frame.evaluate(places + "each.getBoundingClientRect().width * devicePixelRatio)")
    assert widths == pytest.approx([512, 512])
    moved = places + "each.style.transform)"
    before = frame.evaluate(moved)
    frame.press("ArrowRight")
    after = frame.evaluate(moved)
    # what is moved moves in both
    # what fits stays in the middle
    assert (before != after) == moves
    assert len(set(before)) == len(set(after)) == 1


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_the_file_that_is_saved_is_the_protected_one(stage: Stage, windows: Windows, language: str, width: int) -> None:
    page, _, _ = of(stage, windows, language=language, width=width)
    with page.expect_download() as saved:
        page.get_by_role("link", name=Words(language)("result.download")).click()
    assert saved.value.path().read_bytes() == stage.protected.made[0].data
    assert saved.value.suggested_filename == stage.protected.made[0].filename
    page.locator("summary", has_text=Words(language)("result.files")).click()
    with page.expect_download() as saved:
        page.get_by_role("link", name=Words(language)("result.log")).click()
    assert json.loads(saved.value.path().read_bytes()) == report(stage)


def test_a_stronger_try_is_a_job_with_the_same_options_and_a_larger_change(stage: Stage, windows: Windows) -> None:
    page, guest, job_id = of(stage, windows)
    strength = page.get_by_role("slider", name=EN("result.strength.label"))
    redo = page.get_by_role("button", name=EN("result.strength.go"))
    expect(redo).to_be_disabled()
    strength.press("ArrowRight")
    redo.click()
    page.wait_for_url(re.compile(f"/jobs/(?!{job_id})"))
    [old, new] = stage.rows(guest)
    assert report(stage)["options"]["strength"] == 1
    assert new.upload_id == old.upload_id
    assert new.options == {**old.options, "strength": 1.4}
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))


def test_where_most_still_find_the_face_a_press_leads_to_the_stronger_try(stage: Stage, windows: Windows) -> None:
    page, _, job_id = of(stage, windows)
    strength = page.get_by_role("slider", name=EN("result.strength.label"))
    more = page.get_by_role("button", name=EN("result.strength.more"))
    if not stage.protected.summary["found_after"]:
        expect(more).to_have_count(0)
        stage.change(job_id, summary={**stage.protected.summary, "found_after": 1})
        page.reload()
    more.press("Enter")
    expect(strength).to_be_focused()
    expect(strength).to_have_value("3")
    expect(page.get_by_role("button", name=EN("result.strength.go"))).to_be_enabled()


def test_no_stronger_try_is_offered_than_the_service_takes(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id, logged(stage, options={**report(stage)["options"], "strength": 3.5}))
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    strength = page.get_by_role("slider", name=EN("result.strength.label"))
    redo = page.get_by_role("button", name=EN("result.strength.go"))
    strength.press("End")
    expect(page.get_by_text(EN("result.strength.value", now=3.5, next=4))).to_be_visible()
    redo.click()
    page.wait_for_url(re.compile(f"/jobs/(?!{job_id})"))
    again = stage.rows(guest)[1]
    assert again.options["strength"] == 4
    stage.finish(again.id, logged(stage, options={**report(stage)["options"], "strength": 4.0}))
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))
    strength.press("ArrowRight")
    expect(page.get_by_text(EN("result.strength.most", now=4))).to_be_visible()
    expect(redo).to_be_disabled()
    strength.press("Home")
    expect(page.get_by_text(EN("result.strength.value", now=4, next=2))).to_be_visible()
    expect(redo).to_be_enabled()


def test_a_result_of_before_there_was_a_strength_opens_without_one_and_is_redone_with_todays_options(
    stage: Stage, windows: Windows
) -> None:
    guest = stage.guest()
    job_id = stage.job(guest, options={"preset": "balanced", "steps": 3, "epsilon": 0.03, "minimal": True})
    older = {"epsilon": 8 / 255, "steps": 50, "reach": 0.45, "minimal": False}
    whole = {name: report(stage)["picture_quality"][name] for name in ("ssim", "psnr", "lpips")}
    stage.finish(job_id, logged(stage, options=older, picture_quality=whole), marbling=None, chroma=None)
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    expect(page.locator(".compare-frame.here")).to_be_visible()
    page.locator("summary", has_text=EN("result.figures")).click()
    expect(page.get_by_text(EN("figure.ssim"))).to_be_visible()
    for absent in ("result.figure.strength", "figure.marbling", "figure.chroma"):
        expect(page.get_by_role("rowheader", name=EN(absent))).to_have_count(0)
    expect(page.get_by_role("slider", name=EN("result.strength.label"))).to_have_count(0)
    expect(page.get_by_role("button", name=EN("result.strength.more"))).to_have_count(0)
    page.get_by_role("link", name=EN("result.other")).click()
    page.get_by_role("button", name=EN("start.send"), exact=True).click()
    page.wait_for_url(re.compile(f"/jobs/(?!{job_id})"))
    assert stage.rows(guest)[1].options == {"preset": "balanced", "steps": 3}


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_the_figures_say_up_to_where_people_hardly_notice(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say = Words(language)
    page, _, _ = of(stage, windows, language=language, width=width)
    page.locator("summary", has_text=say("result.figures")).click()
    ceilings = {
        "figure.ssim": FACE.ssim, "figure.marbling": FACE.marbling, "figure.chroma": FACE.chroma,
        "result.figure.picture.ssim": PICTURE.ssim,
    }  # fmt: skip
    for key, ceiling in ceilings.items():
        row = page.get_by_role("row").filter(has_text=say(key))
        expect(row).to_be_visible()
        expect(row.get_by_role("rowheader")).to_contain_text(f"{ceiling:g}")
    assert f"{FACE.lpips:g}" in say("result.explain.lpips")
    assert f"{PICTURE.lpips:g}" in say("result.explain.picture.lpips")
    shown = f"{round(stage.protected.summary['marbling'], 2):g}/255"
    expect(page.get_by_role("row").filter(has_text=say("figure.marbling"))).to_contain_text(shown)
    expect(page.get_by_role("row").filter(has_text=say("result.figure.strength"))).to_be_visible()


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_photo_that_cannot_be_hidden_cleanly_says_so_beside_the_result(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say = Words(language)
    guest = stage.guest()
    job_id = stage.job(guest)
    codes = {"not_clean": 2, "visible": 0, "unseen_before": 3}
    notes = [{"code": code, "text": "what the library says", "count": count} for code, count in codes.items()]
    stage.finish(job_id, notes=notes, found_before=9, found_after=2)
    page = opened(windows.open(stage.address, guest, language=language, width=width), f"/jobs/{job_id}")
    expect(page.locator(".notice.warn")).to_have_text(say("note.not_clean", count=2))
    expect(page.locator(".result-note")).to_have_text([say("note.visible"), say("note.unseen_before", count=3)])
    expect(page.locator("main")).not_to_contain_text("what the library says")
    page.get_by_role("button", name=say("result.strength.more")).click()
    expect(page.get_by_role("slider", name=say("result.strength.label"))).to_be_focused()


def test_other_settings_begin_with_those_of_the_job(stage: Stage, windows: Windows) -> None:
    page, guest, job_id = of(stage, windows)
    page.get_by_role("link", name=EN("result.other")).click()
    part = page.locator("details", has=page.locator("summary", has_text=EN("protect.expert")))
    part.locator("summary").click()
    expect(part.get_by_label("mtcnn")).to_be_checked()
    expect(part.get_by_role("spinbutton", name=EN("option.steps"))).to_have_value("3")
    page.get_by_role("button", name=EN("start.send"), exact=True).click()
    page.wait_for_url(re.compile(f"/jobs/(?!{job_id})"))
    [old, new] = stage.rows(guest)
    assert new.options == old.options


def test_where_the_photo_is_gone_a_stronger_try_says_so(stage: Stage, windows: Windows) -> None:
    windows.expect("404", "410", "422")
    page, _, job_id = of(stage, windows)
    stage.lose_upload(job_id)
    page.get_by_role("slider", name=EN("result.strength.label")).press("ArrowRight")
    page.get_by_role("button", name=EN("result.strength.go")).click()
    expect(page.get_by_role("alert")).not_to_be_empty()


def test_a_service_that_other_devices_do_not_reach_says_so_instead_of_a_code(stage: Stage, windows: Windows) -> None:
    windows.expect("409")
    page, _, _ = of(stage, windows)
    page.get_by_role("button", name=EN("result.qr.short")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("alert")).to_have_text(EN("error.not_reachable"))
    dialog.get_by_role("button", name=EN("result.close")).click()
    expect(dialog).to_be_hidden()


def test_a_result_is_deleted_after_a_question(stage: Stage, windows: Windows) -> None:
    page, guest, _ = of(stage, windows, width=360)
    page.get_by_role("button", name=EN("act.delete")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=EN("delete.keep")).click()
    expect(dialog).to_be_hidden()
    assert len(stage.rows(guest)) == 1
    page.get_by_role("button", name=EN("act.delete")).click()
    dialog.get_by_role("button", name=EN("act.delete")).click()
    expect(page).to_have_url(re.compile("/$"))
    assert stage.rows(guest) == []
    expect(page.locator("#announcer")).to_have_text(EN("start.removed"))


def test_a_picture_that_does_not_come_is_said_and_asked_for_again(stage: Stage, windows: Windows) -> None:
    windows.expect("ERR_FAILED", "404")
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    page = windows.open(stage.address, guest)
    page.route("**/results/picture?*", lambda route: route.abort())
    opened(page, f"/jobs/{job_id}")
    expect(page.get_by_role("alert")).to_contain_text(EN("compare.failed"))
    page.unroute_all()
    page.get_by_role("button", name=EN("compare.again")).click()
    expect(page.locator(".compare-frame.here")).to_be_visible()


def test_a_result_of_an_older_version_is_shown_with_what_it_has(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id, stage.only("picture", "comparison", "heatmap", "log"))
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    expect(page.locator(".compare-frame.here")).to_be_visible()
    expect(page.get_by_role("slider", name=EN("compare.handle"))).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("link", name=EN("result.download")).click()
    wanted = hashlib.sha256(stage.protected.made[0].data).hexdigest()
    assert hashlib.sha256(saved.value.path().read_bytes()).hexdigest() == wanted
