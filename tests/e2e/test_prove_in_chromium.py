"""Proving a protected photo on the page: the numbers first, what posting does, and the sheet behind a statement."""

from __future__ import annotations

import dataclasses
import datetime
import time

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.choosing import BOTH, EN, KO, choose, start
from tests.e2e.chromium import SECONDS, Windows, opened, settled, violations
from tests.e2e.proofs import asked, protected, proved
from tests.e2e.stage import Guest, Stage, really_found
from tests.service.kinds.proved import proof, worked

from deepguard.service.tables import now
from deepguard.service.web.words import WORDS, Words


def show(stage: Stage, windows: Windows, guest: Guest, job_id: str, **how: object) -> Page:
    return opened(windows.open(stage.address, guest, **how), f"/jobs/{job_id}")


def begun(stage: Stage, guest: Guest, page: Page, count: int = 1) -> str:
    """The id of the proof that the page has asked for last."""
    end = time.monotonic() + SECONDS
    while len(rows := stage.rows(guest, "prove")) < count:
        assert time.monotonic() < end, "no proof was asked for"
        page.wait_for_timeout(50)
    page.wait_for_url(f"**/jobs/{rows[-1].id}")
    return str(rows[-1].id)


def prover(page: Page, say: Words = EN):
    return page.get_by_role("button", name=say("prove.start"), exact=True)


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_photo_is_protected_proved_and_the_table_read(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say, guest = Words(language), stage.guest()
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    with stage.finding(really_found()):
        choose(page)
        expect(page.locator(".protect-face")).to_be_visible()
    start(page, say)
    (of,) = stage.rows(guest)
    stage.finish(of.id)
    button = prover(page, say)
    expect(button).to_be_visible()
    expect(page.locator(".prove-invitation")).to_contain_text(say("prove.invitation"))
    button.click()
    job_id = begun(stage, guest, page)
    row = stage.row(job_id)
    assert (row.options, row.upload_id, row.share) == ({"of": of.id}, stage.row(of.id).upload_id, "")
    stage.move(job_id, stage="attacking (protected, jpeg75)", share=0.4)
    expect(page.get_by_role("heading", level=1)).to_have_text(say("job.prove.running"))
    expect(page.locator("main")).to_contain_text(say("stage.attacking"))
    stage.finish(job_id, worked(proof(), options=row.options))
    expect(page.locator(".lead")).to_have_text(say("prove.said.none", count=8, before=8, after=0))
    text = page.locator("main").inner_text()
    assert say("prove.said.aside", count=1, before=1, after=1) in text
    assert say("prove.known.attacked", count=2, before=2, after=0) in text
    assert say("prove.known.aside", count=1, before=1, after=1) in text
    assert say("prove.retried", count=3) in text
    assert say("prove.noise.both", count=9, found=9, of=3, known=3) in text
    assert say("prove.honest") in text
    table = page.get_by_role("region", name=say("prove.posting"))
    places = table.get_by_role("row").all_inner_texts()[2:]
    assert [each.split("\t")[0] for each in places[:3]] == [
        say("prove.delivered"), say("posting.kakaotalk"), say("posting.instagram")
    ]  # fmt: skip
    # said to screen readers in words
    kakaotalk = table.get_by_role("row", name=say("posting.kakaotalk"))
    expect(kakaotalk.get_by_role("cell").first).to_have_text(f"1/8{say('prove.of', count=1, size=8)}")
    assert violations(settled(page)) == []


def test_all_of_it_can_be_done_by_keyboard(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    page = show(stage, windows, guest, of)
    prover(page).focus()
    page.keyboard.press("Enter")
    job_id = begun(stage, guest, page)
    stage.finish(job_id, worked(proof(), options=stage.row(job_id).options))
    opener = page.get_by_role("button", name=EN("prove.sheet.open"))
    opener.focus()
    page.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    first = page.get_by_role("radio", name=EN("prove.state.self"))
    expect(first).to_be_focused()
    assert not first.is_checked()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=EN("prove.state.agreed"))).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name=EN("prove.clip"))).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=EN("prove.sheet.make"))).to_be_focused()
    page.keyboard.press("Enter")
    seen = begun(stage, guest, page, 2)
    assert stage.row(seen).options == {"of": of, "sheet": True, "statement": "agreed"}


