"""What the page asks of a browser: bytes, time until it can be used, and how still and smooth it stays."""

from __future__ import annotations

import argparse
import datetime
import io
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures._chromium import chromium
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks._machine import place
from benchmarks._service import Served, running
from deepguard.media.sample import sample_file
from deepguard.service import jobs, keys
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Result, Upload, Visit, identifier, now
from deepguard.service.web.access import COOKIE

COMMANDS = (("deepguard.service.web",), ("deepguard.service.worker", "--name", "bench-0"))
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 800}
LARGE = (4000, 3000)
CARDS = 200
KEPT = datetime.timedelta(hours=20)
STEP = 40
"""Pixels of one frame's scrolling: a fast flick."""
WATCHED = """window.seen = {ready: 0, shift: 0, task: 0};
new PerformanceObserver((list) => list.getEntries().forEach((each) => {
  if (!each.hadRecentInput) window.seen.shift += each.value;
})).observe({type: 'layout-shift', buffered: true});
new PerformanceObserver((list) => list.getEntries().forEach((each) => {
  window.seen.task = Math.max(window.seen.task, each.duration);
})).observe({type: 'longtask', buffered: true});
new MutationObserver(() => {
  if (document.documentElement.hasAttribute('data-ready')) window.seen.ready ||= performance.now();
}).observe(document, {attributes: true, subtree: true, attributeFilter: ['data-ready']});"""
LOADED = """() => {
  const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .filter((each) => !each.name.includes('/api/'));
  const sum = (name) => all.reduce((total, each) => total + each[name], 0);
  return {files: all.length, sent: sum('transferSize'), unpacked: sum('decodedBodySize'), ready: window.seen.ready,
    painted: performance.getEntriesByName('first-contentful-paint')[0].startTime};
}"""
SCROLLED = """(step) => new Promise((told) => {
  const frames = [];
  let last = performance.now();
  const next = (time) => {
    frames.push(time - last);
    last = time;
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) return told(frames.slice(1));
    scrollBy({top: step, behavior: 'instant'});
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""


@dataclass(frozen=True, slots=True)
class Still:
    """What a large photo did to the page: cumulative layout shift, longest task and time to the preview, in ms."""

    shift: float
    task: float
    preview: float


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks page", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    print("## The page", end="\n\n")
    print("Debian's Chromium without a window, on the machine of the service: `python -m benchmarks page`.", end="\n\n")
    with tempfile.TemporaryDirectory() as folder, running(COMMANDS, Path(folder), {}) as served, chromium() as browser:
        print(f"{place()}; Chromium {browser.version}", end="\n\n")
        print("| what | desk | phone |\n|---|--:|--:|")
        sides = [measured(browser, served, Path(folder), size, options.rounds) for size in (DESK, PHONE)]
        for desk, phone in zip(*sides, strict=True):
            print(f"| {desk[0]} | {desk[1]} | {phone[1]} |")


def measured(browser: Browser, served: Served, home: Path, size: dict[str, int], rounds: int) -> list[tuple[str, str]]:
    """Return the rows for a window of this size."""
    starts = [started(browser, served, size) for _ in range(rounds)]
    photo = home / "large.jpg"
    _draw_large(photo)
    still = [chosen(browser, served, photo, size) for _ in range(rounds)]
    frames, tasks = scrolled(browser, served, home, size)
    ordered = sorted(frames)
    middle = statistics.median
    return [
        ("files of the first screen", f"{starts[0]['files']}"),
        ("sent, kB", f"{starts[0]['sent'] / 1000:.1f}"),
        ("unpacked, kB", f"{starts[0]['unpacked'] / 1000:.1f}"),
        (f"first picture on the screen, ms (median of {rounds})", f"{middle(each['painted'] for each in starts):.0f}"),
        (f"ready for use, ms (median of {rounds})", f"{middle(each['ready'] for each in starts):.0f}"),
        ("photo of 12 megapixels: shown after, ms", f"{middle(each.preview for each in still):.0f}"),
        ("the same: layout shift until its faces are framed", f"{max(each.shift for each in still):.4f}"),
        (
            "the same: longest task while the worker looks for faces, ms (median, most)",
            f"{middle(each.task for each in still):.0f}, {max(each.task for each in still):.0f}",
        ),
        (f"archive of {CARDS}: frame while scrolling, median, ms", f"{middle(frames):.1f}"),
        ("the same: 99 % of frames, ms", f"{ordered[int(0.99 * len(ordered))]:.1f}"),
        ("the same: longest task, ms", f"{tasks:.0f}"),
    ]


def started(browser: Browser, served: Served, size: dict[str, int]) -> dict[str, float]:
    """Open the first screen in a browser that has never been here."""
    context = _context(browser, served, size)
    page = _opened(context, "/")
    found: dict[str, float] = page.evaluate(LOADED)
    context.close()
    return found


def chosen(browser: Browser, served: Served, photo: Path, size: dict[str, int]) -> Still:
    """Choose a large photo and wait until its faces are framed."""
    context = _context(browser, served, size)
    page = _opened(context, "/")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.seen.task = 0")
    began = page.evaluate("performance.now()")
    # a file of the disk: bytes that are handed over would be unpacked by the page itself
    page.locator("main input[type=file]").first.set_input_files(photo)
    page.locator("canvas").first.wait_for()
    preview = page.evaluate("performance.now()") - began
    page.locator(".protect-face").first.wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    seen = page.evaluate("window.seen")
    context.close()
    return Still(seen["shift"], seen["task"], preview)


def scrolled(browser: Browser, served: Served, home: Path, size: dict[str, int]) -> tuple[list[float], float]:
    """Return the frames' times while a long archive scrolls from its top to its end, and the longest task; in ms."""
    token = identifier()
    parts = open_parts(ServiceSettings(home=home, _env_file=None))
    _filled(parts, token)
    parts.database.close()
    context = _context(browser, served, size)
    context.add_cookies([{"name": COOKIE, "value": token, "url": served.address}])
    page = _opened(context, "/archive")
    while page.get_by_role("article").count() < CARDS:
        page.keyboard.press("End")
        page.wait_for_timeout(50)
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0); window.seen.task = 0")
    page.wait_for_timeout(300)
    frames: list[float] = page.evaluate(SCROLLED, STEP)
    task = float(page.evaluate("window.seen.task"))
    context.close()
    return frames, task


