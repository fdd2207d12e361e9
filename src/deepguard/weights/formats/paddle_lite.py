"""Weights of a Paddle-Lite model (.nb, meta version 2): a topology, which is skipped, and one flatbuffer per tensor."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepguard.errors import WeightsCorrupt

META_VERSION = 2
TOPOLOGY_SIZE_AT = 18
PARAMETERS_HEADER = 6
NAME, KIND, VALUE = 1, 2, 3
DIMENSIONS, DATA_TYPE, DATA = 2, 3, 4
TENSOR_KIND, FLOAT32 = 1, 5


def read_paddle_lite(path: Path) -> dict[str, Tensor]:
    """Return all parameters (float32, in the file's shape) by their full name.

    WeightsCorrupt where the file is of another kind or version, breaks off, runs on after its last parameter, or
    holds values that are not float32.
    """
    try:
        return dict(_parameters(_Buffer(path.read_bytes())))
    except (OSError, ValueError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as a Paddle-Lite model ({error}); fetch it again") from error


@dataclass(frozen=True, slots=True)
class _Buffer:
    """Little-endian bytes; reading beyond them raises ValueError."""

    data: bytes

    def number(self, code: str, place: int) -> int:
        size = struct.calcsize("<" + code)
        return int(struct.unpack("<" + code, self.cut(place, size))[0])

    def cut(self, place: int, size: int) -> bytes:
        if place < 0 or size < 0 or place + size > len(self.data):
            raise ValueError("it breaks off or points outside itself")
        return self.data[place : place + size]

    def follow(self, place: int) -> int:
        """Return where the reference at `place` points."""
        return place + self.number("I", place)


@dataclass(frozen=True, slots=True)
class _Table:
    """A flatbuffer's table at `place`."""

    buffer: _Buffer
    place: int

    def slot(self, index: int) -> int | None:
        """Return where field `index` lies; None where it is left out and so has its default."""
        fields = self.place - self.buffer.number("i", self.place)
        at = 4 + 2 * index
        if at + 2 > self.buffer.number("H", fields):
            return None
        offset = self.buffer.number("H", fields + at)
        return self.place + offset if offset else None

    def number(self, index: int, code: str) -> int:
        place = self.slot(index)
        return 0 if place is None else self.buffer.number(code, place)

    def table(self, index: int) -> _Table:
        return _Table(self.buffer, self._target(index))

    def vector(self, index: int, width: int) -> bytes:
        """Return the bytes of a vector (or string) of items of `width` bytes."""
        place = self._target(index)
        return self.buffer.cut(place + 4, self.buffer.number("I", place) * width)

    def _target(self, index: int) -> int:
        place = self.slot(index)
        if place is None:
            raise ValueError(f"a parameter lacks field {index}")
        return self.buffer.follow(place)


def _parameters(file: _Buffer) -> Iterator[tuple[str, Tensor]]:
    version = file.number("H", 0)
    if version != META_VERSION:
        raise ValueError(f"its meta version is {version} instead of {META_VERSION}")
    place = TOPOLOGY_SIZE_AT + 8 + file.number("Q", TOPOLOGY_SIZE_AT)
    if file.number("I", place) != 0 or file.number("H", place + 4) != PARAMETERS_HEADER:
        raise ValueError("no list of parameters follows the topology")
    count = file.number("H", place + 6)
    place += 12
    for _ in range(count):
        total, offset = file.number("I", place), file.number("I", place + 4)
        record = file.cut(place + 4, total)
        yield _parameter(_Buffer(record[offset:]))
        place += 4 + total
    if place != len(file.data):
        raise ValueError("something follows its last parameter")


def _parameter(record: _Buffer) -> tuple[str, Tensor]:
    table = _Table(record, record.follow(0))
    name = table.vector(NAME, 1).decode("utf-8")
    if table.number(KIND, "B") != TENSOR_KIND:
        raise ValueError(f"{name} is no tensor")
    tensor = table.table(VALUE)
    if tensor.number(DATA_TYPE, "i") != FLOAT32:
        raise ValueError(f"{name} is not float32")
    shape = tuple(np.frombuffer(tensor.vector(DIMENSIONS, 8), dtype="<i8").tolist())
    data = tensor.vector(DATA, 1)
    # no size may pass the number of bytes: 0 x 2^62 is no shape
    if min(shape, default=0) < 0 or max(shape, default=0) > len(data) or prod(shape) * 4 != len(data):
        raise ValueError(f"{name} has {len(data)} bytes for the shape {shape}")
    return name, torch.from_numpy(np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape))
