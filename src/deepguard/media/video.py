"""Files with moving pictures, from films to animated GIFs: recognised by content, measured, and hashed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deepguard.errors import UnreadableClip
from deepguard.media.animation import ANIMATIONS, open_animation
from deepguard.media.clip import Clip
from deepguard.media.film import open_film
from deepguard.media.signatures import ENOUGH_OF_CLIPS, SUPPORTED_CLIPS, ClipContainer, clip_container, is_clip
from deepguard.types import Progress, Watch, ignore

__all__ = ["Clip", "is_clip", "open_clip"]

_PORTION = 1 << 26
"""Bytes that are hashed between two words to the watch."""


def open_clip(path: Path, *, name: str | None = None, watch: Watch = ignore) -> Clip:
    """Look a clip over: what it is, how long, whether it can be read to its end.

    The whole file is read once for its hash. UnreadableClip, UnsupportedClip or ClipTooLarge, each with one sentence
    that names the file: by `name` where that is given.
    """
    called = name or path.name
    try:
        size = path.stat().st_size
        container = _container(path, called)
        sha256 = _hashed(path, size, watch)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableClip(f"{name or path} cannot be read ({reason}); give a {SUPPORTED_CLIPS} file") from error
    if container in ANIMATIONS:
        return open_animation(path, called, container, sha256, size, watch)
    return open_film(path, called, container, sha256, size)


def _container(path: Path, name: str) -> ClipContainer:
    with path.open("rb") as stream:
        head = stream.read(ENOUGH_OF_CLIPS)
    if not head:
        raise UnreadableClip(f"{name} is empty (0 bytes); copy it again from where it came from")
    container = clip_container(head)
    if container is None:
        raise UnreadableClip(f"{name} is not a clip, whatever its name says; give a {SUPPORTED_CLIPS} file")
    return container


def _hashed(path: Path, size: int, watch: Watch) -> str:
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as stream:
        while portion := stream.read(_PORTION):
            watch(Progress("reading the file", done, size))
            digest.update(portion)
            done += len(portion)
    return digest.hexdigest()
