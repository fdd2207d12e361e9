"""The frames of film files, through PyAV: at any time, all of them, or only those that need no other one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.codec.context import ThreadType
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from deepguard.media.clip import MAX_CLIP_PIXELS, shrunk
from deepguard.media.picture import Pixels, to_images
from deepguard.media.signatures import ClipContainer
from deepguard.types import Frame, Images

FORMATS: dict[ClipContainer, str] = {
    "MP4": "mov",
    "MKV": "matroska",
    "AVI": "avi",
    "TS": "mpegts",
    "PS": "mpeg",
    "FLV": "flv",
    "ASF": "asf",
    "OGG": "ogg",
}
"""Each container's name in libavformat. Nothing else is ever tried: playlists, for one, would open further files."""

_MAX_THREADS = 4
"""Decoders hold a frame for each thread."""

_AHEAD = 2
"""Seconds that are decoded through rather than jumped over where a file does not tell where its keyframes are."""

_STEPS_BACK = (0, 1, 10)
"""Seconds before a wanted time from which reading is tried, until a frame is found that is not later than it."""

_EXACT_SEEKING = ("mov", "matroska", "avi")
_DELAY = 64
"""Packets that a decoder takes at most before it gives the first frame."""

_KEYLESS = 300
"""Packets without a keyframe after which a film counts as one that has none: some are refreshed bit by bit."""

_SCALING = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_FULL_RANGE = 2
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
_MATRICES |= {7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020}
"""Colour matrices by their numbers in ITU-T H.273."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What makes a coded frame upright: rows and columns exchanged, then rows and columns turned round."""

    exchanged: bool = False
    rows: bool = False
    columns: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Turn:
        """Return the turn nearest to the frame's display matrix (ISO 14496-12: x' = a x + c y, y' = b x + d y)."""
        sides: Any = frame.side_data
        matrix = sides.get(Type.DISPLAYMATRIX)
        if matrix is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(matrix), "<i4")[:5].tolist()
        if abs(b) > abs(a):
            return cls(exchanged=True, rows=b < 0, columns=c < 0)
        return cls(rows=d < 0, columns=a < 0)

    @property
    def degrees(self) -> int:
        """Degrees clockwise, apart from mirroring."""
        if self.exchanged:
            return 270 if self.rows else 90
        return 180 if self.columns else 0

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return the frame upright."""
        pixels = pixels.swapaxes(0, 1) if self.exchanged else pixels
        return pixels[:: -1 if self.rows else 1, :: -1 if self.columns else 1]


@contextmanager
def opened(path: Path, container: ClipContainer) -> Iterator[InputContainer]:
    """Open the file as the container that it is, without a way to any other file; av.FFmpegError where it cannot."""
    only = {"protocol_whitelist": "file"}
    # titles of old files are in any alphabet
    with av.open(f"file:{path.absolute()}", format=FORMATS[container], options=only, metadata_errors="replace") as film:
        yield film


def prepared(film: InputContainer, index: int) -> VideoStream:
    """Return the stream of that index, ready to be decoded within the limits."""
    stream = film.streams[index]
    if not isinstance(stream, VideoStream):
        raise av.error.InvalidDataError(0, "the stream holds no pictures")
    stream.codec_context.options = {"max_pixels": str(MAX_CLIP_PIXELS)}
    stream.codec_context.thread_count = min(_MAX_THREADS, torch.get_num_threads())
    stream.codec_context.thread_type = ThreadType.AUTO
    return stream


def without_times(film: InputContainer) -> bool:
    """Return whether the file tells no time of showing, so that frames are counted from a packet's place: AVI."""
    return film.format.name == "avi"


