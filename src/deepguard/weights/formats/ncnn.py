"""Convolutions of an ncnn model: a text file with the graph, a binary file with the numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepguard.errors import WeightsCorrupt

MAGIC = "7767517"
HALF, SINGLE = 0x01306B47, 0


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution: weights (out, in, height, width) and biases (out), both float32."""

    name: str
    weight: Tensor
    bias: Tensor | None
    stride: int
    padding: int
    rectified: bool


def read_ncnn(graph: Path, numbers: Path) -> tuple[Convolution, ...]:
    """Return the convolutions of the `.param` file `graph`, filled from the `.bin` file `numbers`, in their order.

    Weights of 16 and 32 bit are read. WeightsCorrupt where the two files are damaged, do not belong together or
    hold what is not read here: the numbers must end where the last convolution does.
    """
    try:
        layers = _layers(graph.read_text(encoding="utf-8"))
        content = numbers.read_bytes()
        convolutions, end = [], 0
        for name, options in layers:
            convolution, end = _convolution(name, options, content, end)
            convolutions.append(convolution)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise WeightsCorrupt(f"{graph} and {numbers} are not one readable ncnn model; fetch both again") from error
    if end != len(content):
        raise WeightsCorrupt(f"{numbers} holds {len(content)} bytes where {graph} describes {end}; fetch both again")
    return tuple(convolutions)


def _layers(text: str) -> list[tuple[str, dict[int, int]]]:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines[0] != [MAGIC] or int(lines[1][0]) != len(lines) - 2:
        raise ValueError("not an ncnn graph, or cut short")
    layers = []
    for kind, name, inputs, outputs, *rest in lines[2:]:
        if kind == "Convolution":
            pairs = (pair.split("=") for pair in rest[int(inputs) + int(outputs) :])
            layers.append((name, {int(key): int(value) for key, value in pairs}))
    return layers


def _convolution(name: str, options: dict[int, int], content: bytes, start: int) -> tuple[Convolution, int]:
    out, width, count = options[0], options[1], options[6]
    height = options.get(11, width)
    shape = (out, count // (out * height * width), height, width)
    if math.prod(shape) != count or options.get(3, 1) != options.get(13, options.get(3, 1)):
        raise ValueError(f"{name} is no plain convolution")
    tag = int.from_bytes(content[start : start + 4], "little")
    kind = {HALF: "<f2", SINGLE: "<f4"}[tag]
    weight, end = _numbers(content, start + 4, count, kind)
    bias, end = _numbers(content, end, out, "<f4") if options.get(5) else (None, end)
    rectified = options.get(9, 0) == 1
    return Convolution(name, weight.reshape(shape), bias, options.get(3, 1), options.get(4, 0), rectified), end


def _numbers(content: bytes, start: int, count: int, kind: str) -> tuple[Tensor, int]:
    values = np.frombuffer(content, kind, count, start).astype(np.float32)
    # 16-bit numbers are filled up to whole words
    return torch.from_numpy(values), start + -(-count * np.dtype(kind).itemsize // 4) * 4
