"""MTCNN, a cascade of three small networks (Zhang et al. 2016); its weights come with the installed package `mtcnn`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.anchors import resized
from deepguard.models.roles import Evidence, detectors
from deepguard.types import Box, Face, Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.joblib_arrays import read_arrays

SMALLEST_FACE = 20
"""Pixels; the default of the two common ports (facenet-pytorch, mtcnn)."""
CELL, STEP, SHRINKING = 12, 2, 0.709
"""P-Net's window and stride in pixels, and the factor between two levels of its pyramid (Zhang et al. 2016)."""
PASSES = (0.6, 0.7, 0.7)
"""Scores from which P-Net, R-Net and O-Net let a candidate pass; the defaults of facenet-pytorch."""
SIDES = (640, 1280)
"""Long sides in pixels to which larger pictures are made smaller, so that 12 megapixels stay cheap."""
LARGEST_FINE = 100.0
"""Longer side in pixels of the largest face that is taken from the second of them; the first shows the others alike."""
CROWD = 2000
"""Candidates, best first, that enter a suppression."""
SILENT = -20.0
"""The margin of a place that no candidate takes; nobody lowers a threshold as far."""


def _carried(stage: str, size: int, sha256: str) -> Weights:
    return Weights(
        file=f"mtcnn-{stage}.lz4",
        size=size,
        sha256=sha256,
        licence="MIT",
        origin=f"{stage} of MTCNN, trained on WIDER FACE and CelebA, inside the Python package mtcnn 1.0.0",
        package=f"mtcnn:mtcnn/assets/weights/{stage}.lz4",
    )


