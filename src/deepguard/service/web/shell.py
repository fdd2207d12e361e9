"""The page as an app: its manifest, its service worker, and what it says where there is no network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from deepguard.service.web import assets
from deepguard.service.web.screen import draw, root_of, words_of
from deepguard.service.web.views import views
from deepguard.service.web.words import LANGUAGES, STATIC

WORKER = "sw.js"
OFFLINE = "/offline"
PAPER, ACCENT = "#ffffff", "#2351c4"
ICONS = (
    ("icon.svg", "any", "image/svg+xml", "any"),
    ("icon-192.png", "192x192", "image/png", "any"),
    ("icon-512.png", "512x512", "image/png", "any"),
    ("maskable-512.png", "512x512", "image/png", "maskable"),
)
TEMPLATES = Path(__file__).parent / "templates"
DRAWN = ("base.html", "offline.html")
"""What the offline page is drawn from."""
NEVER_OLD = {"Cache-Control": "no-cache"}
POLICY = "default-src 'none'; connect-src 'self'"
"""A worker of the browser is held to what comes with its own file, not to the page's policy."""

router = APIRouter(include_in_schema=False)


@router.get("/manifest.webmanifest")
def manifest(request: Request) -> Response:
    """Tell browsers how the page is installed, in the visitor's language."""
    say, root = words_of(request), root_of(request)
    tabs = [each for each in views() if each.tab and each.path != "/"]
    told = {
        "id": f"{root}/",
        "name": say("name"),
        "short_name": say("name"),
        "description": say("start.title"),
        "lang": say.language,
        "start_url": f"{root}/",
        "scope": f"{root}/",
        "display": "standalone",
        "background_color": PAPER,
        "theme_color": PAPER,
        "icons": [_icon(root, *each) for each in ICONS],
        "shortcuts": [
            {"name": say(each.tab), "url": root + each.path, "icons": [_icon(root, *ICONS[1])]} for each in tabs
        ],
    }
    return Response(json.dumps(told, ensure_ascii=False), media_type="application/manifest+json", headers=NEVER_OLD)


@router.get(f"/{WORKER}")
def worker(request: Request) -> Response:
    """Give the service worker, which begins with what it keeps; it changes with every file that it keeps."""
    script = (STATIC / WORKER).read_text(encoding="utf-8")
    text = f"self.shell = {json.dumps(_shell(request))};\n{script}"
    headers = NEVER_OLD | {"Content-Security-Policy": POLICY}
    return Response(text, media_type=assets.TYPES[".js"], headers=headers)


@router.get(OFFLINE)
def offline(request: Request) -> Response:
    """Draw what is shown where the service cannot be reached; browsers keep it for then."""
    return draw(request, "offline.html", stays=True)


def _shell(request: Request) -> dict[str, Any]:
    """Return what the service worker keeps: the files that any page needs, and the offline page in each language."""
    root = root_of(request)
    kept = sorted(path for path in assets.assets() if path != WORKER and not path.endswith(".png"))
    return {
        "version": _version(),
        "root": root,
        "files": [f"{assets.folder(root)}/{path}" for path in kept],
        "offline": {language: f"{root}{OFFLINE}?lang={language}" for language in LANGUAGES},
    }


def _version() -> str:
    """Return digits that change with any of the files, and with the offline page, which is none of them."""
    digest = hashlib.sha256(assets.version().encode())
    for name in DRAWN:
        digest.update((TEMPLATES / name).read_bytes())
    return digest.hexdigest()[: assets.DIGITS]


def _icon(root: str, name: str, sizes: str, media_type: str, purpose: str) -> dict[str, str]:
    return {"src": f"{assets.folder(root)}/icons/{name}", "sizes": sizes, "type": media_type, "purpose": purpose}
