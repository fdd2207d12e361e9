"""What a clip is here: facts about a file with moving pictures, and its frames at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from deepguard.errors import ClipTooLarge
from deepguard.media.signatures import ClipContainer
from deepguard.types import Frame, Note

MAX_CLIP_PIXELS = 36_000_000
"""The largest frame: 8K films (8192 x 4320) pass, and the decoder's frames of that size stay below 1 GB."""

_ROUGHLY = Fraction(1, 10)
"""Seconds that make no difference to a reader."""

SLACK = Fraction(1, 2000)
"""Seconds by which a wanted time may come before its frame: times rounded to milliseconds find theirs again."""

SHORT = 3
"""Frames up to which a clip is too short to say anything of its course."""


class Reader(Protocol):
    """Reads the frames of one file; each call opens the file for itself and holds a few frames at most.

    `longest` is the most pixels that either side of the given images has; None for the clip's own size.
    """

    def frames(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield the frame that is shown at each of the rising times, every frame once; see `Clip.frames`."""

    def every(self, longest: int | None) -> Iterator[Frame]:
        """Yield all frames in order."""

    def keyframes(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield the nearest frame at or before each of the rising times that needs no other one, every frame once."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A file with moving pictures, opened and looked over; nothing stays open.

    Attributes:
        name: the file's name, for sentences.
        container: what kind of file it is, by its content.
        codec: how its pictures are coded, such as `h264`.
        width: pixels across, upright and with square pixels.
        height: pixels down.
        duration: seconds from the first frame to the end of the last one that can be read.
        rate: frames a second, on average; None where the file does not tell.
        variable: whether the frames are shown for different lengths of time.
        count: how many frames there are; None where that would take reading the whole of a large file.
        rotation: degrees clockwise by which the coded frames are turned until they are upright.
        sha256: of the whole file.
        size: of the whole file in bytes.
        notes: what a user should know of the file.
        reader: gives its frames.
    """

    name: str
    container: ClipContainer
    codec: str
    width: int
    height: int
    duration: Fraction
    rate: Fraction | None
    variable: bool
    count: int | None
    rotation: int
    sha256: str
    size: int
    notes: tuple[Note, ...]
    reader: Reader

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.width * self.height

    @property
    def roughly(self) -> int:
        """How many frames there are, guessed where it is not known; at least 1."""
        return self.count or max(1, round(self.duration * (self.rate or 30)))

    def frames(self, times: Iterable[Fraction], *, longest: int | None = None) -> Iterator[Frame]:
        """Yield the frame that is shown at each time in seconds, in order of time, each frame once.

        A time before the first frame means the first, one after the last means the last. Frames are upright, with
        square pixels, RGB in [0, 1], neither side longer than `longest` pixels; one is in memory at a time. What is
        damaged is left out, so there may be fewer frames than times. The time of a frame is its own, exact; a wanted
        one may be rounded to milliseconds.
        """
        return self.reader.frames(sorted({time + SLACK for time in times}), longest)

    def every(self, *, longest: int | None = None) -> Iterator[Frame]:
        """Yield all frames, as `frames` does."""
        return self.reader.every(longest)

    def keyframes(self, times: Iterable[Fraction], *, longest: int | None = None) -> Iterator[Frame]:
        """Yield, for each time, the nearest frame at or before it that needs no other to be decoded, each once.

        That costs one decoded frame a time, however far apart these frames are.
        """
        return self.reader.keyframes(sorted({time + SLACK for time in times}), longest)


def shrunk(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return width and height with neither above `longest`."""
    factor = 1.0 if longest is None else min(1.0, longest / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def broken_tail(name: str, readable: Fraction, promised: Fraction) -> Note:
    """Return the note on a file that ends before it should."""
    sound = f"the first {float(readable):.1f} s"
    part = f"of {float(promised):.1f} s {sound}" if promised - readable > _ROUGHLY else f"only {sound}"
    return Note("broken_tail", f"{name} is damaged or cut short: {part} can be read")


def short_clip(count: int) -> Note:
    """Return the note on a clip of so few frames that it has no course."""
    frames = "only one frame" if count == 1 else f"only {count} frames"
    return Note("short_clip", f"the clip has {frames}, so it is judged as pictures are", count)


def too_many_pixels(name: str) -> ClipTooLarge:
    """Return the error for a clip whose frames are larger than the limit."""
    limit = f"{MAX_CLIP_PIXELS / 1e6:g} megapixels"
    return ClipTooLarge(f"{name} has more than {limit} a frame, which is the limit; make it smaller and try again")
