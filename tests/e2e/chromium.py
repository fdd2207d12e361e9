"""A real Chromium, the machine's own, driven by Playwright; what it complains of is kept and fails the test."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from deepguard.service.web.access import COOKIE

SECONDS = 15.0
WIDTHS = (360, 768, 1280)
LOCALES = {"ko": "ko-KR", "en": "en-GB"}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
# a view that is left drops what it asked for, and the driver says so where it keeps service workers out
HARMLESS = re.compile(r"net::ERR_ABORTED|blocked by Playwright")
# what is fetched ahead for scripts is refused where none run
UNWANTED = ".js: csp"


expect.set_options(timeout=SECONDS * 1000)


class Guest(Protocol):
    """Somebody who has been here before."""

    token: str


def program() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start the browser, lend it, and end it; nothing is downloaded."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Windows:
    """The windows of one test, each as of a browser of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._expected: list[str] = []
        self._scripts: list[str] = []

    def open(
        self,
        address: str,
        guest: Guest | None = None,
        *,
        width: int = 1280,
        language: str = "en",
        dark: bool = False,
        scripts: bool = True,
        **more: Any,
    ) -> Page:
        """Return an empty window whose addresses begin with `address`; `more` goes to Playwright."""
        more = {"reduced_motion": "reduce", "service_workers": "block", "viewport": sized(width)} | more
        context = self._browser.new_context(
            base_url=address,
            locale=LOCALES[language],
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            **more,
        )
        context.set_default_timeout(SECONDS * 1000)
        if not scripts:
            self._expected.append(UNWANTED)
        if guest:
            context.add_cookies([{"name": COOKIE, "value": guest.token, "url": address}])
        context.on("console", self._said)
        context.on("weberror", lambda thrown: self._complaints.append(f"thrown: {thrown.error}"))
        context.on("requestfailed", self._failed)
        for script in self._scripts:
            context.add_init_script(script)
        self._contexts.append(context)
        return context.new_page()

    def expect(self, *parts: str) -> None:
        """Let complaints pass that hold one of these words."""
        self._expected.extend(parts)

    def before(self, script: str) -> None:
        """Run a script before the page's own ones in windows that are opened from now on."""
        self._scripts.append(script)

    def close(self) -> None:
        """Close all windows; a complaint that nobody expected fails the test."""
        for context in self._contexts:
            context.close()
        unexpected = [each for each in self._complaints if not any(part in each for part in self._expected)]
        assert not unexpected, "\n".join(unexpected)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._note(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        self._note(f"failed: {request.method} {request.url}: {request.failure}")

    def _note(self, complaint: str) -> None:
        if not HARMLESS.search(complaint):
            self._complaints.append(complaint)


def sized(width: int, height: int = 900) -> dict[str, int]:
    """Return a window's size in CSS pixels."""
    return {"width": width, "height": height}


def opened(page: Page, path: str = "/") -> Page:
    """Open an address and wait until the scripts have taken over."""
    page.goto(path)
    return ready(page)


def ready(page: Page) -> Page:
    """Wait until the scripts have taken over and the view has a heading."""
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector("main h1")
    return page


def settled(page: Page) -> Page:
    """Wait until nothing moves."""
    page.evaluate(STILL)
    return page


def unfold(page: Page) -> Page:
    """Open everything that can be unfolded."""
    closed = page.locator("main details:not([open]) > summary:visible")
    while closed.count():
        closed.first.click()
    return page


def violations(page: Page) -> list[str]:
    """What axe finds, each with the elements."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:160]} {node['failureSummary']}" for each in found for node in each["nodes"]]


def looks_right(page: Page) -> None:
    """Nothing reaches out of the window, all that is pressed is large enough for a thumb, no picture is broken."""
    for wrong, found in page.evaluate(WRONG).items():
        assert not found, f"{wrong}: {found}"


STILL = """async () => {
  const moves = (each) => each.playState === 'running' && each.effect.getComputedTiming().iterations !== Infinity;
  do {
    await new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)));
  } while (document.getAnimations().some(moves));
}"""
WRONG = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
  const found = (elements) => elements.map((each) => each.outerHTML.slice(0, 120));
  const box = (each) => each.getBoundingClientRect();
  const wide = document.documentElement.scrollWidth > innerWidth;
  return {
    'reaches out of the window': found(wide ? all('body *').filter((each) => box(each).right > innerWidth + 1) : []),
    'is too low for a thumb': found(
      all('button:not(.link), a.button, summary').filter((each) => box(each).height < 43.5)),
    'is a broken picture': found(
      all('img[src]:not([loading=lazy])').filter((each) => each.complete && each.naturalWidth === 0)),
  };
}"""
