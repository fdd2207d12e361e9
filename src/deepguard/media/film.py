"""Film files looked over, through PyAV: which stream, how long, whether they can be read to their end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from deepguard.errors import UnreadableClip, UnsupportedClip
from deepguard.media.clip import MAX_CLIP_PIXELS, SHORT, Clip, broken_tail, short_clip, too_many_pixels
from deepguard.media.film_course import Course, course
from deepguard.media.film_reader import FilmReader, Turn, decoded, opened, prepared, readable
from deepguard.media.signatures import ClipContainer
from deepguard.types import Note

HDR = Note("hdr", "the clip is HDR and is judged as if it were not, so its colours look flat")

MAX_STREAMS = 64
"""Tracks in one file; films with many languages have some thirty."""

_EXACT = Fraction(1, 10)
"""Seconds to which the end of what can be decoded is looked for."""

_STILL = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
_HDR_CURVES = {16, 18}
"""Transfer characteristics PQ and HLG, by their numbers in ITU-T H.273."""

_ASPECTS = (Fraction(1, 4), Fraction(4))
"""Width to height of a pixel between which it is believed."""


def open_film(path: Path, name: str, container: ClipContainer, sha256: str, size: int) -> Clip:
    """Look a film file over, called `name` in sentences; errors as of `open_clip`."""
    try:
        with opened(path, container) as film:
            stream = prepared(film, _chosen(film, name))
            zero, frame = _first(film, stream, name)
            reader = _reader(path, container, stream, zero, frame)
            met = _decodable(film, stream, course(film, stream, size, zero), zero)
            return _clip(name, reader, stream, frame, met, sha256, size)
    except av.FFmpegError as error:
        raise _unreadable(name) from error


def _unreadable(name: str) -> UnreadableClip:
    return UnreadableClip(f"{name} is damaged or cut short, and nothing of it can be read; copy it again")


def _chosen(film: InputContainer, name: str) -> int:
    """Return the index of the stream with the film: the largest one that is no cover picture."""
    if len(film.streams) > MAX_STREAMS:
        raise UnsupportedClip(f"{name} has more than {MAX_STREAMS} tracks; give a copy with the film's track alone")
    streams = [stream for stream in film.streams.video if not stream.disposition & _STILL]
    if not streams and film.streams.audio:
        raise UnsupportedClip(f"{name} holds sound but no pictures; give a clip that shows something")
    if not streams:
        raise _unreadable(name)
    contexts = [(stream, getattr(stream, "codec_context", None)) for stream in streams]
    known = [(stream.index, context.width * context.height) for stream, context in contexts if context is not None]
    if not known:
        raise UnsupportedClip(f"{name} is coded in a way that is not known here; convert it to H.264 in MP4")
    index, pixels = max(known, key=lambda choice: choice[1])
    if pixels > MAX_CLIP_PIXELS:
        raise too_many_pixels(name)
    return index


def _first(film: InputContainer, stream: VideoStream, name: str) -> tuple[int, av.VideoFrame]:
    first = next(decoded(film, stream), None)
    if first is None:
        raise _unreadable(name)
    return first


def _reader(path: Path, container: ClipContainer, stream: VideoStream, zero: int, frame: av.VideoFrame) -> FilmReader:
    turn = Turn.of(frame)
    across, down = round(frame.width * _aspect(stream)), frame.height
    size = (down, across) if turn.exchanged else (across, down)
    return FilmReader(path, container, stream.index, zero, stream.time_base or Fraction(1, 1000), size, turn)


def _aspect(stream: VideoStream) -> Fraction:
    told = stream.sample_aspect_ratio or Fraction(1)
    return told if _ASPECTS[0] <= told <= _ASPECTS[1] else Fraction(1)


def _decodable(film: InputContainer, stream: VideoStream, met: Course, zero: int) -> Course:
    """Return the course up to where keyframes can be decoded: a file may be whole and hold nothing at its end."""
    if readable(film, stream, met.end - 1):
        return met
    low, high = zero, met.end
    while (high - low) * (stream.time_base or 1) > _EXACT:
        middle = (low + high) // 2
        low, high = (middle, high) if readable(film, stream, middle) else (low, middle)
    return replace(met, end=max(low, zero + 1), broken=True, count=None)


def _clip(
    name: str, reader: FilmReader, stream: VideoStream, frame: av.VideoFrame, met: Course, sha256: str, size: int
) -> Clip:
    duration = (met.end - reader.zero) * reader.tick
    even = stream.average_rate or stream.guessed_rate
    return Clip(
        name=name,
        container=reader.container,
        codec=stream.codec_context.codec.canonical_name,
        width=reader.size[0],
        height=reader.size[1],
        duration=duration,
        rate=met.count / duration if met.count and met.variable else even,
        variable=met.variable,
        count=met.count,
        rotation=reader.turn.degrees,
        sha256=sha256,
        size=size,
        notes=tuple(_notes(name, reader, frame, met)),
        reader=reader,
    )


def _notes(name: str, reader: FilmReader, frame: av.VideoFrame, met: Course) -> Iterator[Note]:
    if met.broken:
        readable, promised = ((end - reader.zero) * reader.tick for end in (met.end, met.promised))
        yield broken_tail(name, readable, promised)
    if met.count is not None and met.count <= SHORT:
        yield short_clip(met.count)
    if frame.color_trc in _HDR_CURVES:
        yield HDR
