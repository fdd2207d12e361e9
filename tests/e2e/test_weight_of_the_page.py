"""What the page weighs, and that it stays where it is while it fills."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, Response, expect
from tests.e2e.choosing import choose
from tests.e2e.chromium import Windows, opened, settled
from tests.e2e.screens import FACE, SCREENS
from tests.e2e.stage import LEFT, Stage, seen

from deepguard.media.sample import sample_file

MOST_BYTES = 150_000
UNSEEN_SHIFT = 0.01
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    const where = each.sources.map((source) => source.node?.outerHTML?.slice(0, 100) ?? String(source.node));
    if (!each.hadRecentInput) window.shifts.push({value: each.value, where});
  }
}).observe({type: 'layout-shift', buffered: true});"""


def large_photo() -> bytes:
    """The sample as a phone would have taken it: 12 megapixels."""
    file = io.BytesIO()
    with Image.open(sample_file()) as opened_sample:
        opened_sample.convert("RGB").resize((4000, 3000)).save(file, "JPEG", quality=88)
    return file.getvalue()


def shifted(page: Page) -> list[dict[str, Any]]:
    """What moved without the visitor's doing, and how far."""
    settled(page)
    found: list[dict[str, Any]] = page.evaluate("window.shifts")
    return found


@pytest.mark.parametrize("language", ["ko", "en"])
def test_all_that_the_first_screen_needs_is_light(stage: Stage, windows: Windows, language: str) -> None:
    page = windows.open(stage.address, stage.guest(), language=language)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - the driver takes no builtin
    opened(page)
    page.wait_for_load_state("networkidle")
    own = [each for each in answers if "/api/" not in each.url]
    sizes = {each.url.rpartition("/static/")[2].partition("/")[2] or each.url: len(each.body()) for each in own}
    assert len(sizes) > 15
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_a_large_photo_is_chosen(stage: Stage, windows: Windows, width: int) -> None:
    windows.before(SHIFTS)
    page = opened(windows.open(stage.address, stage.guest(), width=width))
    page.wait_for_load_state("networkidle")
    photo = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": large_photo()}
    choose(page, photo)
    expect(page.locator("canvas")).to_be_visible()
    with stage.finding(seen(LEFT, of=(4000, 3000))):
        expect(page.locator(FACE)).to_be_visible()
    page.wait_for_load_state("networkidle")
    found = shifted(page)
    assert sum(each["value"] for each in found) < UNSEEN_SHIFT, found


@pytest.mark.parametrize("screen", ["result", "archive", "statistics", "batch"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_a_screen_fills(stage: Stage, windows: Windows, screen: str, width: int) -> None:
    windows.before(SHIFTS)
    page = SCREENS[screen](stage, windows, {"width": width})
    page.wait_for_load_state("networkidle")
    found = shifted(page)
    assert sum(each["value"] for each in found) < UNSEEN_SHIFT, found
