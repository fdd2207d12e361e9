"""What a visitor does on the first screen."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from deepguard.media.sample import sample_file
from deepguard.service.web.words import Words

KO, EN = Words("ko"), Words("en")
BOTH = (("ko", 360), ("en", 1280))
"""A phone in Korean and a desk in English."""

File = dict[str, Any]
BRING = """([files, event]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  for (const {name, type, text} of files) data.items.add(new File([bytes(text)], name, {type}));
  const sent = event === 'paste'
    ? new ClipboardEvent(event, {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent(event, {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(sent);
}"""


def file(name: str = "astronaut.png", data: bytes | None = None) -> File:
    """A file as it lies on a visitor's disk: the sample photo where nothing is said."""
    media_type = mimetypes.guess_type(name)[0] or ""
    return {"name": name, "mimeType": media_type, "buffer": sample_file().read_bytes() if data is None else data}


def choose(page: Page, *files: File | Path) -> None:
    """Choose files, as from the list that the button opens."""
    page.locator("main input[type=file]").first.set_input_files(list(files) or [file()])


def bring(page: Page, how: str, *files: File) -> None:
    """Drop or paste files onto the page."""
    told: Sequence[dict[str, str]] = [
        {"name": each["name"], "type": each["mimeType"], "text": base64.b64encode(each["buffer"]).decode()}
        for each in files
    ]
    page.evaluate(BRING, [told, how])


def starter(page: Page, say: Words = EN, count: int = 1) -> Locator:
    """The button that starts."""
    name = say("start.send") if count == 1 else say("protect.start", count=count)
    return page.get_by_role("button", name=name, exact=True)


def start(page: Page, say: Words = EN, count: int = 1) -> None:
    """Start as soon as it can be, and wait until the page has gone on."""
    button = starter(page, say, count)
    expect(button).to_have_attribute("aria-disabled", "false")
    button.click()
    page.wait_for_url("**/jobs/*" if count == 1 else "**/archive?jobs=*")


def face(page: Page, number: int, *, taken: bool = True, say: Words = EN) -> Locator:
    """The frame of a face."""
    return page.get_by_role("button", name=say("protect.face.taken" if taken else "protect.face.left", number=number))


def open_part(page: Page, title: str) -> Locator:
    """Unfold a part of the page."""
    part = page.locator("details", has=page.locator("summary", has_text=title))
    part.locator("summary").first.click()
    return part
