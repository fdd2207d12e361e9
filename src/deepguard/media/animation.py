"""Animated GIF, WebP and PNG files, through Pillow, as clips."""

from __future__ import annotations

import itertools
import struct
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from deepguard.errors import ClipTooLarge, UnreadableClip
from deepguard.media import webp
from deepguard.media.clip import MAX_CLIP_PIXELS, SHORT, Clip, broken_tail, short_clip, shrunk, too_many_pixels
from deepguard.media.picture import to_images
from deepguard.media.signatures import ClipContainer
from deepguard.types import Frame, Images, Progress, Watch, ignore

MAX_ANIMATION_BYTES = 1 << 28
"""The largest file; it is held in memory while it is looked over."""

MAX_ANIMATION_PIXELS = 10_000_000_000
"""The most pixels of all frames together; each of them is decoded, as these files tell no other way to a frame."""

_ENDS: dict[ClipContainer, bytes] = {"GIF": b"\x3b", "WEBP": b"", "PNG": b"IEND"}
_ENDING = 64
"""What whole files have among so many of their last bytes; of WebP the decoder itself knows whether it is whole."""

_OPENERS: dict[ClipContainer, type[ImageFile.ImageFile]] = {
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
    "PNG": PngImageFile,
}
ANIMATIONS = frozenset(_OPENERS)
"""The kinds of clip that are read here."""

_DAMAGE = (OSError, ValueError, EOFError, SyntaxError, struct.error, IndexError)
"""What decoders raise on damaged data."""

_HURRIED = Fraction(1, 100)
_USUAL = Fraction(1, 10)
"""Browsers show a frame that asks for 0.01 s or less for 0.1 s."""


def open_animation(
    path: Path, name: str, container: ClipContainer, sha256: str, size: int, watch: Watch = ignore
) -> Clip:
    """Look an animation over, called `name` in sentences; errors as of `open_clip`."""
    if size > MAX_ANIMATION_BYTES:
        raise ClipTooLarge(f"{name} is larger than {MAX_ANIMATION_BYTES >> 20} MiB; make a film of it, such as an MP4")
    data = path.read_bytes()
    told = [_USUAL if length <= _HURRIED else length for length in _LENGTHS[container](data)]
    reader = AnimationReader(path, name, container, tuple(itertools.accumulate(told, initial=Fraction(0))))
    width, height = reader.size()
    if width * height > MAX_CLIP_PIXELS:
        raise too_many_pixels(name)
    if width * height * len(told) > MAX_ANIMATION_PIXELS:
        raise ClipTooLarge(f"{name} has too many large frames for an animation; make a film of it, such as an MP4")
    return _clip(reader, (width, height), _ENDS[container] in data[-_ENDING:], sha256, size, _sound(reader, watch))


def _sound(reader: AnimationReader, watch: Watch) -> int:
    """Return how many frames can be read, all of them decoded one after the other."""
    sound = 0
    for _ in reader.every(1):
        watch(Progress("reading the file", sound, len(reader.starts) - 1))
        sound += 1
    return sound


def _clip(reader: AnimationReader, size: tuple[int, int], ended: bool, sha256: str, length: int, sound: int) -> Clip:
    count, name = len(reader.starts) - 1, reader.name
    if not sound:
        raise _unreadable(name)
    duration = reader.starts[sound]
    steps = {later - earlier for earlier, later in itertools.pairwise(reader.starts[: sound + 1])}
    broken = (broken_tail(name, duration, reader.starts[-1]),) * (sound < count or not ended)
    return Clip(
        name=name,
        container=reader.container,
        codec=reader.container.lower(),
        width=size[0],
        height=size[1],
        duration=duration,
        rate=sound / duration,
        variable=len(steps) > 1,
        count=sound,
        rotation=0,
        sha256=sha256,
        size=length,
        notes=broken + (short_clip(sound),) * (sound <= SHORT),
        reader=reader,
    )


def _unreadable(name: str) -> UnreadableClip:
    return UnreadableClip(f"{name} is damaged or cut short, and nothing of it can be read; copy it again")