def test_the_sheet_needs_a_statement_and_none_is_chosen_beforehand(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof()), language="ko", width=360)
    assert page.locator(".prove-sheet img").count() == 0
    expect(page.get_by_role("radio")).to_have_count(0)
    page.get_by_role("button", name=KO("prove.sheet.open")).click()
    radios = page.get_by_role("radio")
    expect(radios).to_have_count(2)
    assert [each.is_checked() for each in radios.all()] == [False, False]
    make = page.get_by_role("button", name=KO("prove.sheet.make"))
    expect(make).to_be_disabled()
    page.get_by_role("radio", name="이 사진의 얼굴은 나입니다").check()
    make.click()
    job_id = begun(stage, guest, page, 2)
    options = stage.row(job_id).options
    assert (options["sheet"], options["statement"]) == (True, "self")
    stage.finish(job_id, worked(proof(statement="self"), options=options))
    page.get_by_role("link", name=KO("prove.sheet.jump")).click()
    sheet = page.get_by_role("img", name=KO("prove.sheet.alt"))
    expect(sheet).to_be_in_viewport()
    assert "/results/sheet-ko?inline=true" in (sheet.get_attribute("src") or "")
    expect(page.locator(".prove-sheet").get_by_role("timer")).to_have_text(KO("prove.left", time=KO.duration(3600)))
    assert KO("prove.stated.self", when="").strip() in page.locator(".prove-sheet").inner_text()
    assert violations(settled(page)) == []


def test_a_clip_is_made_only_where_it_was_ticked(stage: Stage, windows: Windows) -> None:
    # what stands for a clip here is none
    windows.expect("clip", "ERR_")
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof()))
    page.get_by_role("button", name=EN("prove.sheet.open")).click()
    page.get_by_role("radio", name=EN("prove.state.agreed")).check()
    tick = page.get_by_role("checkbox", name=EN("prove.clip"))
    assert not tick.is_checked()
    tick.check()
    page.get_by_role("button", name=EN("prove.sheet.make")).click()
    job_id = begun(stage, guest, page, 2)
    options = stage.row(job_id).options
    assert (options["clip"], options["statement"]) == (True, "agreed")
    stage.finish(job_id, worked(proof(statement="self"), options=options))
    video = page.locator(".prove-sheet video")
    expect(video).to_have_attribute("aria-label", EN("prove.clip.alt"))
    assert "download" in (video.get_attribute("controlslist") or "")


def test_the_sheet_is_counted_down_and_gone_in_the_end(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = proved(stage, guest, proof(statement="self"), sheet=True, statement="self")
    stage.change(job_id, expires=now() + datetime.timedelta(seconds=4))
    page = show(stage, windows, guest, job_id)
    box = page.locator(".prove-sheet")
    expect(box.get_by_role("timer")).to_have_text(EN("prove.over"))
    expect(box).to_contain_text(EN("prove.sheet.gone"))
    assert box.locator("img").count() == 0


def test_a_proof_can_neither_be_shared_nor_opened_elsewhere(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof(statement="self"), sheet=True, statement="self"))
    text = page.locator("main").inner_text()
    assert EN("result.qr.short") not in text
    assert EN("result.share") not in text
    # what is seen of a swap is not offered as a file
    assert page.locator("a[download]").evaluate_all("all => all.map(each => each.download)") == [
        "할머니 생신.protected.png", "할머니 생신.proof.json"
    ]  # fmt: skip


def test_each_face_has_a_row_and_can_be_looked_at(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof(2)))
    rows = page.locator(".prove-faces tbody tr")
    expect(rows).to_have_count(2)
    assert rows.nth(1).locator("td span[aria-hidden]").all_inner_texts() == ["9/9", "9/9", "9/9", "3/3"]
    expect(page.locator(".lead")).to_have_text(EN("prove.said.none", count=8, before=8, after=0))
    page.get_by_role("radio", name=EN("prove.face", number=1)).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".lead")).to_have_text(EN("prove.said", count=8, before=8, after=8))


def test_where_nobody_knows_who_was_attacked_nothing_is_set_apart(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof(known=False)))
    expect(page.locator(".lead")).to_have_text(EN("prove.said", count=9, before=9, after=1))
    heads = page.locator(".prove-table").first.locator("thead tr").nth(1).locator("th")
    assert heads.all_inner_texts() == [EN("prove.sort.all")] * 2
    assert EN("prove.group.find.attacked") not in page.locator("main").inner_text()


def test_whether_it_can_be_trusted_is_folded_in_and_what_went_wrong_is_counted(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof()))
    fold = page.locator(".prove-checks")
    expect(fold.locator("summary")).to_have_text(EN("prove.checks.wrong", count=1))
    expect(fold.get_by_text(EN("prove.check.noise"))).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.get_by_text(EN("prove.check.noise"))).to_be_visible()
    expect(fold).to_contain_text("encoders that were not attacked are fooled more")


def test_noise_that_does_as_much_is_not_kept_quiet(stage: Stage, windows: Windows) -> None:
    found = proof()
    rows = tuple(
        dataclasses.replace(each, found={**each.found, "noise": each.found["protected"]}) for each in found.detections
    )
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, dataclasses.replace(found, detections=rows)))
    expect(page.locator("main")).to_contain_text(EN("prove.noise.less"))


