"""Candidates of a cascade of networks: how they are ranked, suppressed and cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from deepguard.types import Box

CROWD = 2000
"""Candidates, best first, that enter a suppression."""
SILENT = -20.0
"""The margin of a place that no candidate takes; nobody lowers a threshold as far."""
BLOCK = 256
"""Candidates whose overlaps are computed together: all with all would be millions, most of them for nothing."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The same number of candidates for each image; places that nobody takes have the margin `SILENT`.

    Attributes:
        margin: (b, n) logits by which a candidate passes the stage at which it is weakest; below 0 it fails.
        score: (b, n) face logit of the last stage that saw it.
        boxes: (b, n, 4) left, top, right, bottom in pixels; without gradient.
        offsets: (b, n, 4) how far that stage would move each edge, in widths and heights; without gradient.
        points: (b, n, 5, 2) landmarks in pixels; zeros before the last stage; without gradient.
    """

    margin: Tensor
    score: Tensor
    boxes: Tensor
    offsets: Tensor
    points: Tensor

    def near(self, faces: Sequence[Box]) -> Candidates:
        """Return the same candidates, silent where they are centred further than a face's size from every face."""
        x, y = (self.boxes[..., :2] + self.boxes[..., 2:]).unbind(dim=-1)
        close = torch.zeros_like(x, dtype=torch.bool)
        for face in faces:
            wide = face.grown(1.0)
            close |= (x > 2 * wide.left) & (x < 2 * wide.right) & (y > 2 * wide.top) & (y < 2 * wide.bottom)
        return replace(self, margin=self.margin.where(close, SILENT))

    def scaled(self, factors: tuple[float, float]) -> Candidates:
        """Return the candidates as they lie in the images resized by the factors (x, y)."""
        unit = self.boxes.new_tensor(factors)
        return replace(self, boxes=self.boxes * unit.repeat(2), points=self.points * unit)


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Return all candidates of each image in one list."""
    names = ("margin", "score", "boxes", "offsets", "points")
    return Candidates(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in names))


def best(found: Candidates, overlap: float, most: int, lowest: float, *, nested: bool = False) -> Candidates:
    """Suppress neighbours and keep the best `most` candidates of each image with a margin above `lowest`.

    Those that pass so far come first, by the last stage's score, as in a cascade that had dropped the others;
    then the others, the nearest to passing first.
    """
    passing = found.margin.detach() > 0
    worth = torch.where(passing, found.score.detach() + 1000, found.margin.detach())
    kept = []
    for each, margin, boxes in zip(worth, found.margin, found.boxes, strict=True):
        order = each.argsort(descending=True, stable=True)
        order = order[margin[order] > lowest][:CROWD]
        kept.append(order[survivors(boxes[order], overlap, nested=nested)][:most])
    return _picked(found, kept)


def survivors(boxes: Tensor, overlap: float, *, nested: bool) -> Tensor:
    """Return the places that greedy suppression keeps of boxes given best first.

    The common area is divided by the union, or by the smaller box where `nested` faces are one face.
    """
    kept = torch.arange(0, device=boxes.device)
    for first in range(0, len(boxes), BLOCK):
        rest = torch.arange(first, min(first + BLOCK, len(boxes)), device=boxes.device)
        if first:
            rest = rest[~_close(boxes[kept], boxes[rest], overlap, nested=nested).any(dim=0)]
        alive = _greedy(_close(boxes[rest], boxes[rest], overlap, nested=nested).cpu().numpy())
        kept = torch.cat((kept, rest[torch.from_numpy(alive).to(rest.device)]))
    return kept


def _greedy(close: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which places stay, if each that stays drives out the later ones that are close to it."""
    alive = np.ones(len(close), dtype=np.bool_)
    for place in range(len(close)):
        if alive[place]:
            alive[place + 1 :] &= ~close[place, place + 1 :]
    return alive


def _close(ones: Tensor, others: Tensor, overlap: float, *, nested: bool) -> Tensor:
    """Tell for each pair whether the two boxes cover each other too much."""
    corners = torch.minimum(ones[:, None, 2:], others[:, 2:]) - torch.maximum(ones[:, None, :2], others[:, :2])
    common = _area(corners)
    areas, more = _area(ones[:, 2:] - ones[:, :2])[:, None], _area(others[:, 2:] - others[:, :2])
    whole = torch.minimum(areas, more) if nested else areas + more - common
    return common > overlap * whole


def _area(sides: Tensor) -> Tensor:
    across, down = sides.clamp(min=0).unbind(dim=-1)
    return across * down


def _picked(found: Candidates, kept: list[Tensor]) -> Candidates:
    """Return the kept candidates of each image, filled up with silent ones to the longest list, at least one."""
    longest = max(1, *(len(each) for each in kept))
    place = torch.stack([functional.pad(each, (0, longest - len(each)), value=-1) for each in kept])
    taken = place >= 0
    row = torch.arange(len(kept), device=place.device)[:, None]
    margin = torch.where(taken, found.margin[row, place], SILENT)
    boxes = found.boxes[row, place] * taken[..., None]
    return Candidates(margin, found.score[row, place], boxes, found.offsets[row, place], found.points[row, place])


def squared(boxes: Tensor) -> Tensor:
    """Return squares about the same centres, as large as the longer sides and at least one pixel."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]).amax(dim=-1, keepdim=True).clamp(min=1) / 2
    return torch.cat((centres - half, centres + half), dim=-1)


def summed(inputs: Tensor) -> Tensor:
    """Return the sums over all pixels above and to the left of each pixel corner, in double precision."""
    # in place: fresh memory for a picture in double precision costs more than the sums
    return functional.pad(inputs.double(), (1, 0, 1, 0)).cumsum_(-1).cumsum_(-2)


def crops(sums: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Return the boxes' content (b * n, 3, side, side) by area averaging, grey outside the image; differentiable.

    Each pixel is exactly the mean over its part of the box: four corners of the summed area (Crow 1984).
    """
    height, width = sums.shape[-2] - 1, sums.shape[-1] - 1
    steps = torch.linspace(0, 1, side + 1, device=sums.device, dtype=sums.dtype)
    edges = boxes[..., :2, None].double() + (boxes[..., 2:] - boxes[..., :2])[..., None].double() * steps
    x, y = 2 * edges[:, :, 0] / width - 1, 2 * edges[:, :, 1] / height - 1
    shape = (*x.shape, side + 1)
    grid = torch.stack((x[:, :, None].expand(shape), y[..., None].expand(shape)), dim=-1).flatten(1, 2)
    corners = functional.grid_sample(sums, grid, padding_mode="border", align_corners=True)
    count = boxes.shape[0] * boxes.shape[1]
    corners = corners.reshape(len(boxes), 3, *shape[1:]).transpose(1, 2).reshape(count, 3, *shape[2:])
    total = corners.diff(dim=-1).diff(dim=-2)
    area = ((boxes[..., 2] - boxes[..., 0]) / side).double().square().flatten()
    return (total / area[:, None, None, None]).float()


def averaged(sums: Tensor, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]) -> Tensor:
    """Return the means over all rectangles of these first and last rows and columns, last ones excluded."""
    strips = sums.index_select(-2, rows[1]) - sums.index_select(-2, rows[0])
    total = strips.index_select(-1, columns[1]) - strips.index_select(-1, columns[0])
    return (total / ((rows[1] - rows[0])[:, None] * (columns[1] - columns[0]))).float()
