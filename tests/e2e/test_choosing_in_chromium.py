"""The first screen: photos come in every way, faces are chosen, and what is chosen reaches the job."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import expect
from tests.e2e.choosing import BOTH, EN, bring, choose, face, file, open_part, start, starter
from tests.e2e.chromium import Windows, opened, ready
from tests.e2e.stage import LEFT, RIGHT, Guest, Stage, really_found, seen

from deepguard.defences.facepoison_paper import FacePoisonPaper
from deepguard.defences.presets import PRESETS
from deepguard.defences.roles import defaults_of
from deepguard.filters.photo import Filters, matrix
from deepguard.service.web.words import Words

LIGHT = """(canvas) => {
  const small = new OffscreenCanvas(1, 10).getContext('2d');
  small.drawImage(canvas, 0, 0, 1, 10);
  const { data } = small.getImageData(0, 0, 1, 10);
  return [data[0], data[36]];
}"""
TOP = f"(canvas) => Math.max(...({LIGHT})(canvas)) > 0"


def options(stage: Stage, guest: Guest) -> dict[str, Any]:
    """What the guest's only job was asked for."""
    [job] = stage.rows(guest)
    found: dict[str, Any] = job.options
    return found


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_photo_is_dropped_or_pasted_anywhere(stage: Stage, windows: Windows, how: str) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        bring(page, how, file("dropped.png"))
        expect(face(page, 1)).to_be_visible()
    expect(page.get_by_text("dropped.png")).to_be_visible()
    start(page)
    assert [job.name for job in stage.rows(guest)] == ["dropped.png"]


def test_a_photo_taken_with_the_phone_on_its_side_is_shown_upright(stage: Stage, windows: Windows) -> None:
    # as stored: white to the left; turned to the right as its EXIF data says: white above
    stored = Image.new("L", (200, 100))
    stored.paste(255, (0, 0, 100, 100))
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    stored.save(written := BytesIO(), "JPEG", exif=turned)
    page = opened(windows.open(stage.address, stage.guest()))
    with stage.finding(seen(of=(100, 200))):
        choose(page, file("phone.jpg", written.getvalue()))
        expect(page.locator("main")).to_contain_text(EN("protect.none"))
    shown = page.locator(".protect-shot canvas")
    page.wait_for_function(TOP, arg=shown.element_handle())
    above, below = shown.evaluate(LIGHT)
    assert above > 200
    assert below < 50


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_face_that_is_pressed_stays_as_it_is(stage: Stage, windows: Windows, language: str, width: int) -> None:
    guest, say = stage.guest(), Words(language)
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    with stage.finding(seen(LEFT, RIGHT)):
        choose(page)
        expect(face(page, 1, say=say)).to_have_attribute("aria-pressed", "true")
        face(page, 2, say=say).click()
        expect(face(page, 2, taken=False, say=say)).to_have_attribute("aria-pressed", "false")
    start(page, say)
    assert options(stage, guest) == {"preset": "balanced", "faces": [1]}


