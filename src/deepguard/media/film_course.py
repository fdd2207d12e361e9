"""What the packets of a film file say, without decoding any: how many pictures, until when, and how evenly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deepguard.media.film_reader import without_times

WHOLE = 1 << 26
"""Bytes up to which all packets of a file are read, so that its length is known exactly."""

_HEAD = 500
"""Packets at the beginning of a larger file by which its frame rate is known where it has no index of all frames."""

_REORDERED = 16
"""The most frames by which packets stand elsewhere than in the order of showing (ITU-T H.264, A.3.1)."""

_HALVINGS = 20
"""Steps in which the end of a cut file is looked for: to a hundredth of a second of three hours."""

_BEFORE = 2
"""Seconds before a file's end from which its last packets are read."""

_TOLERANCE = Fraction(1, 2)
"""Seconds by which a sound file may be shorter than it says: containers round."""


@dataclass(frozen=True, slots=True)
class Course:
    """What the packets of one stream say.

    Attributes:
        count: how many pictures, None where not all packets were read and the file does not tell.
        end: when the last one that can be read ends, in ticks of the stream.
        promised: when it should end.
        broken: whether the file ends before it should.
        variable: whether pictures are shown for different lengths of time.
    """

    count: int | None
    end: int
    promised: int
    broken: bool
    variable: bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A run of packets: when the pictures in it are shown, when anything in it ends in seconds, and what is torn."""

    stamps: list[int]
    latest: Fraction
    torn: bool


def course(film: InputContainer, stream: VideoStream, size: int, zero: int) -> Course:
    """Survey a file of `size` bytes whose first picture is shown at `zero` ticks."""
    tick = stream.time_base or Fraction(1, 1000)
    film.seek(0)
    if size <= WHOLE:
        everything = _stretch(film, stream.index)
        stamps, tail = everything.stamps, everything
        count: int | None = len(stamps)
    else:
        head = _stretch(film, stream.index, _HEAD)
        tail = _tail(film, stream)
        stamps, count = _even_stamps(stream, head.stamps), stream.frames or None
    step = _usual(stamps)
    end = max([zero + 1, *(stamp + step for stamp in tail.stamps)])
    promised = max(end, zero if stream.duration is None else zero + stream.duration)
    missing = max((promised - end) * tick, _promised_of_all(film) - tail.latest)
    broken = tail.torn or missing > _TOLERANCE
    if broken and promised == end:
        promised = end + max(0, round(missing / tick))
    return Course(count, end, promised, broken, _varies(stamps, step))


def _all_packets(film: InputContainer) -> Iterator[Any]:
    """Yield the packets of all streams, and None where reading failed."""
    try:
        yield from (packet for packet in film.demux() if packet.size)
    except av.FFmpegError:
        yield None


def _stretch(film: InputContainer, index: int, most: int | None = None) -> _Stretch:
    """Read packets from where the file stands, all of them or so many."""
    counted = without_times(film)
    stamps: list[int] = []
    latest = Fraction(0)
    torn = False
    for packet in itertools.islice(_all_packets(film), most):
        torn = torn or packet is None or packet.is_corrupt
        stamp = _stamp(packet, counted)
        if stamp is None:
            continue
        end: Fraction = (stamp + (packet.duration or 0)) * packet.time_base
        latest = max(latest, end)
        if packet.stream_index == index and not packet.is_discard:
            stamps.append(stamp)
    return _Stretch(sorted(stamps), latest, torn)


def _stamp(packet: Any, counted: bool) -> int | None:
    if packet is None or packet.is_corrupt:
        return None
    stamp: int | None = packet.dts if counted or packet.pts is None else packet.pts
    return stamp


def _tail(film: InputContainer, stream: VideoStream) -> _Stretch:
    """Return what stands at the end of what can be read."""
    start, tick = stream.start_time or 0, stream.time_base or Fraction(1)
    high = start + (stream.duration or round((film.duration or 0) / (1_000_000 * tick)))
    found = _from(film, stream, max(start, high - int(_BEFORE / tick)))
    low = start
    for _ in range(_HALVINGS if not found.stamps else 0):
        middle = (low + high) // 2
        # a few packets tell whether there is anything
        some = _from(film, stream, middle, most=_HEAD)
        low, high = (middle, high) if some.stamps else (low, middle)
    if found.stamps:
        return found
    last = _from(film, stream, low)
    return _Stretch(last.stamps, last.latest, torn=True)


def _from(film: InputContainer, stream: VideoStream, goal: int, most: int | None = None) -> _Stretch:
    try:
        film.seek(goal, stream=stream)
    except av.FFmpegError:
        return _Stretch([], Fraction(0), torn=False)
    return _stretch(film, stream.index, most)


def _promised_of_all(film: InputContainer) -> Fraction:
    """Return when the longest stream should end, in seconds; 0 where the file does not say."""
    return Fraction((film.duration or 0) + (film.start_time or 0), 1_000_000) if film.duration else Fraction(0)


def _even_stamps(stream: VideoStream, head: Sequence[int]) -> list[int]:
    """Return the times of all frames where the file has an index of all, else those at its beginning."""
    if stream.frames and len(stream.index_entries) >= stream.frames:
        return [entry.timestamp for entry in stream.index_entries]
    return list(head[:-_REORDERED])


def _steps(stamps: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(stamps)]


def _usual(stamps: Sequence[int]) -> int:
    steps = _steps(stamps)
    return max(1, median_low(steps)) if steps else 1


def _varies(stamps: Sequence[int], usual: int) -> bool:
    """Return whether steps differ by more than rounding to whole ticks and 2 % explain."""
    steps = _steps(stamps)
    return bool(steps) and max(steps) - min(steps) > max(1, usual // 50)
