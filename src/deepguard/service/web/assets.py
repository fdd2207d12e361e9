"""The page's own files, as they are served: from memory, packed, and under an address that changes with them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from fastapi import APIRouter, Request, Response

from deepguard.service.web.faults import Fault
from deepguard.service.web.views import views
from deepguard.service.web.words import LANGUAGES, LATE, STATIC, Words, keys_of

TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".json": "application/json",
    }
)
FOR_EVER = "public, max-age=31536000, immutable"
DIGITS = 12

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and packed."""

    media_type: str
    body: bytes
    packed: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Return the files by their paths; for each language, the sentences are two files and one of each view."""
    return MappingProxyType(dict(_assets()))


@cache
def version() -> str:
    """Return digits that change with any of the files."""
    digest = hashlib.sha256()
    for path, asset in sorted(assets().items()):
        digest.update(path.encode() + b"\0" + asset.body)
    return digest.hexdigest()[:DIGITS]


def folder(root: str) -> str:
    """Return where the files of this version are; `root` is the prefix below which the service is reached."""
    return f"{root}/static/{version()}"


@router.get("/static/{digits}/{path:path}")
def static(request: Request, digits: str, path: str) -> Response:
    """Give one of the page's own files; a page that was opened before an update is given the newer one."""
    asset = assets().get(path)
    if asset is None:
        raise Fault("not_found", "there is no such file")
    headers = {"Cache-Control": FOR_EVER if digits == version() else "no-cache", "Vary": "Accept-Encoding"}
    return delivered(request, asset, headers)


def delivered(request: Request, asset: Asset, headers: Mapping[str, str]) -> Response:
    """Return the answer with a file, packed where the browser takes that."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.body, media_type=asset.media_type, headers=dict(headers))


def _assets() -> Iterator[tuple[str, Asset]]:
    for file in STATIC.rglob("*"):
        # sentences go out merged, and what a view is stands in the page itself
        if file.is_file() and file.suffix in TYPES and file.suffix != ".json":
            yield file.relative_to(STATIC).as_posix(), _asset(file.suffix, file.read_bytes())
    # a view's own sentences go with its scripts; those of a view without scripts are the server's alone
    common = (*keys_of(), *(each.tab for each in views() if each.tab and each.tab not in keys_of()))
    for language in LANGUAGES:
        yield f"words.{language}.json", _sentences(language, common)
        yield f"{LATE}.{language}.json", _sentences(language, keys_of(LATE))
        for view in views():
            if view.script or view.kinds:
                yield f"views/{view.name}/words.{language}.json", _sentences(language, keys_of(view.name))


def _sentences(language: str, keys: Iterable[str]) -> Asset:
    body = json.dumps(Words(language).some(keys), ensure_ascii=False, separators=(",", ":"))
    return _asset(".json", body.encode())


def _asset(suffix: str, body: bytes) -> Asset:
    return Asset(TYPES[suffix], body, gzip.compress(body, mtime=0))
