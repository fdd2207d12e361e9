"""The user guide's pictures, taken of the running page in Chromium: `python -m pictures guide`.

It starts a service of its own in a temporary folder, with whatever models the shelf has, and protects the sample photo
for real. The pictures differ from run to run as far as the figures do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._service import running
from playwright.sync_api import Browser, Page, StorageState

from deepguard.media.sample import sample_file
from deepguard.service.web.words import LANGUAGES, Words
from deepguard.settings import Settings
from pictures._album import Album
from pictures._chromium import chromium
from pictures._jobs import begun, ended, far_enough, filled

SERVE = (("deepguard", "serve"),)
LOCALES = {"ko": "ko-KR", "en": "en-GB"}
SIZES = {"desktop": (1280, 860, 1.0), "phone": (390, 844, 1.5)}
"""Width and height in CSS pixels, and pixels of the screen for each."""
FACE = ((0.355, 0.125), (0.53, 0.36))
"""Two corners around the sample photo's face, as shares of its sides."""


@dataclass(frozen=True, slots=True)
class Studio:
    """Where pictures are taken: a running service, a browser, and the album that they go to."""

    browser: Browser
    address: str
    album: Album

    @contextmanager
    def window(self, language: str, size: str, visitor: StorageState | None = None) -> Iterator[Page]:
        """Lend a window of a browser of its own, which is the visitor's where one is given."""
        width, height, density = SIZES[size]
        context = self.browser.new_context(
            base_url=self.address,
            locale=LOCALES[language],
            viewport={"width": width, "height": height},
            device_scale_factor=density,
            is_mobile=size == "phone",
            has_touch=size == "phone",
            storage_state=visitor,
            timezone_id="Asia/Seoul",
        )
        try:
            yield context.new_page()
        finally:
            context.close()

    def each(self, scenes: Callable[[Studio, Page, str, str], None], visitor: StorageState | None = None) -> None:
        """Have pictures taken in both languages and sizes."""
        for language in LANGUAGES:
            for size in SIZES:
                with self.window(language, size, visitor) as page:
                    scenes(self, page, language, size)

    def shoot(self, page: Page, name: str, language: str, size: str) -> None:
        """Put what a window shows into the album."""
        self.album.put(f"{name}-{size}.{language}", page.screenshot(animations="disabled", caret="hide"))


def main() -> None:
    """Take all pictures."""
    models = {"DEEPGUARD_MODELS": str(Settings.from_environment().models)}
    album = Album(Path("docs/guide/pictures"))
    with (
        tempfile.TemporaryDirectory() as home,
        running(SERVE, Path(home), models) as served,
        chromium() as browser,
    ):
        studio = Studio(browser, served.address, album)
        studio.each(choosing)
        visitor = protecting(studio)
        checking(studio, visitor)
        studio.each(looking_back, visitor)
        studio.each(without_connection)
    print(album.close())


def choosing(studio: Studio, page: Page, language: str, size: str) -> None:
    """Take the page before anything was sent, and with a photo chosen."""
    say = Words(language)
    arrived(page, "/")
    studio.shoot(page, "start", language, size)
    page.locator("input[type=file]").first.set_input_files(sample_file())
    page.get_by_role("button", name=say("protect.face.taken", number=1)).wait_for()
    page.evaluate("scrollTo(0, 0)")
    studio.shoot(page, "chosen", language, size)
    if size == "phone":
        _filters(studio, page, language)
    else:
        _expert(studio, page, language)
        _drawing(studio, page, language)


def protecting(studio: Studio) -> StorageState:
    """Protect the sample photo, take pictures of its progress and of its result, and return whose it is."""
    with studio.window("ko", "desktop") as page:
        arrived(page, "/")
        job = begun(page.request)
        visitor = page.context.storage_state()
        with _watching(studio, visitor, job) as windows:
            far_enough(page.request, job)
            for language in LANGUAGES:
                studio.shoot(windows[language, "desktop"], "progress", language, "desktop")
            ended(page.request, job)
            for (language, size), window in windows.items():
                _result(studio, window, language, size)
        filled(page.request)
        return page.context.storage_state()