def _context(browser: Browser, served: Served, size: dict[str, int]) -> BrowserContext:
    context = browser.new_context(base_url=served.address, viewport=size, service_workers="block", locale="ko-KR")
    context.add_init_script(WATCHED)
    return context


def _opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def _draw_large(file: Path) -> None:
    with Image.open(sample_file()) as sample:
        sample.convert("RGB").resize(LARGE).save(file, "JPEG", quality=90)


def _filled(parts: Parts, token: str) -> None:
    """Give a visitor an archive of finished jobs, each with a small picture."""
    visit = Visit(id=identifier(), token_hash=keys.hashed(token))
    file = io.BytesIO()
    with Image.open(sample_file()) as sample:
        sample.convert("RGB").resize((480, 480)).save(file, "JPEG", quality=80)
    rows: list[Any] = [visit]
    for number in range(CARDS):
        rows += _finished(parts, f"visit:{visit.id}", f"photo {number:03}.jpg", file.getvalue())
    with parts.database.writing() as session:
        session.add_all(rows)


def _finished(parts: Parts, owner: str, name: str, thumbnail: bytes) -> list[Any]:
    upload = Upload(
        id=identifier(), owner=owner, name=name, container="JPEG", size=1, sha256="0" * 64, width=512, height=512,
        expires=now() + KEPT,
    )  # fmt: skip
    job = jobs.new_job(
        id=identifier(), kind="protect", owner=owner, name=name, upload_id=upload.id, options={}, expires=upload.expires
    )
    key = f"results/{job.id}/1/thumbnail"
    parts.store.put(key, thumbnail)
    job.state, job.attempt, job.ended = State.DONE, 1, now()
    job.summary = {"faces": 1, "detectors": 9, "found_before": 9, "found_after": 1}
    job.results = [
        Result(
            name="thumbnail", filename="thumbnail.jpg", media_type="image/jpeg", size=len(thumbnail), sha256="0" * 64,
            key=key,
        )
    ]  # fmt: skip
    return [upload, job]
