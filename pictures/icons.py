"""The icons of the installed page, drawn from static/icons/icon.svg: `python -m pictures icons`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image
from playwright.sync_api import Browser

from deepguard.service.web.words import STATIC
from pictures._chromium import chromium

FOLDER = STATIC / "icons"
COLOURS = 64
"""So many are enough for two blues, white, and the edges between them."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One icon: its side in pixels, the drawing's share of it, and the ground, "transparent" where it has none."""

    side: int
    share: float
    ground: str


DRAWINGS: Mapping[str, Drawing] = MappingProxyType(
    {
        "icon-192.png": Drawing(192, 1.0, "transparent"),
        "icon-512.png": Drawing(512, 1.0, "transparent"),
        # whatever a system cuts off, a circle of 80 % stays (W3C, Web Application Manifest: safe zone)
        "maskable-512.png": Drawing(512, 0.6, "#e6edfd"),
        "apple-touch-icon.png": Drawing(180, 0.74, "#ffffff"),
    }
)


def main() -> None:
    """Draw all icons."""
    with chromium() as browser:
        for name, drawing in DRAWINGS.items():
            (FOLDER / name).write_bytes(drawn(browser, drawing))
            print(f"{name}: {(FOLDER / name).stat().st_size} bytes")


def drawn(browser: Browser, drawing: Drawing) -> bytes:
    """Return an icon as PNG."""
    side = drawing.side
    page = browser.new_page(viewport={"width": side, "height": side})
    page.set_content(
        f"<style>body{{margin:0;display:grid;place-items:center;height:100vh;background:{drawing.ground}}}"
        f"svg{{width:{drawing.share:.0%};height:{drawing.share:.0%}}}</style>"
        + (FOLDER / "icon.svg").read_text(encoding="utf-8")
    )
    picture = Image.open(io.BytesIO(page.screenshot(omit_background=True)))
    page.close()
    file = io.BytesIO()
    picture.quantize(COLOURS, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()
