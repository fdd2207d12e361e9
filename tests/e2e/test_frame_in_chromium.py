"""The frame of the page: language, theme, the bar, a prefix, a phone that opens the result."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.choosing import BOTH, EN, KO, choose, face, start
from tests.e2e.chromium import WIDTHS, Windows, looks_right, opened, ready
from tests.e2e.stage import Stage, really_found, really_protected

from deepguard.service.web.words import WORDS, Words

PREFIX = "/deepguard"
PAPER = "getComputedStyle(document.querySelector('.bar')).backgroundColor"


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage behind a proxy that takes a prefix away."""
    made = Stage(tmp_path_factory.mktemp("below"), really_protected(), root_path=PREFIX)
    made.employ()
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize(("accepted", "heading"), [("ko", KO("start.title")), ("en", EN("start.title"))])
def test_the_browsers_language_is_spoken_and_the_other_one_is_a_press_away(
    stage: Stage, windows: Windows, accepted: str, heading: str
) -> None:
    say = Words(accepted)
    page = opened(windows.open(stage.address, language=accepted, width=360), "/archive?search=me")
    expect(page.locator("html")).to_have_attribute("lang", accepted)
    page.get_by_role("link", name=say("other_language")).click()
    other = Words("en" if accepted == "ko" else "ko")
    expect(page.get_by_role("heading", level=1)).to_have_text(other("tab.archive"))
    expect(page.get_by_role("searchbox")).to_have_value("me")
    # it stays so, also without the word in the address
    assert "lang=" not in page.url
    opened(page, "/statistics")
    expect(page.get_by_role("heading", level=1)).to_have_text(other("tab.statistics"))
    page.get_by_role("link", name=other("other_language")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("tab.statistics"))
    opened(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_numbers_and_days_are_written_as_the_language_does(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    for language, written in (("ko", r"\d{4}\. \d{1,2}\. \d{1,2}\."), ("en", r"\d{1,2} \w{3,4} \d{4}")):
        page = opened(windows.open(stage.address, guest, language=language), f"/jobs/{job_id}")
        expect(page.locator(".honest")).to_contain_text(re.compile(written))


def test_scripts_and_templates_fill_sentences_alike(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address, language="en"))
    asked = [
        (key, {"count": number, **dict.fromkeys(re.findall(r"{(\w+)", WORDS[key][1]), number)})
        for key in WORDS
        for number in (0, 1, 2)
    ]
    told = page.evaluate(
        """async (asked) => {
          const { assets, views } = JSON.parse(document.getElementById('boot').textContent);
          const { known, loadWords, say } = await import(`${assets}/core/words.js`);
          await Promise.all(views.map((view) => loadWords(view.name)));
          return asked.map(([key, gaps]) => known(key) ? say(key, gaps) : null);
        }""",
        asked,
    )
    # sentences of pages that only the server draws are not sent to scripts
    expected = [EN(key, **gaps) for key, gaps in asked]
    assert [text for text in told if text is not None] == [
        text for text, said in zip(expected, told, strict=True) if said is not None
    ]
    assert sum(text is not None for text in told) > len(asked) / 2


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_the_systems_until_another_is_chosen_and_then_stays(
    stage: Stage, windows: Windows, dark: bool
) -> None:
    page = opened(windows.open(stage.address, width=360, dark=dark))
    own = page.evaluate(PAPER)
    page.get_by_role("button", name=EN("theme.light" if dark else "theme.dark")).click()
    other = page.evaluate(PAPER)
    assert own != other
    page.reload()
    ready(page)
    assert page.evaluate(PAPER) == other
    # also before any script has run
    assert page.locator("html").get_attribute("data-theme") == ("light" if dark else "dark")
    page.get_by_role("button", name=EN("theme.dark" if dark else "theme.light")).click()
    assert page.evaluate(PAPER) == own


def tabs(page: Page) -> list[str]:
    """The tabs that are marked as the one that is open."""
    return page.locator("nav [aria-current=page]").all_inner_texts()


def test_the_bar_leads_everywhere_without_loading_the_page_anew_and_the_focus_follows(
    stage: Stage, windows: Windows
) -> None:
    page = opened(windows.open(stage.address))
    page.evaluate("window.same = true")
    for name in ("tab.archive", "tab.statistics", "tab.protect"):
        page.get_by_role("navigation").get_by_role("link", name=EN(name)).click()
        expect(page.locator("nav [aria-current=page]")).to_have_text(EN(name))
        expect(page.locator("main h1")).to_be_focused()
    page.go_back()
    expect(page.locator("nav [aria-current=page]")).to_have_text(EN("tab.statistics"))
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("tab.archive"))
    assert tabs(page) == [EN("tab.archive")]
    assert page.evaluate("window.same") is True


def test_the_first_tab_stop_leads_past_the_bar(stage: Stage, windows: Windows) -> None:
    page = opened(windows.open(stage.address))
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name=EN("skip"))
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_below_a_prefix_everything_is_there_from_the_photo_to_the_file(
    below: Stage, windows: Windows, language: str, width: int
) -> None:
    guest, say = below.guest(), Words(language)
    page = windows.open(below.address, guest, language=language, width=width)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, f"{PREFIX}/")
    with below.finding(really_found()):
        choose(page)
        expect(face(page, 1, say=say)).to_be_visible()
    start(page, say)
    [job] = below.rows(guest)
    below.finish(job.id)
    expect(page.locator(".compare-frame.here")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("link", name=say("result.download")).click()
    assert saved.value.path().read_bytes() == below.protected.made[0].data
    page.get_by_role("link", name=say("tab.archive")).click()
    page.get_by_role("article").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("job.done"))
    page.get_by_role("link", name=say("other_language")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(Words("en" if language == "ko" else "ko")("job.done"))
    own = [url for url in asked if url.startswith("http")]
    assert len(own) > 30
    assert [url for url in own if not url.startswith(f"{below.address}{PREFIX}/")] == []


def test_a_code_opens_the_result_on_a_phone(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    with stage.settled(host="192.0.2.7"):
        page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
        page.get_by_role("button", name=EN("result.qr.short")).click()
        code = page.get_by_role("dialog").get_by_role("img", name=EN("result.qr"))
        expect(code).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert code.evaluate("(image) => image.naturalWidth") > 0
        # whoever cannot point a camera at it reads what it says
        spelled = page.get_by_role("dialog").get_by_role("link")
        expect(spelled).to_have_text(re.compile(rf"^http://192\.0\.2\.7:\d+/jobs/{job_id}\?share="))
        # Escape closes it, and the focus is where it was
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name=EN("result.qr.short"))).to_be_focused()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_name_reaches_out_of_nothing(stage: Stage, windows: Windows, width: int) -> None:
    guest = stage.guest()
    for name in ("아주긴이름" * 30 + ".jpg", "a" * 200 + ".png", '<b>bold</b> & "quoted" \'.jpg'):
        stage.finish(stage.job(guest, name=name))
    page = opened(windows.open(stage.address, guest, width=width), "/archive")
    expect(page.get_by_role("article")).to_have_count(3)
    expect(page.get_by_role("article").first).to_contain_text("<b>bold</b>")
    looks_right(page)
    page.get_by_role("article").nth(2).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EN("job.done"))
    looks_right(page)
