"""From the photo to the file, with the whole service: a supervisor, a web process, a worker and a real detector."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.e2e.choosing import BOTH, EN, bring, choose, face, file, open_part, start, starter
from tests.e2e.chromium import Windows, opened
from tests.e2e.house import House

from deepguard.media.sample import sample_file
from deepguard.service.web.words import Words

PATIENCE = 90_000


def quick(page: Page, say: Words) -> None:
    """Choose the embedded detector and few steps, so that it takes seconds."""
    part = open_part(page, say("protect.expert"))
    part.get_by_label("mtcnn").check()
    part.get_by_role("spinbutton", name=say("option.steps")).fill("3")


def answer(page: Page, path: str) -> httpx.Response:
    """What the API answers this visitor."""
    cookies = {each["name"]: each["value"] for each in page.context.cookies()}
    return httpx.get(page.url.partition("/jobs")[0] + "/api/v1" + path, cookies=cookies)


def job_of(page: Page) -> dict[str, Any]:
    """The job that a window shows."""
    found: dict[str, Any] = answer(page, f"/jobs/{page.url.rpartition('/')[2]}").json()
    return found


def done(page: Page, say: Words) -> None:
    """Wait for the job's end."""
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(say("job.done"), timeout=PATIENCE)


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_a_photo_is_dropped_protected_and_saved(house: House, windows: Windows, language: str, width: int) -> None:
    say = Words(language)
    page = opened(windows.open(house.address, language=language, width=width))
    bring(page, "drop", file("할머니 생신.png"))
    expect(face(page, 1, say=say)).to_be_visible(timeout=PATIENCE)
    quick(page, say)
    start(page, say)
    done(page, say)
    job = job_of(page)
    assert job["options"] == {"preset": "balanced", "detectors": ["mtcnn"], "steps": 3}
    with page.expect_download() as saved:
        page.get_by_role("link", name=say("result.download")).click()
    data = saved.value.path().read_bytes()
    assert saved.value.suggested_filename == "할머니 생신.protected.png"
    # what is saved is what was measured, and not the photo itself
    assert data == answer(page, f"/jobs/{job['id']}/results/picture").content
    with Image.open(io.BytesIO(data)) as protected, Image.open(sample_file()) as photo:
        assert protected.size == photo.size
        assert protected.tobytes() != photo.convert(protected.mode).tobytes()
    # whoever comes back later finds it
    page.get_by_role("link", name=say("tab.archive")).click()
    page.get_by_role("article").get_by_role("link", name="할머니 생신.png").click()
    done(page, say)


def test_a_running_job_is_cancelled_on_the_page(house: House, windows: Windows) -> None:
    page = opened(windows.open(house.address))
    choose(page)
    expect(starter(page)).to_have_attribute("aria-disabled", "false", timeout=PATIENCE)
    part = open_part(page, EN("protect.expert"))
    part.get_by_role("spinbutton", name=EN("option.steps")).fill("500")
    start(page)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(EN("job.running"), timeout=PATIENCE)
    expect(page.get_by_role("listitem").filter(has_text="mtcnn")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name=EN("act.cancel")).click()
    expect(heading).to_have_text(EN("job.cancelled"), timeout=PATIENCE)


def test_a_photo_without_a_face_is_protected_where_one_is_drawn(house: House, windows: Windows, tmp_path: Path) -> None:
    page = opened(windows.open(house.address, width=360))
    photo = tmp_path / "noise.png"
    Image.effect_noise((400, 300), 40).convert("RGB").save(photo)
    choose(page, photo)
    expect(page.locator("main")).to_contain_text(EN("protect.none"), timeout=PATIENCE)
    page.get_by_role("button", name=EN("protect.box.draw"), exact=True).press("Enter")
    page.keyboard.press("Enter")
    quick(page, EN)
    start(page)
    done(page, EN)
    box = job_of(page)["options"]["box"]
    log = answer(page, f"/jobs/{page.url.rpartition('/')[2]}/results/log").json()
    assert len(log["faces"]) == 1
    assert log["job"]["options"]["box"] == box


def test_all_of_it_by_keyboard_alone(house: House, windows: Windows) -> None:
    page = opened(windows.open(house.address))
    # the driver must have begun to listen before the key is pressed
    page.on("filechooser", lambda chooser: None)
    choosing = page.get_by_role("button", name=EN("start.file"))
    reach(page, choosing)
    with page.expect_file_chooser() as asked:
        page.keyboard.press("Enter")
    asked.value.set_files(sample_file())
    expect(face(page, 1)).to_be_visible(timeout=PATIENCE)
    reach(page, page.get_by_role("radio", name=EN("preset.balanced")))
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=EN("preset.strong"))).to_be_checked()
    reach(page, page.locator("summary", has_text=EN("protect.expert")))
    page.keyboard.press("Enter")
    steps = page.get_by_role("spinbutton", name=EN("option.steps"))
    reach(page, steps)
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    reach(page, starter(page))
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    done(page, EN)
    reach(page, page.get_by_role("slider", name=EN("compare.handle")))
    reach(page, page.get_by_role("link", name=EN("result.download")))
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.path().stat().st_size > 0
    assert job_of(page)["options"] == {"preset": "strong", "steps": 3}


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached by Tab")
