"""What the other tests rely on: a window that complains fails its test, and what looks wrong is found."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from tests.e2e.chromium import Windows, looks_right, opened, settled, violations
from tests.e2e.stage import Stage

COMPLAINTS = {
    "an error of the console": ("console.error('broken')", "broken"),
    "something thrown": ("setTimeout(() => { throw new Error('thrown away') })", "thrown away"),
    "a request that fails": ("fetch('http://127.0.0.1:9/').catch(() => null)", "127.0.0.1:9"),
    "a file that is not there": ("fetch('/static/none/none.js').then((answer) => answer.text())", "404"),
    "a style in the markup": ("document.body.setAttribute('style', 'color: red')", "style"),
    "a script in the markup": (
        "document.body.append(Object.assign(document.createElement('script'), {text: 1}))",
        "script",
    ),
}
WRONG = {
    "reaches out of the window": "document.querySelector('main').style.setProperty('min-width', '200vw')",
    "is too low for a thumb": "document.querySelector('main button').style.setProperty('max-height', '20px');"
    " document.querySelector('main button').style.setProperty('min-height', '20px')",
}
UNREADABLE = {
    "color-contrast": "document.querySelector('h1').style.setProperty('color', '#bbb')",
    "button-name": "document.querySelector('main').append(document.createElement('button'))",
    "label": "document.querySelector('main').append(document.createElement('input'))",
}


@pytest.mark.parametrize("name", COMPLAINTS)
def test_a_window_that_complains_fails_its_test(browser: Browser, stage: Stage, name: str) -> None:
    script, words = COMPLAINTS[name]
    windows = Windows(browser)
    page = opened(windows.open(stage.address))
    page.evaluate(f"() => {{ {script}; }}")
    page.wait_for_load_state("networkidle")
    settled(page)
    with pytest.raises(AssertionError, match=words):
        windows.close()


@pytest.mark.parametrize("name", WRONG)
def test_what_looks_wrong_is_found(windows: Windows, stage: Stage, name: str) -> None:
    page = opened(windows.open(stage.address, width=360))
    looks_right(page)
    page.evaluate(WRONG[name])
    with pytest.raises(AssertionError, match=name):
        looks_right(page)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_not_everybody_can_read_or_use_is_found(windows: Windows, stage: Stage, name: str) -> None:
    page = opened(windows.open(stage.address))
    page.evaluate(UNREADABLE[name])
    assert [each.partition(":")[0] for each in violations(settled(page))] == [name]
