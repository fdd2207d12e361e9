"""Weights of a Caffe network: a protobuf file, of which only layers' names and blobs are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepguard.errors import WeightsCorrupt

NET_LAYER, LAYER_NAME, LAYER_BLOB = 100, 1, 7
BLOB_DATA, BLOB_SHAPE, BLOB_RAW_TYPE, BLOB_RAW = 5, 7, 10, 12
BLOB_OLD_SHAPE = (1, 2, 3, 4)
VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5
RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
LONGEST_VARINT = 10


def read_caffemodel(path: Path) -> dict[str, list[Tensor]]:
    """Return the blobs (float32, in the file's shape and order) of every layer that has any, by the layer's name.

    Reads the layers of Caffe 1 (field 100) and NVCaffe's raw blobs; the older V1 layers are not read. A file that is
    cut off between two layers is a valid file of fewer layers: only its hash can tell. WeightsCorrupt where the file
    cannot be read, breaks off inside a layer, or holds no blobs.
    """
    try:
        layers = dict(_layers(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as a caffemodel ({error}); fetch it again") from error
    if not layers:
        raise WeightsCorrupt(f"{path} cannot be read as a caffemodel (it holds no blobs); fetch it again")
    return layers


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a message: an int for a varint, else the bytes themselves."""

    number: int
    wire: int
    content: int | memoryview

    def payload(self) -> memoryview:
        if isinstance(self.content, int):
            raise ValueError(f"field {self.number} is a number where bytes belong")
        return self.content

    def count(self) -> int:
        if not isinstance(self.content, int):
            raise ValueError(f"field {self.number} is bytes where a number belongs")
        return self.content


def _layers(data: bytes) -> Iterator[tuple[str, list[Tensor]]]:
    seen = set()
    for field in _fields(memoryview(data)):
        if field.number != NET_LAYER:
            continue
        name, blobs = _layer(field.payload())
        if not blobs:
            continue
        if name in seen:
            raise ValueError(f"two layers are called {name}")
        seen.add(name)
        yield name, blobs


def _layer(message: memoryview) -> tuple[str, list[Tensor]]:
    name, blobs = "", []
    for field in _fields(message):
        if field.number == LAYER_NAME:
            name = str(field.payload(), "utf-8")
        elif field.number == LAYER_BLOB:
            blobs.append(_blob(field.payload()))
    return name, blobs


def _blob(message: memoryview) -> Tensor:
    pieces: list[memoryview] = []
    old = dict.fromkeys(BLOB_OLD_SHAPE, 0)
    shape: tuple[int, ...] | None = None
    raw, raw_type = False, RAW_TYPES[1]
    for field in _fields(message):
        if field.number == BLOB_SHAPE:
            shape = _shape(field.payload())
        elif field.number in old:
            old[field.number] = field.count()
        elif field.number == BLOB_RAW_TYPE:
            raw_type = _raw_type(field.count())
        elif field.number == BLOB_DATA:
            pieces.append(field.payload())
        elif field.number == BLOB_RAW:
            pieces, raw = [field.payload()], True
    numbers = np.frombuffer(b"".join(pieces), dtype=raw_type if raw else "<f4")
    return _tensor(numbers, shape or tuple(old.values()))


def _raw_type(number: int) -> str:
    if number not in RAW_TYPES:
        raise ValueError(f"a blob has the unknown raw type {number}")
    return RAW_TYPES[number]


def _shape(message: memoryview) -> tuple[int, ...]:
    sizes: list[int] = []
    for field in _fields(message):
        if field.number != 1:
            continue
        if field.wire == VARINT:
            sizes.append(field.count())
            continue
        packed, place = field.payload(), 0
        while place < len(packed):
            size, place = _varint(packed, place)
            sizes.append(size)
    return tuple(sizes)


def _tensor(numbers: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    # no size may pass the number of values: 0 x 2^70 is no shape
    if prod(shape) != len(numbers) or max(shape, default=0) > len(numbers):
        raise ValueError(f"a blob of {len(numbers)} values says that its shape is {shape}")
    return torch.from_numpy(numbers.astype(np.float32).reshape(shape))


def _fields(message: memoryview) -> Iterator[_Field]:
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, place = _varint(message, place)
            yield _Field(number, wire, value)
            continue
        size, place = _size(message, place, wire)
        if size > len(message) - place:
            raise ValueError(f"field {number} is longer than what holds it")
        yield _Field(number, wire, message[place : place + size])
        place += size


def _size(message: memoryview, place: int, wire: int) -> tuple[int, int]:
    """Return how many bytes follow for this wire type, and where they start."""
    if wire == DELIMITED:
        return _varint(message, place)
    if wire == FOUR_BYTES:
        return 4, place
    if wire == EIGHT_BYTES:
        return 8, place
    raise ValueError(f"wire type {wire} is not used by such files")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise ValueError("a number does not end")
