"""Checking a photo or clip on the page: from the file to the verdict, its reasons, and the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.checked import checked_by_the_uncalibrated, checked_clip, checked_in_vain, checked_photo
from tests.e2e.choosing import BOTH, EN, bring, file
from tests.e2e.chromium import Windows, opened, violations
from tests.e2e.stage import Guest, Stage

from deepguard.service.kinds.roles import Done
from deepguard.service.web.words import WORDS, Words

FILM = b"\x00\x00\x00\x1cftypisom" + bytes(20_000)
SLIDER = "input[type=range]"


def begun(stage: Stage, guest: Guest, page: Page) -> str:
    """The id of the check that the page has asked for."""
    page.wait_for_url("**/jobs/*")
    (job,) = stage.rows(guest, "detect")
    return str(job.id)


def result(stage: Stage, windows: Windows, done: Done, **how: Any) -> Page:
    """The page of a check that is over."""
    guest = stage.guest()
    job_id = stage.job(guest, kind="detect", options={}, name="clip.mp4")
    stage.finish(job_id, done)
    return opened(windows.open(stage.address, guest, **how), f"/jobs/{job_id}")


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_photo_is_dropped_and_the_verdict_is_told(stage: Stage, windows: Windows, language: str, width: int) -> None:
    say, guest = Words(language), stage.guest()
    page = opened(windows.open(stage.address, guest, language=language, width=width), "/detect")
    bring(page, "drop", file("할머니 생신.png"))
    job_id = begun(stage, guest, page)
    expect(page.get_by_role("heading", level=1)).to_have_text(say("job.queued"))
    stage.move(job_id, stage="judging", share=0.7)
    expect(page.get_by_role("heading", level=1)).to_have_text(say("job.detect.running"))
    expect(page.locator("main")).to_contain_text(say("stage.judging"))
    stage.finish(job_id, checked_photo())
    expect(page.get_by_role("heading", level=2, name=say("verdict.likely_fake"))).to_be_visible()
    text = page.locator("main").inner_text()
    assert say("detect.probability", share="90%") in text
    assert say("detect.rate", of=100, count=3) in text
    assert say("detect.honest") in text


def test_a_figure_that_was_never_calibrated_is_called_no_probability(stage: Stage, windows: Windows) -> None:
    text = result(stage, windows, checked_by_the_uncalibrated()).locator("main").inner_text()
    assert "Probability of fake" not in text
    assert "which is no probability" in text


def test_a_clip_is_sent_with_the_frames_that_were_asked_for(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest), "/detect")
    page.locator("summary", has_text=EN("detect.options")).click()
    frames = page.get_by_label(EN("detect.frames"))
    frames.fill("0")
    expect(page.locator("main")).to_contain_text("from 1 to 300")
    frames.fill("20")
    page.locator("input[type=file]").first.set_input_files(
        {"name": "event.mp4", "mimeType": "video/mp4", "buffer": FILM}
    )
    job_id = begun(stage, guest, page)
    assert stage.row(job_id).options == {"frames": 20}
    assert stage.row(job_id).name == "event.mp4"


def test_a_clip_that_is_too_large_is_refused_before_it_is_sent(stage: Stage, windows: Windows) -> None:
    with stage.settled(clip_bytes=10_000, upload_bytes=5_000):
        page = opened(windows.open(stage.address, stage.guest()), "/detect")
        expect(page.locator("#detect-limits")).to_contain_text("9.8")
        page.locator("input[type=file]").first.set_input_files(
            {"name": "event.mp4", "mimeType": "video/mp4", "buffer": FILM}
        )
        expect(page.get_by_role("alert")).to_have_text(EN("error.too_large"))
        expect(page.get_by_role("button", name=EN("detect.file"))).to_be_visible()


def test_what_is_neither_photo_nor_clip_is_told(stage: Stage, windows: Windows, tmp_path: Path) -> None:
    windows.expect("415")
    page = opened(windows.open(stage.address, stage.guest()), "/detect")
    letter = tmp_path / "letter.txt"
    letter.write_text("a letter")
    page.locator("input[type=file]").first.set_input_files(letter)
    expect(page.get_by_role("alert")).to_have_text(EN("detect.unreadable"))


def test_a_face_leads_to_what_is_said_of_it_and_to_its_heat_map(stage: Stage, windows: Windows) -> None:
    page = result(stage, windows, checked_photo())
    name = EN("detect.face.open", number=1, word=EN("verdict.likely_fake"))
    face = page.get_by_role("link", name=name)
    face.focus()
    page.keyboard.press("Enter")
    card = page.locator("#detect-1")
    expect(card).to_be_focused()
    expect(card.get_by_role("img")).to_have_count(0)
    card.locator("summary", has_text=EN("detect.heat")).click()
    heat = card.get_by_role("img", name=EN("detect.heat.alt", name=EN("detect.face", number=1)))
    expect(heat).to_be_visible()
    expect(page.locator("#detect-2")).to_contain_text(EN("note.small_face"))


def test_a_clip_is_gone_through_with_the_arrow_keys(stage: Stage, windows: Windows) -> None:
    page = result(stage, windows, checked_clip())
    slider = page.locator(SLIDER)
    expect(slider).to_have_attribute("aria-valuetext", "0:05\u00a0· person 1 97%")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "0:06\u00a0· person 1 95%")
    page.keyboard.press("Home")
    expect(page.get_by_role("img", name=EN("detect.frame", time="0:00"))).to_be_visible()
    page.get_by_role("button", name=EN("detect.jump", time="0:04")).click()
    expect(slider).to_be_focused()
    expect(slider).to_have_attribute("aria-valuetext", "0:04\u00a0· person 1 93%")


def test_what_cannot_be_judged_is_told_calmly_and_without_a_figure(stage: Stage, windows: Windows) -> None:
    page = result(stage, windows, checked_in_vain())
    expect(page.get_by_role("heading", level=2, name=EN("verdict.cannot_judge"))).to_be_visible()
    text = page.locator("main").inner_text()
    assert EN("detect.means.cannot_judge") in text
    assert EN("note.no_face") in text
    assert "%" not in text
    assert page.get_by_role("alert").count() == 0


def test_the_record_is_saved_as_pdf_and_json(stage: Stage, windows: Windows) -> None:
    page = result(stage, windows, checked_photo())
    for name, ending in (("result.evidence", "evidence.pdf"), ("result.evidence-json", "evidence.json")):
        with page.expect_download() as saved:
            page.get_by_role("link", name=EN(name), exact=True).click()
        assert saved.value.suggested_filename.endswith(ending)
        data = saved.value.path().read_bytes()
        assert data.startswith(b"%PDF") if ending.endswith("pdf") else json.loads(data)["verdict"]["en"]


def test_the_archive_and_the_statistics_know_verdicts(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest, kind="detect", options={}, name="event.mp4")
    stage.finish(job_id, checked_clip())
    page = opened(windows.open(stage.address, guest), "/archive")
    card = page.get_by_role("article", name="event.mp4")
    expect(card).to_contain_text(EN("verdict.likely_fake"))
    expect(card).to_contain_text(EN("verdict.share", share="90%"))
    opened(page, "/statistics?kind=detect")
    expect(page.get_by_role("heading", name=EN("statistics.verdicts"))).to_be_visible()
    expect(page.get_by_role("row", name=EN("verdict.likely_fake"))).to_be_visible()
    assert violations(page) == []


def test_without_scripts_the_verdict_and_the_record_are_there(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest, kind="detect", options={}, name="event.mp4")
    stage.finish(job_id, checked_photo())
    page = windows.open(stage.address, guest, scripts=False)
    page.goto(f"/jobs/{job_id}")
    text = page.locator("main").inner_text()
    assert EN("verdict.likely_fake") in text
    assert EN("detect.honest") in text
    assert page.get_by_role("link", name=EN("result.evidence"), exact=True).count() == 1


def test_the_way_to_help_is_on_every_screen_of_a_check(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address, stage.guest()), "/detect")
    page.get_by_role("link", name=EN("detect.victims")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("victims.title"))
    for number in ("1366", "112", "1377", "117"):
        expect(page.locator(f'a[href="tel:{number}"]').first).to_be_visible()
    page = result(stage, windows, checked_photo())
    expect(page.get_by_role("link", name=EN("detect.victims"))).to_be_visible()


def test_no_sentence_of_a_check_promises_safety_or_truth() -> None:
    said = [pair for key, pair in WORDS.items() if key.startswith(("detect.", "verdict.", "help.detect"))]
    assert len(said) > 60
    for korean, english in said:
        assert "안전" not in korean
        assert not any(word in english.lower() for word in ("safe", "certainly", "for sure", "guaranteed", "proven"))


def test_one_file_is_taken_where_several_are_dropped(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest), "/detect")
    bring(page, "paste", file("one.png"), file("two.png"))
    job_id = begun(stage, guest, page)
    assert stage.row(job_id).name == "one.png"
