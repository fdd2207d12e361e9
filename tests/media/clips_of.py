"""Small clips made for the tests, with every frame telling its own number, and ways to damage them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BITS = 12


def numbered(number: int, height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """A picture whose columns of black and white tell its number, over a grey that no codec hurts."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    for bit in range(BITS):
        left, right = bit * width // BITS, (bit + 1) * width // BITS
        pixels[height // 2 :, left:right] = 235 if number >> bit & 1 else 20
    return pixels


def number_of(images: Any) -> int:
    """The number that a frame of `numbered` tells, whatever its size."""
    row = images[0].mean(0)[-images.shape[-2] // 4]
    width = row.shape[0]
    middles = [float(row[(2 * bit + 1) * width // (2 * BITS)]) for bit in range(BITS)]
    return sum((middle > 0.5) << bit for bit, middle in enumerate(middles))


def write_clip(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    rate: Fraction | int = 25,
    codec: str = "libx264",
    times: Sequence[Fraction] | None = None,
    container: dict[str, str] | None = None,
    planes: bool = False,
    colours: dict[str, Any] | None = None,
    **kind: Any,
) -> Path:
    """Write pictures as a clip; see `_stream` for `kind`.

    `times` in seconds make the rate variable; with `planes` the pictures are luma and chroma as coded.
    """
    with av.open(str(path), "w", container_options=container or {}) as output:
        stream: Any = None
        for at, picture in enumerate(pictures):
            if stream is None:
                size = picture.shape[1:] if planes else picture.shape[:2]
                kind = {"pix_fmt": "yuv444p", **kind} if planes else kind
                stream = _stream(output, codec, rate, size, colours=colours or {}, timed=times is not None, **kind)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv444p" if planes else "rgb24")
            if planes:
                _set(frame, colours or {})
            if times is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), int(times[at] * 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _stream(
    output: Any,
    codec: str,
    rate: Fraction | int,
    size: Sequence[int],
    *,
    colours: dict[str, Any],
    timed: bool,
    gop: int = 12,
    rotation: float | None = None,
    flipped: bool = False,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
) -> Any:
    stream = output.add_stream(codec, rate=rate, options=options or {})
    stream.height, stream.width = size
    stream.pix_fmt = pix_fmt
    stream.codec_context.gop_size = gop
    stream.codec_context.thread_count = 1
    if timed:
        stream.codec_context.time_base = Fraction(1, 1000)
    if rotation is not None:
        stream.set_display_rotation(rotation, hflip=flipped)
    if aspect is not None:
        stream.codec_context.sample_aspect_ratio = aspect
    _set(stream.codec_context, colours)
    return stream


def _set(target: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(target, name, value)