PNET = _carried("pnet", 27119, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5")
RNET = _carried("rnet", 401659, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee")
ONET = _carried("onet", 1557637, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3")


@detectors.register("mtcnn", PNET, RNET, ONET)
def mtcnn(files: Sequence[Path], device: torch.device) -> Mtcnn:
    """MTCNN: three small networks over a pyramid; comes with the installation and needs no download."""
    networks = (_proposal_network(), _refinement_network(), _output_network())
    for network, file in zip(networks, files, strict=True):
        _fill(network, [torch.from_numpy(array) for array in read_arrays(file)])
    for network in networks:
        # pixel by pixel in memory: half the time in the pools and convolutions with few channels
        network.to(memory_format=torch.channels_last).to(device).eval().requires_grad_(False)  # type: ignore[call-overload]
    return Mtcnn(*networks)


@dataclass(frozen=True)
class Mtcnn:
    """P-Net proposes on a pyramid, R-Net refuses most proposals, O-Net decides and names five landmarks.

    Attributes:
        proposal, refinement, output: the three networks; each ends in four box offsets, landmarks (O-Net only) and
            the logits of no face and face.
        threshold: O-Net's; those of the other two are in `PASSES`.
        floor: see `FaceDetector`; a score of 0.12. The best candidate of a picture without faces lies higher as
            often as not (median logit -0.7 over 40 crops of 400 px), so a lower floor would fight the background.
    """

    proposal: nn.Sequential
    refinement: nn.Sequential
    output: nn.Sequential
    threshold: float = PASSES[2]
    floor: float = -2.0
    whole: bool = True  # the sizes of its pyramid's levels follow from the picture's

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        """Return the factors by which `detect` resizes a picture of this size."""
        scales = [min(1.0, side / max(height, width)) for side in SIDES]
        return tuple(dict.fromkeys(scales))

    def limits(self, height: int, width: int) -> tuple[tuple[float, float], ...]:
        """Return, for each of `scales`, between which longer sides in picture pixels faces are taken from it."""
        _, *finer = self.scales(height, width)
        return ((0.0, math.inf), *((0.0, LARGEST_FINE / scale) for scale in finer))

    @torch.no_grad()
    def detect(
        self, images: Images, *, threshold: float | None = None, scales: tuple[float, ...] | None = None
    ) -> list[list[Face]]:
        """Return each image's faces, best first, in pixels of the given images; the score is O-Net's.

        A threshold below the detector's own lowers all three stages by as many logits as the last one.
        """
        level = _logit(self.threshold if threshold is None else threshold)
        lowest = min(0.0, level - _logit(self.threshold))
        parts = []
        looks = zip(self.scales(*images.shape[-2:]), self.limits(*images.shape[-2:]), strict=True)
        for scale, (_, limit) in ((scale, (0.0, math.inf)) for scale in scales) if scales else looks:
            views, factors = resized(images, scale)
            found = _seen_at(self._cascade(views, _Limits(CROWD, CROWD, 600, lowest)), factors)
            longer = (found.boxes[..., 2:] - found.boxes[..., :2]).amax(dim=-1)
            parts.append(replace(found, margin=found.margin.where(longer <= limit, SILENT)))
        found = _best(_joined(parts), 0.7, CROWD, lowest, nested=True)
        passed = (found.margin > lowest) & (found.score > level)
        return [_faces(found, index, passed[index]) for index in range(len(images))]

    def evidence(self, images: Images) -> Evidence:
        """Return the best candidates' evidence; differentiable.

        A candidate is a face only if it passes all three stages. So its logit is that of the stage at which it is
        weakest, moved so that one threshold fits all: `detect` with a threshold of at most 0.7 finds a face where
        a score is above it, and only there. The gradient reaches every stage. The number of candidates is limited and
        grows with the area.
        """
        share = max(1.0, images.shape[-2] * images.shape[-1] / 400**2)
        limits = _Limits(round(96 * share), round(64 * share), round(16 * share), SILENT)
        found = self._cascade(images, limits)
        return Evidence(found.margin + _logit(self.threshold), found.boxes, found.points, pressed=found.score)

    def _cascade(self, images: Images, limits: _Limits) -> _Candidates:
        """Send candidates through the three stages; the overlaps are those of Zhang et al.'s code."""
        inputs = images * (255 / 128) - 127.5 / 128
        sums = _summed(inputs)
        proposed = _best(self._propose(inputs, limits), 0.7, limits.refine, limits.lowest)
        refined = _judge(self.refinement, sums, proposed, 24, PASSES[1])
        chosen = _best(refined, 0.7, limits.output, limits.lowest)
        decided = _judge(self.output, sums, chosen, 48, PASSES[2])
        placed = replace(decided, boxes=_moved(decided.boxes, decided.offsets))
        return _best(placed, 0.7, limits.output, limits.lowest, nested=True)

    def _propose(self, inputs: Tensor, limits: _Limits) -> _Candidates:
        """Run P-Net on every level of the pyramid."""
        levels = []
        for size in _pyramid(*inputs.shape[-2:]):
            head = self.proposal(_by_pixel(functional.interpolate(inputs, size=size, mode="area")))
            cells = _cells(head, inputs.shape[-1] / size[1], inputs.shape[-2] / size[0], limits.level)
            levels.append(_best(cells, 0.5, limits.level, limits.lowest))
        return _joined(levels)


@dataclass(frozen=True, slots=True)
class _Limits:
    """How many candidates go on from each level of the pyramid, to R-Net and to O-Net, and with which margin."""

    level: int
    refine: int
    output: int
    lowest: float


@dataclass(frozen=True, slots=True)
class _Candidates:
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


def _proposal_network() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 10, 3), nn.PReLU(10), nn.MaxPool2d(2, 2, ceil_mode=True)),
        *(nn.Conv2d(10, 16, 3), nn.PReLU(16)),
        *(nn.Conv2d(16, 32, 3), nn.PReLU(32)),
        nn.Conv2d(32, 4 + 2, 1),
    )


def _refinement_network() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 28, 3), nn.PReLU(28), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(28, 48, 3), nn.PReLU(48), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(48, 64, 2), nn.PReLU(64)),
        *(nn.Conv2d(64, 128, 3), nn.PReLU(128)),
        nn.Conv2d(128, 4 + 2, 1),
    )