def test_nothing_starts_while_no_face_is_left(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(seen(LEFT)):
        choose(page)
        face(page, 1).click()
    expect(page.locator("main")).to_contain_text(EN("protect.nobody"))
    expect(starter(page)).to_have_attribute("aria-disabled", "true")
    # who presses it all the same is told why, and nothing starts
    starter(page).click(force=True)
    face(page, 1, taken=False).click()
    expect(starter(page)).to_have_attribute("aria-disabled", "false")
    assert stage.rows(guest) == []


def test_a_face_too_small_to_protect_is_shown_and_cannot_be_chosen(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(seen(LEFT, RIGHT, small=[2])):
        choose(page)
        expect(page.get_by_role("img", name=EN("protect.face.small", number=2))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Face "))).to_have_count(1)
    start(page)
    assert options(stage, guest) == {"preset": "balanced"}


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_where_no_face_is_found_one_is_drawn_by_keyboard(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    guest, say = stage.guest(), Words(language)
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    with stage.finding(seen()):
        choose(page)
        expect(page.locator("main")).to_contain_text(say("protect.none"))
    page.get_by_role("button", name=say("protect.box.draw"), exact=True).press("Enter")
    frame = page.get_by_role("application", name=say("protect.box.keys"))
    expect(frame).to_be_focused()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("main")).to_contain_text(say("protect.box.only"))
    start(page, say)
    side, step = 512 / 3, 512 * 0.02
    drawn = options(stage, guest)["box"]
    assert drawn["x"] == pytest.approx((512 - side) / 2 - step, abs=2)
    assert drawn["y"] == pytest.approx(drawn["x"], abs=2)
    assert drawn["width"] == drawn["height"] == pytest.approx(side + step, abs=2)


def test_escape_leaves_the_drawing_and_the_focus_where_it_was(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address, stage.guest()))
    with stage.finding(seen()):
        choose(page)
        begin = page.get_by_role("button", name=EN("protect.box.draw"), exact=True)
        begin.press("Enter")
        expect(starter(page)).to_have_attribute("aria-disabled", "true")
        page.keyboard.press("Escape")
        expect(begin).to_be_focused()
    expect(starter(page)).to_have_attribute("aria-disabled", "true")


def test_a_face_is_drawn_with_the_mouse(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(seen()):
        choose(page)
        page.get_by_role("button", name=EN("protect.box.draw"), exact=True).click()
        layer = page.locator(".protect-draw").bounding_box()
        assert layer is not None
        page.mouse.move(layer["x"] + 0.1 * layer["width"], layer["y"] + 0.1 * layer["height"])
        page.mouse.down()
        page.mouse.move(layer["x"] + 0.3 * layer["width"], layer["y"] + 0.4 * layer["height"], steps=4)
        page.mouse.up()
        page.get_by_role("button", name=EN("protect.box.take")).click()
    start(page)
    drawn = options(stage, guest)["box"]
    wanted = {"x": 51.2, "y": 51.2, "width": 102.4, "height": 153.6}
    assert {name: drawn[name] for name in wanted} == pytest.approx(wanted, abs=3)


def test_filters_are_seen_at_once_and_reach_the_job(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(seen(LEFT, RIGHT)):
        choose(page)
        expect(face(page, 2)).to_be_visible()
    part = open_part(page, EN("protect.filters"))
    steps = {"brightness": 4, "contrast": -2, "saturation": 3, "warmth": -5}
    for name, count in steps.items():
        for _ in range(abs(count)):
            part.get_by_label(EN(f"filter.{name}")).press("ArrowRight" if count > 0 else "ArrowLeft")
    part.get_by_label(EN("filter.blur_others")).check()
    shown = page.locator("#protect-look feColorMatrix").get_attribute("values")
    assert shown is not None
    # what is seen is what the worker will compute
    chosen = {name: 0.05 * count for name, count in steps.items()}
    rows = [float(each) for each in shown.split()]
    for at, wanted in enumerate(matrix(Filters(**chosen)).tolist()):
        assert rows[5 * at : 5 * at + 5] == pytest.approx([*wanted[:3], 0, wanted[3]])
    assert "protect-look" in page.evaluate("getComputedStyle(document.querySelector('.protect-shot')).filter")
    start(page)
    sent = options(stage, guest)["filters"]
    assert sent.pop("blur_others") is True
    assert sent == pytest.approx(chosen)


def test_expert_settings_reach_the_job_and_what_is_left_alone_is_not_sent(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        choose(page)
        expect(face(page, 1)).to_be_visible()
    page.get_by_role("radio", name=EN("preset.strong")).check()
    part = open_part(page, EN("protect.expert"))
    part.get_by_label("mtcnn").check()
    # a model that is not here says how it is brought
    expect(part.get_by_label("retinaface")).to_be_disabled()
    expect(part).to_contain_text("deepguard models")
    part.get_by_role("spinbutton", name=EN("option.steps")).fill("7")
    part.get_by_label(EN("option.through")).select_option("instagram")
    start(page)
    expected = {"preset": "strong", "detectors": ["mtcnn"], "steps": 7, "through": "instagram"}
    assert options(stage, guest) == expected


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_every_preset_is_a_card_and_the_first_is_chosen(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    guest, say = stage.guest(), Words(language)
    page = opened(windows.open(stage.address, guest, language=language, width=width))
    with stage.finding(really_found()):
        choose(page)
        expect(face(page, 1, say=say)).to_be_visible()
    cards = page.locator("label.card")
    expect(cards).to_have_count(len(PRESETS))
    for card, name in zip(cards.all(), PRESETS, strict=True):
        expect(card).to_contain_text(say(f"preset.{name}"))
        expect(card).to_contain_text(say(f"preset.{name}.summary"))
        expect(card.locator("[data-preset]")).not_to_be_empty()
    expect(page.get_by_role("radio", name=say("preset.balanced"))).to_be_checked()
    page.get_by_role("radio", name=say("preset.patient")).check()
    start(page, say)
    assert options(stage, guest) == {"preset": "patient"}


def test_another_defence_has_its_own_options_and_lets_go_of_the_others(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        choose(page)
        expect(face(page, 1)).to_be_visible()
    part = open_part(page, EN("protect.expert"))
    strength = part.get_by_role("spinbutton", name=EN("option.strength"))
    masks = part.get_by_role("spinbutton", name=EN("option.masks"))
    expect(strength).to_have_value("1")
    expect(masks).to_be_hidden()
    strength.fill("5")
    expect(part.get_by_role("alert").filter(has_text="4")).to_be_visible()
    part.get_by_label(EN("option.defence")).select_option("facepoison-paper")
    expect(strength).to_be_hidden()
    expect(masks).to_have_value(str(defaults_of(FacePoisonPaper)["masks"]))
    part.get_by_role("spinbutton", name=EN("option.steps")).fill("4")
    masks.fill("3")
    start(page)
    wanted = {"preset": "balanced", "defence": "facepoison-paper", "steps": 4, "extra": {"masks": 3}}
    assert options(stage, guest) == wanted


def test_a_number_that_does_not_fit_is_said_at_its_field_before_anything_is_sent(
    stage: Stage, windows: Windows
) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        choose(page)
        expect(face(page, 1)).to_be_visible()
    part = open_part(page, EN("protect.expert"))
    steps = part.get_by_role("spinbutton", name=EN("option.steps"))
    steps.fill("100000")
    expect(steps).to_have_attribute("aria-invalid", "true")
    expect(part.get_by_role("alert").filter(has_text="500")).to_be_visible()
    expect(starter(page)).to_have_attribute("aria-disabled", "true")
    steps.fill("9")
    expect(starter(page)).to_have_attribute("aria-disabled", "false")
    assert stage.rows(guest) == []


def test_a_double_click_makes_one_job(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        choose(page)
        expect(starter(page)).to_have_attribute("aria-disabled", "false")
    starter(page).dblclick()
    page.wait_for_url("**/jobs/*")
    assert len(stage.rows(guest)) == 1


def test_a_reload_and_coming_back_find_what_was_chosen(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(seen(LEFT, RIGHT)):
        choose(page)
        face(page, 2).click()
    page.get_by_role("radio", name=EN("preset.strong")).check()
    page.reload()
    ready(page)
    expect(face(page, 2, taken=False)).to_be_visible()
    page.get_by_role("link", name=EN("tab.archive")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("tab.archive"))
    page.go_back()
    expect(face(page, 2, taken=False)).to_be_visible()
    expect(page.get_by_role("radio", name=EN("preset.strong"))).to_be_checked()
    start(page)
    assert options(stage, guest) == {"preset": "strong", "faces": [1]}


def test_several_photos_are_started_together_and_watched_together(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest))
    with stage.finding(really_found()):
        choose(page, file("one.png"), file("two.png"), file("three.png"))
        expect(page.get_by_role("listitem").filter(has_text=EN("protect.faces.count.one"))).to_have_count(3)
        page.get_by_role("button", name=EN("protect.remove", name="two.png")).click()
        expect(starter(page, count=2)).to_have_attribute("aria-disabled", "false")
    start(page, count=2)
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("archive.batch.title", count=2))
    names = [job.name for job in stage.rows(guest)]
    assert names == ["one.png", "three.png"]
    for job in stage.rows(guest):
        stage.finish(job.id)
    expect(page.get_by_role("button", name=EN("archive.batch.all", count=2))).to_be_visible()