def test_where_the_protection_does_nothing_it_is_not_set_against_the_noise(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = show(stage, windows, guest, proved(stage, guest, proof(2)))
    expect(page.locator("main")).to_contain_text(EN("prove.noise.same"))
    page.get_by_role("radio", name=EN("prove.face", number=2)).check()
    expect(page.locator("main")).to_contain_text(EN("prove.noise.both", count=9, found=9, of=3, known=3))
    assert EN("prove.noise.same") not in page.locator("main").inner_text()


def test_another_strength_is_protected_and_proved_again_by_itself(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    page = show(stage, windows, guest, proved(stage, guest, proof(), of))
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", EN("result.strength.value", now=1, next=1.4))
    page.get_by_role("button", name=EN("result.strength.go")).click()
    page.wait_for_url("**/jobs/*?prove=1")
    again = stage.rows(guest)[-1]
    assert (again.id != of, again.options["strength"]) == (True, 1.4)
    stage.finish(again.id)
    job_id = begun(stage, guest, page, 2)
    assert stage.row(job_id).options == {"of": again.id}
    # back leads to what was looked at before, not into a circle
    page.go_back()
    page.wait_for_url(f"**/jobs/{stage.rows(guest, 'prove')[0].id}")


def test_the_last_proof_is_found_from_its_photo(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    job_id = proved(stage, guest, proof(), of)
    page = show(stage, windows, guest, of)
    page.get_by_role("link", name=EN("prove.last")).click()
    page.wait_for_url(f"**/jobs/{job_id}")
    page.get_by_role("link", name=EN("prove.back")).click()
    page.wait_for_url(f"**/jobs/{of}")


def test_too_many_proofs_are_told_beside_the_button(stage: Stage, windows: Windows) -> None:
    windows.expect("429")
    guest = stage.guest()
    with stage.settled(proof_rate="1/hour"):
        for of in (protected(stage, guest), protected(stage, guest)):
            page = show(stage, windows, guest, of)
            prover(page).click()
        expect(page.get_by_role("alert")).to_have_text(EN("error.proof_rate"))


def test_who_came_by_a_link_is_offered_no_proof(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    page = opened(windows.open(stage.address), f"/jobs/{of}?share={stage.row(of).share}")
    expect(page.locator(".result-words")).to_be_visible()
    assert prover(page).count() == 0


def test_where_nothing_is_proved_the_result_stands_without(stage: Stage, windows: Windows) -> None:
    windows.expect("422")
    guest = stage.guest()
    of = protected(stage, guest)
    page = windows.open(stage.address, guest)
    body = '{"code": "option", "message": "there is no kind of job called prove"}'
    page.route("**/api/v1/estimates", lambda route: route.fulfill(status=422, body=body))
    opened(page, f"/jobs/{of}")
    expect(page.locator(".result-words")).to_be_visible()
    assert prover(page).count() == 0


def test_a_proof_that_failed_or_has_lived_its_hour_says_what_to_do(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    failed = asked(stage, guest, of)
    stage.fail(failed, "over_time")
    page = show(stage, windows, guest, failed)
    expect(page.get_by_role("button", name=EN("act.retry"))).to_be_visible()
    expect(page.get_by_role("link", name=EN("job.back"))).to_have_attribute("href", f"/jobs/{of}")
    gone = proved(stage, guest, proof(), of)
    stage.expire(gone)
    page = show(stage, windows, guest, gone, language="ko")
    expect(page.locator("main")).to_contain_text(KO("job.prove.expired.text"))


def test_a_proof_is_deleted_and_its_photo_stays(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    of = protected(stage, guest)
    job_id = proved(stage, guest, proof(), of)
    page = show(stage, windows, guest, job_id)
    page.get_by_role("button", name=EN("act.delete")).click()
    expect(page.get_by_role("dialog")).to_contain_text(EN("delete.text.prove"))
    page.get_by_role("dialog").get_by_role("button", name=EN("act.delete")).click()
    page.wait_for_url(f"**/jobs/{of}")
    assert stage.rows(guest, "prove") == []


def test_the_archive_and_the_statistics_know_proofs(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    proved(stage, guest, proof())
    page = opened(windows.open(stage.address, guest), "/archive?kind=prove")
    cards = page.get_by_role("article")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text(EN("job.prove.done"))
    expect(cards).to_contain_text(EN("archive.effect", before=9, hidden=8))
    opened(page, "/statistics?kind=prove")
    expect(page.get_by_role("heading", name=EN("statistics.effect"))).to_be_visible()
    expect(page.get_by_role("radio", name=EN("tab.prove"))).to_be_checked()


def test_without_scripts_the_proof_can_be_read_and_has_no_code(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = windows.open(stage.address, guest, scripts=False)
    page.goto(f"/jobs/{proved(stage, guest, proof())}")
    text = page.locator("main").inner_text()
    assert EN("result.hidden", before=9, after=1) in text
    assert EN("result.honest") in text
    assert page.locator("img.qr").count() == 0


def test_no_sentence_of_a_proof_promises_safety() -> None:
    said = [pair for key, pair in WORDS.items() if key.startswith("prove.")]
    assert len(said) > 80
    for korean, english in said:
        assert "안전해" not in korean
        assert not any(word in english.lower() for word in ("is safe", "safely", "guaranteed", "certainly", "proven"))