def _output_network() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.PReLU(32), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(32, 64, 3), nn.PReLU(64), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(64, 64, 3), nn.PReLU(64), nn.MaxPool2d(2, 2, ceil_mode=True)),
        *(nn.Conv2d(64, 128, 2), nn.PReLU(128)),
        *(nn.Conv2d(128, 256, 3), nn.PReLU(256)),
        nn.Conv2d(256, 4 + 10 + 2, 1),
    )


@torch.no_grad()
def _fill(network: nn.Sequential, arrays: list[Tensor]) -> None:
    """Put the package's arrays in their places; its several heads, boxes first, become one."""
    places = list(network.parameters())
    trunk, heads = arrays[: len(places) - 2], arrays[len(places) - 2 :]
    for place, array in zip(places[:-2], trunk, strict=True):
        place.copy_(_kernel(array, place) if place.dim() == 4 else array.flatten())
    places[-2].copy_(torch.cat([_kernel(array, places[-2]) for array in heads[::2]]))
    places[-1].copy_(torch.cat(heads[1::2]))


def _kernel(array: Tensor, place: Tensor) -> Tensor:
    """Turn a convolution (height, width, in, out), or a dense layer over (width, height, in), into torch's order."""
    if array.dim() == 4:
        return array.permute(3, 2, 0, 1)
    height, width = place.shape[-2:]
    return array.reshape(width, height, -1, array.shape[1]).permute(3, 2, 1, 0)


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def _pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes at which P-Net looks; where no face of the smallest size fits, one at which a window does."""
    shorter = min(height, width)
    scale = CELL / SMALLEST_FACE if shorter >= SMALLEST_FACE else CELL / shorter
    sizes: list[tuple[int, int]] = []
    while not sizes or shorter * scale >= CELL:
        sizes.append((math.ceil(height * scale), math.ceil(width * scale)))
        scale *= SHRINKING
    return sizes


def _cells(head: Tensor, across: float, down: float, most: int) -> _Candidates:
    """Return the best cells of one level; `across` and `down` bring its pixels to those of the image."""
    columns = head.shape[-1]
    flat = head.flatten(2)
    score, place = (flat[:, 5] - flat[:, 4]).topk(min(most, flat.shape[-1]))
    offsets = flat[:, :4].detach().gather(2, place[:, None].expand(-1, 4, -1)).transpose(1, 2)
    left, top = place % columns * STEP * across, place // columns * STEP * down
    boxes = torch.stack((left, top, left + CELL * across, top + CELL * down), dim=-1)
    points = boxes.new_zeros(*place.shape, 5, 2)
    return _Candidates(score - _logit(PASSES[0]), score, boxes, offsets, points)


def _by_pixel(inputs: Tensor) -> Tensor:
    return inputs.contiguous(memory_format=torch.channels_last)


def _joined(parts: list[_Candidates]) -> _Candidates:
    names = ("margin", "score", "boxes", "offsets", "points")
    return _Candidates(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in names))


def _summed(inputs: Tensor) -> Tensor:
    """Return the sums over all pixels above and to the left of each pixel corner, in double precision."""
    return functional.pad(inputs.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))


def _judge(network: nn.Sequential, sums: Tensor, found: _Candidates, side: int, passes: float) -> _Candidates:
    """Let R-Net or O-Net look at the squares about the candidates."""
    boxes = _squared(_moved(found.boxes, found.offsets))
    # in parts, for O-Net's inner maps of a crowd are large
    heads = torch.cat([network(part) for part in _crops(sums, boxes, side).split(256)])  # type: ignore[no-untyped-call]
    heads = heads.reshape(*found.margin.shape, -1)
    score = heads[..., -1] - heads[..., -2]
    fixed = heads.detach()
    points = found.points
    if fixed.shape[-1] == 16:
        sides = boxes[..., 2:] - boxes[..., :2]
        points = (
            boxes[..., None, :2] + fixed[..., 4:14].reshape(*score.shape, 2, 5).transpose(-1, -2) * sides[..., None, :]
        )
    margin = _weakest(found.margin, score - _logit(passes))
    return _Candidates(margin, score, boxes, fixed[..., :4], points)


def _weakest(earlier: Tensor, later: Tensor) -> Tensor:
    """Return the smaller margin, with a gradient that the two share, the smaller one more (softmin, 4 logits).

    The smaller one's gradient alone hides a face in twice as many steps: a stage that was never pushed takes over.
    """
    value = torch.minimum(earlier, later)
    shared = -4 * torch.logaddexp(-earlier / 4, -later / 4)
    return shared + (value - shared).detach()


def _moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    return boxes + offsets * (boxes[..., 2:] - boxes[..., :2]).repeat(1, 1, 2)


def _squared(boxes: Tensor) -> Tensor:
    """Return squares about the same centres, as large as the longer sides and at least one pixel."""
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]).amax(dim=-1, keepdim=True).clamp(min=1) / 2
    return torch.cat((centres - half, centres + half), dim=-1)


def _crops(sums: Tensor, boxes: Tensor, side: int) -> Tensor:
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
    return _by_pixel((total / area[:, None, None, None]).float())


def _best(found: _Candidates, overlap: float, most: int, lowest: float, *, nested: bool = False) -> _Candidates:
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
        kept.append(order[_survivors(boxes[order], overlap, nested=nested)][:most])
    return _picked(found, kept)


def _survivors(boxes: Tensor, overlap: float, *, nested: bool) -> Tensor:
    """Return the places that greedy suppression keeps of boxes given best first.

    The common area is divided by the union, or by the smaller box where `nested` faces are one face.
    """
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)
    corners = torch.minimum(boxes[:, None, 2:], boxes[:, 2:]) - torch.maximum(boxes[:, None, :2], boxes[:, :2])
    common = corners.clamp(min=0).prod(dim=-1)
    whole = torch.minimum(areas[:, None], areas) if nested else areas[:, None] + areas - common
    close: NDArray[np.bool_] = (common > overlap * whole).cpu().numpy()
    alive = np.ones(len(boxes), dtype=bool)
    kept = []
    for place in range(len(boxes)):
        if alive[place]:
            kept.append(place)
            alive &= ~close[place]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def _picked(found: _Candidates, kept: list[Tensor]) -> _Candidates:
    """Return the kept candidates of each image, filled up with silent ones to the longest list, at least one."""
    longest = max(1, *(len(each) for each in kept))
    place = torch.stack([functional.pad(each, (0, longest - len(each)), value=-1) for each in kept])
    taken = place >= 0
    row = torch.arange(len(kept), device=place.device)[:, None]
    margin = torch.where(taken, found.margin[row, place], SILENT)
    boxes = found.boxes[row, place] * taken[..., None]
    return _Candidates(margin, found.score[row, place], boxes, found.offsets[row, place], found.points[row, place])


def _seen_at(found: _Candidates, factors: tuple[float, float]) -> _Candidates:
    """Bring what was seen in a resized view back to the full image's pixels."""
    unit = found.boxes.new_tensor(factors)
    return replace(found, boxes=found.boxes / unit.repeat(2), points=found.points / unit)


def _faces(found: _Candidates, index: int, passed: Tensor) -> list[Face]:
    boxes = found.boxes[index][passed].tolist()
    scores = found.score[index][passed].sigmoid().tolist()
    points = found.points[index][passed].tolist()
    faces = [
        Face(Box(*box), score, tuple((x, y) for x, y in marks))
        for box, score, marks in zip(boxes, scores, points, strict=True)
    ]
    return sorted(faces, key=lambda face: face.score, reverse=True)