@dataclass(frozen=True, slots=True)
class AnimationReader:
    """Reads one animation.

    Attributes:
        path: the file.
        name: what sentences call it.
        container: what kind of file it is.
        starts: when each frame is shown, in seconds, and when the last one ends.
    """

    path: Path
    name: str
    container: ClipContainer
    starts: tuple[Fraction, ...]

    def size(self) -> tuple[int, int]:
        """Return width and height; UnreadableClip where the file is damaged."""
        with self._opened() as opened:
            return opened.size

    def frames(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield the frame that is shown at each of the rising times, every frame once; see `Clip.frames`."""
        wanted = {max(0, bisect_right(self.starts[:-1], time) - 1) for time in times}
        yield from self._at(sorted(wanted), longest)

    def every(self, longest: int | None) -> Iterator[Frame]:
        """Yield all frames in order."""
        yield from self._at(range(len(self.starts) - 1), longest)

    def keyframes(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield what `frames` does: these files are read from their beginning in any case."""
        yield from self.frames(times, longest)

    def _at(self, places: Sequence[int], longest: int | None) -> Iterator[Frame]:
        with self._opened() as opened:
            # a picture that stands before an animated PNG for programs that show no animations
            first = int(getattr(opened, "default_image", False))
            for place in places:
                try:
                    opened.seek(first + place)
                    image = opened.convert("RGBA")
                except _DAMAGE:
                    return
                yield Frame(_on_paper(image, longest), self.starts[place])

    @contextmanager
    def _opened(self) -> Iterator[ImageFile.ImageFile]:
        with warnings.catch_warnings():
            # decoders warn of odd metadata
            warnings.simplefilter("ignore")
            try:
                # called directly, as in media.containers
                opened = _OPENERS[self.container](self.path)
            except Image.DecompressionBombError as error:
                raise too_many_pixels(self.name) from error
            except _DAMAGE as error:
                raise _unreadable(self.name) from error
            with opened:
                yield opened


def _on_paper(image: Image.Image, longest: int | None) -> Images:
    """Return the frame with what is transparent on white."""
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    size = shrunk(image.size, longest)
    plain = paper.convert("RGB")
    return to_images(np.asarray(plain if size == plain.size else plain.resize(size, Image.Resampling.BOX)))


def _lengths_of_gif(data: bytes) -> Iterator[Fraction]:
    """Yield each frame's length, from the graphic control block before it (GIF89a specification, 23)."""
    at = 13 + _table(data[10:11])
    length = Fraction(0)
    while at < len(data) and data[at] != 0x3B:
        if data[at] == 0x21:
            if data[at + 1 : at + 3] == b"\xf9\x04":
                length = Fraction(int.from_bytes(data[at + 4 : at + 6], "little"), 100)
            at = _after_blocks(data, at + 2)
        elif data[at] == 0x2C:
            yield length
            at = _after_blocks(data, at + 11 + _table(data[at + 9 : at + 10]))
        else:
            return


def _table(packed: bytes) -> int:
    """Return the bytes of the colour table that a packed field announces."""
    return 3 << (packed[0] & 7) + 1 if packed and packed[0] & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _lengths_of_webp(data: bytes) -> Iterator[Fraction]:
    """Yield each frame's length, from its ANMF chunk (WebP container specification)."""
    for name, body in webp.chunks(data):
        if name == b"ANMF" and len(body) >= 16:
            yield Fraction(int.from_bytes(body[12:15], "little"), 1000)


def _lengths_of_png(data: bytes) -> Iterator[Fraction]:
    """Yield each frame's length, from its fcTL chunk (PNG specification, third edition, 11.3.6.2)."""
    at = 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"fcTL" and at + 32 <= len(data):
            over, under = struct.unpack_from(">HH", data, at + 28)
            yield Fraction(over, under or 100)
        at += 12 + size


_LENGTHS: dict[ClipContainer, Callable[[bytes], Iterator[Fraction]]] = {
    "GIF": _lengths_of_gif,
    "WEBP": _lengths_of_webp,
    "PNG": _lengths_of_png,
}
