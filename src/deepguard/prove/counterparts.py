"""The other side of every swap: a fixed set of bundled faces, chosen by id. Nobody ever brings one."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from deepguard.errors import unknown
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models import swappers
from deepguard.models.align import taken
from deepguard.models.roles import Template
from deepguard.types import Images, Landmarks

FOLDER = Path(str(swappers.__file__)).parent / "counterparts"
SIDE = 512
"""Pixels of a counterpart's picture, and so of all that is ever shown of a swap."""


@dataclass(frozen=True, slots=True, eq=False)
class Counterpart:
    """A face of the public domain or of nobody, onto which a swapper puts the victim's.

    Attributes:
        name: what people are told, by language.
        origin, licence: where the picture comes from, and what its source states.
        images: 1x3x512x512, the face and a little around it.
        landmarks: its five landmarks there.
    """

    name: Mapping[str, str]
    origin: str
    licence: str
    images: Images
    landmarks: Landmarks


def counterparts() -> tuple[str, ...]:
    """Return the ids of all, sorted."""
    return tuple(sorted(_index()))


@functools.cache
def counterpart(identifier: str) -> Counterpart:
    """Return the one with this id, or raise OptionError naming the nearest."""
    if identifier not in _index():
        raise unknown("counterpart", identifier, _index())
    told = _index()[identifier]
    file = FOLDER / told["file"] if told["file"] else sample_file()
    left, top, side = told["window"]
    scale = SIDE / side
    # pixel centres: a window of n pixels begins half a pixel before its first one's
    place = torch.tensor(((1 / scale, 0, left + 0.5 / scale - 0.5), (0, 1 / scale, top + 0.5 / scale - 0.5)))
    images = taken(read_picture(file).images, place.double(), Template(SIDE, SIDE, ()))
    landmarks = tuple(((x - left + 0.5) * scale - 0.5, (y - top + 0.5) * scale - 0.5) for x, y in told["landmarks"])
    return Counterpart(told["name"], told["origin"], told["licence"], images, landmarks)


@functools.cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((FOLDER / "counterparts.json").read_text(encoding="utf-8"))
    return index
