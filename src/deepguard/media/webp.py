"""What a WebP file tells of how it was coded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

UNKNOWN_QUALITY = 80
"""libwebp's default is 75; a little more where a file does not say."""


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and body of each chunk (RIFF: little-endian size, padded to even)."""
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def lossless(data: bytes) -> bool:
    """Return whether the picture is coded without loss."""
    return any(name == b"VP8L" for name, _ in chunks(data))


def quality(data: bytes) -> int:
    """Return the libwebp quality, 0 to 100, that gives the file's quantiser.

    The quantiser is read from the key frame's header (RFC 6386, sections 9.3 to 9.6) and turned round
    through libwebp's curve: quantiser = 127 (1 - c^(1/3)), where c is 2/3 of a quality share below 0.75,
    and twice the share less 1 above.
    """
    frame = next((body for name, body in chunks(data) if name == b"VP8 "), b"")
    if len(frame) < 11 or frame[3:6] != b"\x9d\x01\x2a":
        return UNKNOWN_QUALITY
    compression = (1 - _quantiser(_Bits(frame[10:])) / 127) ** 3
    share = compression * 1.5 if compression < 0.5 else (compression + 1) / 2
    return round(100 * share)


class _Bits:
    """The arithmetic decoder of RFC 6386, section 7, for flags of even odds, which headers are made of."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data[2:])
        self._value = int.from_bytes(data[:2], "big")
        self._range = 255
        self._shifted = 0

    def flag(self) -> int:
        split = 1 + (((self._range - 1) * 128) >> 8)
        one = self._value >= split << 8
        if one:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= next(self._data, 0)
        return int(one)

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.flag()
        return value

    def optional(self, bits: int) -> int | None:
        """Return a signed number where its flag says that it is there."""
        if not self.flag():
            return None
        value = self.number(bits)
        return -value if self.flag() else value


def _quantiser(bits: _Bits) -> float:
    bits.number(2)
    absolute, steps = _segments(bits)
    bits.number(1 + 6 + 3)
    if bits.flag() and bits.flag():
        for _ in range(8):
            bits.optional(6)
    bits.number(2)
    base = bits.number(7)
    if not steps:
        return base
    return sum(step if absolute else base + step for step in steps) / len(steps)


def _segments(bits: _Bits) -> tuple[int, list[int]]:
    """Return whether the segments' quantisers are absolute, and those quantisers."""
    absolute = 0
    steps: list[int] = []
    if not bits.flag():
        return absolute, steps
    maps, values = bits.flag(), bits.flag()
    if values:
        absolute = bits.flag()
        steps = [bits.optional(7) or 0 for _ in range(4)]
        for _ in range(4):
            bits.optional(6)
    if maps:
        for _ in range(3):
            if bits.flag():
                bits.number(8)
    return absolute, steps
