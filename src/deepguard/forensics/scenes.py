"""Where a clip cuts from one scene to the next, told from small copies of its frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.types import Frame, Images

SMALL = 64
"""Pixels of the longer side of the copies in which cuts are looked for."""

_OTHER_COLOURS = 0.12
_OTHER_LAYOUT = 0.6
"""From which share of colours and which decorrelation of brightness on, together, two frames show different scenes.

In the eight real clips that were tried, cuts have 0.16 and 0.70 at least, and successive frames of one scene 0.05 and
0.31 at most; frames a second apart reach 0.10 with 0.42, or 0.05 with 0.52."""

_ALL_COLOURS = 0.5
"""Share of colours from which the layout does not matter: a fade to a plain colour has none."""

_DISSOLVED = 0.35
"""Share of colours by which the ends of a dissolve differ; people who move about change up to 0.3 in a second."""

_DISSOLVE = Fraction(1)
"""Seconds that a slow change from one scene to the next may take."""

_REST = Fraction(1, 5)
_RESTS = 0.06
"""Seconds within which less than that share of the colours changes where a picture rests."""

_SHORTEST = Fraction(1, 4)
"""Seconds that a scene lasts at least: what is shorter is a flash."""

_LEVELS = 6
_ROWS, _COLUMNS = 9, 16


@dataclass(frozen=True, slots=True)
class _Glance:
    """What is remembered of a frame: shares of its colours, which add up to 1, and its brightness, centred."""

    time: Fraction
    colours: Tensor
    layout: Tensor


def cuts(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, bool]]:
    """Yield the time of each small frame as it comes, and whether a scene begins there."""
    scene: deque[_Glance] = deque()
    begun: Fraction | None = None
    for frame in frames:
        glance = _Glance(frame.time, _colours(frame.images), _layout(frame.images))
        begins = begun is None
        if begun is not None and glance.time - begun >= _SHORTEST:
            begins = _differ(glance, scene[-1], _OTHER_COLOURS) or _dissolved(glance, scene)
        if begins:
            scene.clear()
            begun = glance.time
        scene.append(glance)
        while len(scene) > 1 and glance.time - scene[1].time >= _DISSOLVE:
            scene.popleft()
        yield glance.time, begins


def _dissolved(glance: _Glance, scene: Sequence[_Glance]) -> bool:
    """Return whether a change that began within the last second has just come to rest at another picture."""
    lately = next((earlier for earlier in reversed(scene) if glance.time - earlier.time >= _REST), scene[0])
    return _apart(glance, lately) < _RESTS and _differ(glance, scene[0], _DISSOLVED)


def _differ(one: _Glance, other: _Glance, from_colours: float) -> bool:
    colours = _apart(one, other)
    if colours > _ALL_COLOURS:
        return True
    return colours > from_colours and 1 - float(one.layout @ other.layout) > _OTHER_LAYOUT


def _apart(one: _Glance, other: _Glance) -> float:
    """Return which share of the colours differs, in [0, 1]."""
    return float((one.colours - other.colours).abs().sum()) / 2


def _colours(images: Images) -> Tensor:
    """Return a joint histogram of red, green and blue, in which a colour counts for the levels around it."""
    levels = torch.arange(_LEVELS, dtype=images.dtype)
    samples = images[0].flatten(1).mul(_LEVELS - 1)
    near = (1 - (samples[..., None] - levels).abs()).clamp_min(0)
    two = (near[0][:, :, None] * near[1][:, None, :]).flatten(1)
    return (two.T @ near[2]).flatten() / samples.shape[1]


def _layout(images: Images) -> Tensor:
    brightness = functional.adaptive_avg_pool2d(images.mean(1), (_ROWS, _COLUMNS)).flatten()
    centred = brightness - brightness.mean()
    # plain pictures differ from each other by noise only, which the constant keeps small
    spread: Tensor = centred.norm() + 0.01
    return centred / spread
