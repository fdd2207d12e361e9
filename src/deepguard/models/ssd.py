"""Priors and decoding of single-shot detectors (Liu et al. 2016), as the face detectors of that family use them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Levels: TypeAlias = tuple[tuple[int, tuple[tuple[float, float], ...]], ...]
"""Each level's step in pixels and its priors as (width, height)."""


@lru_cache(maxsize=64)
def picture_priors(height: int, width: int, levels: Levels, device: torch.device) -> Float[Tensor, "n 4"]:
    """Return `priors` for a picture of this size, whose maps round up; kept for the next call, so never change it."""
    maps = [(-(-height // step), -(-width // step)) for step, _ in levels]
    with torch.inference_mode(False):  # what is kept must serve callers that need gradients too
        return priors(maps, [step for step, _ in levels], [sizes for _, sizes in levels], device)


def priors(
    maps: Sequence[tuple[int, int]],
    steps: Sequence[int],
    sizes: Sequence[Sequence[tuple[float, float]]],
    device: torch.device,
) -> Float[Tensor, "n 4"]:
    """Return centre x, centre y, width, height in pixels of every prior; rows before columns before sizes.

    `maps` are (rows, columns) of each level, `steps` its stride in pixels, `sizes` its priors as (width, height).
    Centres lie in the middle of their cells.
    """
    levels = []
    for (rows, columns), step, level in zip(maps, steps, sizes, strict=True):
        y = (torch.arange(rows, device=device, dtype=torch.float32) + 0.5) * step
        x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) * step
        centres = torch.stack((x.expand(rows, columns), y[:, None].expand(rows, columns)), dim=-1)
        shape = torch.tensor(level, device=device)
        cells = centres[:, :, None].expand(-1, -1, len(level), -1)
        levels.append(torch.cat((cells, shape.expand(rows, columns, -1, -1)), dim=-1).reshape(-1, 4))
    return torch.cat(levels)


def decode_boxes(offsets: Float[Tensor, "b n 4"], prior: Float[Tensor, "n 4"]) -> Float[Tensor, "b n 4"]:
    """Return left, top, right, bottom from offsets with variances 0.1 (centre) and 0.2 (size)."""
    centres = prior[:, :2] + 0.1 * offsets[..., :2] * prior[:, 2:]
    halves = prior[:, 2:] * torch.exp(0.2 * offsets[..., 2:]) / 2
    return torch.cat((centres - halves, centres + halves), dim=-1)


def decode_landmarks(offsets: Float[Tensor, "b n 10"], prior: Float[Tensor, "n 4"]) -> Float[Tensor, "b n 5 2"]:
    """Return five points (x, y) from offsets with variance 0.1."""
    points = offsets.reshape(*offsets.shape[:-1], 5, 2)
    return prior[:, None, :2] + 0.1 * points * prior[:, None, 2:]


def cell_major(head: Float[Tensor, "b c h w"], values: int) -> Float[Tensor, "b n v"]:
    """Flatten a head of (anchors x values) channels: rows, then columns, then anchors."""
    return head.permute(0, 2, 3, 1).reshape(len(head), -1, values)


def face_logit(logits: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n"]:
    """Return the logit whose sigmoid is the softmax score of class 1 (face) against class 0."""
    return logits[..., 1] - logits[..., 0]