def checking(studio: Studio, visitor: StorageState) -> None:
    """Check the sample photo, and take pictures of the verdict."""
    with studio.window("ko", "desktop", visitor) as page:
        arrived(page, "/detect")
        job = begun(page.request, kind="detect")
        ended(page.request, job)

    def scenes(studio: Studio, page: Page, language: str, size: str) -> None:
        arrived(page, f"/jobs/{job}")
        page.locator(".detect-verdict").wait_for()
        page.wait_for_load_state("networkidle")
        studio.shoot(page, "verdict", language, size)

    studio.each(scenes, visitor)


def looking_back(studio: Studio, page: Page, language: str, size: str) -> None:
    """Take the archive and the statistics, on a large screen."""
    if size == "phone":
        return
    for view in ("archive", "statistics"):
        arrived(page, f"/{view}")
        page.wait_for_load_state("networkidle")
        studio.shoot(page, view, language, size)


def without_connection(studio: Studio, page: Page, language: str, size: str) -> None:
    """Take what a phone shows without a connection."""
    if size != "phone":
        return
    arrived(page, "/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    # the first page of a visit is not the service worker's yet
    arrived(page, "/")
    page.context.set_offline(True)
    arrived(page, "/")
    studio.shoot(page, "offline", language, size)


def arrived(page: Page, path: str) -> None:
    """Go to an address and wait until the scripts have drawn it."""
    page.goto(path)
    page.locator("html[data-ready]").wait_for(state="attached")
    page.locator("main h1").wait_for()


def _filters(studio: Studio, page: Page, language: str) -> None:
    disclosure = page.locator("summary", has_text=Words(language)("protect.filters"))
    disclosure.click()
    page.get_by_role("slider", name=Words(language)("filter.brightness")).fill("0.2")
    _scrolled(page, disclosure.evaluate("(each) => each.getBoundingClientRect().top + scrollY - 380"))
    studio.shoot(page, "filters", language, "phone")


def _expert(studio: Studio, page: Page, language: str) -> None:
    disclosure = page.locator("summary", has_text=Words(language)("protect.expert"))
    disclosure.click()
    _scrolled(page, disclosure.evaluate("(each) => each.getBoundingClientRect().top + scrollY - 80"))
    studio.shoot(page, "expert", language, "desktop")
    disclosure.click()
    _scrolled(page, 0)


def _drawing(studio: Studio, page: Page, language: str) -> None:
    page.get_by_role("button", name=Words(language)("protect.box.draw")).click()
    page.get_by_role("button", name=Words(language)("protect.box.take")).wait_for()
    _scrolled(page, 0)
    frame = page.locator(".protect-layer").bounding_box()
    assert frame is not None
    corners = [(frame["x"] + right * frame["width"], frame["y"] + down * frame["height"]) for right, down in FACE]
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=4)
    page.mouse.up()
    studio.shoot(page, "drawing", language, "desktop")


@contextmanager
def _watching(studio: Studio, visitor: StorageState, job: str) -> Iterator[dict[tuple[str, str], Page]]:
    """Lend a window of each language and size in which a job is followed."""
    windows: dict[tuple[str, str], Page] = {}
    lent = [(each, studio.window(*each, visitor)) for each in ((name, size) for name in LANGUAGES for size in SIZES)]
    try:
        for each, window in lent:
            windows[each] = window.__enter__()
            arrived(windows[each], f"/jobs/{job}")
        yield windows
    finally:
        for _, window in reversed(lent):
            window.__exit__(None, None, None)


def _result(studio: Studio, page: Page, language: str, size: str) -> None:
    say = Words(language)
    page.locator(".compare-frame.here").wait_for()
    page.wait_for_load_state("networkidle")
    _scrolled(page, 0)
    studio.shoot(page, "result", language, size)
    if size == "phone":
        page.get_by_text(say("result.honest")).evaluate("(each) => scrollTo(0, each.getBoundingClientRect().top - 420)")
        studio.shoot(page, "reading", language, size)
        return
    page.get_by_role("button", name=say("result.heatmap")).click()
    page.locator(".compare-help").scroll_into_view_if_needed()
    studio.shoot(page, "heatmap", language, size)
    page.get_by_role("button", name=say("result.heatmap")).click()
    page.locator("summary", has_text=say("result.figures")).click()
    _scrolled(page, page.locator(".result-more").evaluate("(each) => each.getBoundingClientRect().top + scrollY - 80"))
    studio.shoot(page, "figures", language, size)


def _scrolled(page: Page, top: float) -> None:
    page.evaluate("(top) => scrollTo(0, top)", top)