def decoded(film: InputContainer, stream: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the sound frames from where the file stands, and when each is shown, in ticks of the stream's clock.

    Damaged ones are left out.
    """
    counted = without_times(film)
    place: int | None = None
    for packet in _from_keyframe(_packets(film, stream)):
        place = packet.dts if place is None else place
        for frame in _sound(stream, packet):
            stamp = place if counted else _stamp(frame)
            place = None if place is None else place + 1
            if stamp is not None:
                yield stamp, frame


def _packets(film: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """Yield packets to the end of what can be read, and an empty one there, after which a decoder gives its rest."""
    try:
        yield from film.demux(stream)
    except av.FFmpegError:
        yield None


def _from_keyframe(packets: Iterator[Any]) -> Iterator[Any]:
    """Yield packets from a keyframe on: before one there is nothing to build on, and trying takes long."""
    for number, packet in enumerate(packets):
        if packet is None or packet.is_keyframe or number >= _KEYLESS:
            yield packet
            yield from packets


def _sound(stream: VideoStream, packet: Any) -> list[av.VideoFrame]:
    try:
        frames = stream.codec_context.decode(packet)
    except av.FFmpegError:
        return []
    return [frame for frame in frames if not frame.is_corrupt]


def _stamp(frame: av.VideoFrame) -> int | None:
    return frame.dts if frame.pts is None else frame.pts


@dataclass(frozen=True, slots=True)
class FilmReader:
    """Reads one stream of a film file.

    Attributes:
        path: the file.
        container: what kind of file it is.
        index: the stream's number in it.
        zero: the first frame's time, in ticks.
        tick: seconds a tick.
        size: width and height of a frame, upright and with square pixels.
        turn: what makes frames upright.
    """

    path: Path
    container: ClipContainer
    index: int
    zero: int
    tick: Fraction
    size: tuple[int, int]
    turn: Turn

    def frames(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield the frame that is shown at each of the rising times, every frame once; see `Clip.frames`."""
        with self._opened() as (film, stream):
            cursor = _Cursor(film, stream, self)
            given: int | None = None
            for time in times:
                found = cursor.at(self._ticks(time))
                if found is not None and found[0] != given:
                    given = found[0]
                    yield self._frame(*found, longest)

    def every(self, longest: int | None) -> Iterator[Frame]:
        """Yield all frames in order."""
        with self._opened() as (film, stream):
            for stamp, frame in decoded(film, stream):
                yield self._frame(stamp, frame, longest)

    def keyframes(self, times: Sequence[Fraction], longest: int | None) -> Iterator[Frame]:
        """Yield the nearest frame at or before each of the rising times that needs no other one, every frame once."""
        with self._opened() as (film, stream):
            given: int | None = None
            keyframes = _Keyframes(film, stream)
            for time in times:
                found = keyframes.at(self._ticks(time))
                if found is not None and found[0] != given:
                    given = found[0]
                    yield self._frame(*found, longest)

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        with opened(self.path, self.container) as film:
            yield film, prepared(film, self.index)

    def _ticks(self, time: Fraction) -> int:
        return self.zero + max(0, math.floor(time / self.tick))

    def _frame(self, stamp: int, frame: av.VideoFrame, longest: int | None) -> Frame:
        return Frame(self._images(frame, longest), (stamp - self.zero) * self.tick)

    def _images(self, frame: av.VideoFrame, longest: int | None) -> Images:
        width, height = shrunk(self.size, longest)
        across, down = (height, width) if self.turn.exchanged else (width, height)
        smaller = across < frame.width or down < frame.height
        matrix, full = _colours(frame)
        coloured = frame.reformat(
            across,
            down,
            "rgb24",
            src_colorspace=matrix,
            src_color_range=full,
            dst_color_range=None if full is None else ColorRange.JPEG,
            interpolation=_SCALING | (Interpolation.AREA if smaller else Interpolation.BICUBIC),
            threads=1,
        )
        pixels: Any = coloured.to_ndarray()
        return to_images(self.turn(pixels))


class _Cursor:
    """A place in an open film: the frame that is shown, and the one after it."""

    def __init__(self, film: InputContainer, stream: VideoStream, reader: FilmReader) -> None:
        self._film, self._stream, self._reader = film, stream, reader
        self._shown: tuple[int, av.VideoFrame] | None = None
        self._next: tuple[int, av.VideoFrame] | None = None
        self._run: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._dense = True

    def at(self, goal: int) -> tuple[int, av.VideoFrame] | None:
        """Return the frame that is shown at `goal`, which never goes back, and its time, both in ticks."""
        if self._shown is None or (self._next is not None and self._worth_a_jump(goal)):
            self._jump(goal)
        while self._next is not None and self._next[0] <= goal:
            self._shown, self._next = self._next, next(self._run, None)
        return self._shown

    def _worth_a_jump(self, goal: int) -> bool:
        stamp = self._next[0] if self._next is not None else goal
        place = self._stream.index_entries.search_timestamp(goal)
        if place >= 0 and self._stream.index_entries[place].timestamp > stamp:
            return True
        whole = self._reader.container in {"MP4", "AVI"}
        return self._dense and not whole and (goal - stamp) * self._reader.tick > _AHEAD

    def _jump(self, goal: int) -> None:
        before = -1 if self._shown is None else self._shown[0]
        for back in _STEPS_BACK:
            _seek(self._film, self._stream, goal - int(back / self._reader.tick))
            self._run = decoded(self._film, self._stream)
            self._shown = next(self._run, None)
            if self._shown is not None and self._shown[0] <= goal:
                break
        self._next = next(self._run, None)
        # a jump that went back to what had been read: the keyframes are too far apart for jumping blindly
        self._dense = self._shown is None or self._shown[0] > before


class _Keyframes:
    """The keyframes of an open film; the last one is remembered, as neighbouring times often share one."""

    def __init__(self, film: InputContainer, stream: VideoStream) -> None:
        self._film, self._stream = film, stream
        self._packet: int | None = None
        self._found: tuple[int, av.VideoFrame] | None = None

    def at(self, goal: int) -> tuple[int, av.VideoFrame] | None:
        """Return the last keyframe that is not later than `goal`; the first one after it where there is none."""
        found = None
        for back in _STEPS_BACK:
            packet = _key_packet(self._film, self._stream, goal - int(back / (self._stream.time_base or 1)))
            found = self._decoded(packet) or found
            if found is not None and found[0] <= goal:
                break
        return found

    def _decoded(self, packet: Any) -> tuple[int, av.VideoFrame] | None:
        if packet is None:
            return None
        if packet.dts is None or packet.dts != self._packet:
            self._packet, self._found = packet.dts, None
            for frame in (_sound(self._stream, packet) + _sound(self._stream, None))[-1:]:
                stamp = packet.dts if without_times(self._film) else _stamp(frame)
                self._found = None if stamp is None else (stamp, frame)
        return self._found


def readable(film: InputContainer, stream: VideoStream, goal: int) -> bool:
    """Return whether something can be decoded from the keyframe at or before `goal` on.

    Also true for containers that seek too roughly to tell.
    """
    if not film.format.name.startswith(_EXACT_SEEKING):
        return True
    _seek(film, stream, goal)
    some = itertools.islice(_packets(film, stream), _DELAY)
    return any(_sound(stream, packet) for packet in some) or bool(_sound(stream, None))


def _key_packet(film: InputContainer, stream: VideoStream, goal: int) -> Any:
    """Return the first keyframe's packet where seeking `goal` leads to, None where there is none."""
    _seek(film, stream, goal)
    return next((packet for packet in _packets(film, stream) if packet is not None and packet.is_keyframe), None)


def _seek(film: InputContainer, stream: VideoStream, goal: int) -> None:
    """Go to the keyframe at or before `goal`, or to the file's beginning where that cannot be done."""
    try:
        film.seek(goal, stream=stream)
    except av.FFmpegError:
        film.seek(0)


def _colours(frame: av.VideoFrame) -> tuple[Colorspace | None, ColorRange | None]:
    """Return matrix and range of the frame's colours; what it does not tell is taken as players take it."""
    if not frame.format.name.startswith("yuv"):
        return None, None
    large = frame.width >= 1280 or frame.height > 576
    usual = Colorspace.ITU709 if large else Colorspace.ITU601
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    return _MATRICES.get(frame.colorspace, usual), ColorRange.JPEG if full else ColorRange.MPEG
