"""MTCNN, a cascade of three small networks (Zhang et al. 2016); its weights come with the installed package `mtcnn`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.cascade import (
    CROWD,
    SILENT,
    Candidates,
    averaged,
    best,
    crops,
    joined,
    squared,
    summed,
)
from deepguard.models.roles import Evidence, detectors
from deepguard.models.windows import Window, looks, seen_at, shown, size_at, widened, windows
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
    cost: float = 0.25

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
        self,
        images: Images,
        *,
        threshold: float | None = None,
        scales: tuple[float, ...] | None = None,
        near: Sequence[Box] | None = None,
    ) -> list[list[Face]]:
        """Return each image's faces, best first, in pixels of the given images; the score is O-Net's.

        A threshold below the detector's own lowers all three stages by as many logits as the last one. A face that
        passes only thus has the score of the stage at which it is weakest, so that it lies below the detector's own.
        """
        own = _logit(self.threshold)
        level = own if threshold is None else _logit(threshold)
        limits = _Limits(CROWD, CROWD, 600, min(0.0, level - own))
        parts = []
        for look in looks(self, images, scales, near):
            size = size_at(images, look.scale)
            faces = None if look.near is None else tuple(seen_at(face, images, size) for face in look.near)
            for window in _windows(faces, size):
                found = self._cascade(shown(images, size, window), limits, _Part(size, window, faces))
                seen = found.scaled((images.shape[-1] / size[1], images.shape[-2] / size[0]))
                longer = (seen.boxes[..., 2:] - seen.boxes[..., :2]).amax(dim=-1)
                parts.append(replace(seen, margin=seen.margin.where(longer <= look.limits[1], SILENT)))
        if not parts:
            return [[] for _ in images]
        found = best(joined(parts), 0.7, CROWD, limits.lowest, nested=True)
        score = torch.where(found.margin < 0, found.margin + own, found.score)
        passed = (found.margin > limits.lowest) & (score > level)
        return [_faces(replace(found, score=score), index, passed[index]) for index in range(len(images))]

    def evidence(self, images: Images) -> Evidence:
        """Return the best candidates' evidence; differentiable.

        A candidate is a face only if it passes all three stages. So its logit is that of the stage at which it is
        weakest, moved so that one threshold fits all: `detect` with a threshold of at most 0.7 finds a face where
        a score is above it, and only there. The gradient reaches every stage. The number of candidates is limited and
        grows with the area.
        """
        share = max(1.0, images.shape[-2] * images.shape[-1] / 400**2)
        limits = _Limits(round(96 * share), round(64 * share), round(16 * share), SILENT)
        found = self._cascade(images, limits, _Part.all_of(images))
        return Evidence(found.margin + _logit(self.threshold), found.boxes, found.points, pressed=found.score)

    def _cascade(self, images: Images, limits: _Limits, part: _Part) -> Candidates:
        """Send candidates through the three stages; the overlaps are those of Zhang et al.'s code."""
        inputs = images * (255 / 128) - 127.5 / 128
        sums = summed(inputs)
        proposed = best(self._propose(inputs, sums, limits, part), 0.7, limits.refine, limits.lowest)
        refined = _judge(self.refinement, part.cut(sums, proposed, 24), proposed, PASSES[1])
        chosen = best(refined, 0.7, limits.output, limits.lowest)
        decided = _judge(self.output, part.cut(sums, chosen, 48), chosen, PASSES[2])
        placed = replace(decided, boxes=_moved(decided.boxes, decided.offsets))
        return best(placed, 0.7, limits.output, limits.lowest, nested=True)

    def _propose(self, inputs: Tensor, sums: Tensor, limits: _Limits, part: _Part) -> Candidates:
        """Run P-Net on every level of the pyramid."""
        levels = []
        for level in _levels(inputs, sums, part):
            cells = _cells(self.proposal(_by_pixel(level.images)), level, limits.level)
            if part.faces is not None:
                cells = cells.near(part.faces)
            levels.append(best(cells, 0.5, limits.level, limits.lowest))
        return joined(levels)


@dataclass(frozen=True, slots=True)
class _Limits:
    """How many candidates go on from each level of the pyramid, to R-Net and to O-Net, and with which margin."""

    level: int
    refine: int
    output: int
    lowest: float


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a picture is looked at: a window of it at (height, width) `size`, and the faces asked for, None for all.

    The pyramid is that of the whole picture at this size.
    """

    size: tuple[int, int]
    window: Window
    faces: tuple[Box, ...] | None = None

    @classmethod
    def all_of(cls, images: Images) -> _Part:
        """Return the whole of the images at their own size."""
        size = images.shape[-2], images.shape[-1]
        return cls(size, Window.all_of(size))

    def cut(self, sums: Tensor, found: Candidates, side: int) -> Tensor:
        """Return what the next network looks at of each candidate, from the sums over this part."""
        corner = found.boxes.new_tensor([self.window.left, self.window.top])
        return crops(sums, _looked_at(found) - corner.repeat(2), side)


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of the pyramid: its pixels, how many of the picture's each is wide and high, and the first one's place.

    `first` is column and row of the level's own pixels at which the part begins; a cell of the whole level does, too.
    """

    images: Tensor
    pixel: tuple[float, float]
    first: tuple[int, int]


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


def _levels(inputs: Tensor, sums: Tensor, part: _Part) -> Iterator[_Level]:
    """Yield the levels of the picture's pyramid, cut to the part; those too coarse to hold a cell there are left out.

    The part is at least 40 pixels wide and high, or the whole, so that there is one.
    """
    window = part.window
    for rows, columns in _pyramid(*part.size):
        pixel = part.size[1] / columns, part.size[0] / rows
        if window == Window.all_of(part.size):
            yield _Level(functional.interpolate(inputs, size=(rows, columns), mode="area"), pixel, (0, 0))
            continue
        down = _inside(window.top, window.bottom, part.size[0], rows)
        across = _inside(window.left, window.right, part.size[1], columns)
        if min(len(down), len(across)) >= CELL:
            images = averaged(
                sums,
                _edges(down, part.size[0], rows, window.top, sums.device),
                _edges(across, part.size[1], columns, window.left, sums.device),
            )
            yield _Level(images, pixel, (across.start, down.start))


def _inside(first: int, last: int, side: int, count: int) -> range:
    """Return those of the `count` pixels of a level's side that lie between two pixels of the picture's side.

    They begin where a cell does in the whole level.
    """
    return range(STEP * math.ceil(first * count / (STEP * side)), last * count // side)


def _edges(pixels: range, side: int, count: int, first: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the first and last pixels, last ones excluded, over which area averaging takes the mean, less `first`."""
    index = torch.arange(pixels.start, pixels.stop, device=device)
    return index * side // count - first, -(-(index + 1) * side // count) - first


def _windows(faces: Sequence[Box] | None, size: tuple[int, int]) -> tuple[Window, ...]:
    """Return what must be looked at to judge the faces: three times their sizes, for candidates are cut out of it."""
    if faces is None:
        return (Window.all_of(size),)
    return windows([widened(face.grown(1.0), 2 * SMALLEST_FACE) for face in faces], size, 1)


def _cells(head: Tensor, level: _Level, most: int) -> Candidates:
    """Return the best cells of one level."""
    (across, down), columns = level.pixel, head.shape[-1]
    flat = head.flatten(2)
    score, place = (flat[:, 5] - flat[:, 4]).topk(min(most, flat.shape[-1]))
    offsets = flat[:, :4].detach().gather(2, place[:, None].expand(-1, 4, -1)).transpose(1, 2)
    # whole pixels first: many cells overlap by just one half, so that rounding decides who stays, here and in a part
    left = (place % columns * STEP + level.first[0]) * across
    top = (place // columns * STEP + level.first[1]) * down
    boxes = torch.stack((left, top, left + CELL * across, top + CELL * down), dim=-1)
    points = boxes.new_zeros(*place.shape, 5, 2)
    return Candidates(score - _logit(PASSES[0]), score, boxes, offsets, points)


def _by_pixel(inputs: Tensor) -> Tensor:
    return inputs.contiguous(memory_format=torch.channels_last)


def _judge(network: nn.Sequential, squares: Tensor, found: Candidates, passes: float) -> Candidates:
    """Let R-Net or O-Net look at the squares about the candidates."""
    boxes = _looked_at(found)
    # in parts, for O-Net's inner maps of a crowd are large
    heads = torch.cat([network(_by_pixel(each)) for each in squares.split(256)])  # type: ignore[no-untyped-call]
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
    return Candidates(margin, score, boxes, fixed[..., :4], points)


def _weakest(earlier: Tensor, later: Tensor) -> Tensor:
    """Return the smaller margin, with a gradient that the two share, the smaller one more (softmin, 4 logits).

    The smaller one's gradient alone hides a face in twice as many steps: a stage that was never pushed takes over.
    """
    value = torch.minimum(earlier, later)
    shared = -4 * torch.logaddexp(-earlier / 4, -later / 4)
    return shared + (value - shared).detach()


def _looked_at(found: Candidates) -> Tensor:
    return squared(_moved(found.boxes, found.offsets))


def _moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    return boxes + offsets * (boxes[..., 2:] - boxes[..., :2]).repeat(1, 1, 2)


def _faces(found: Candidates, index: int, passed: Tensor) -> list[Face]:
    boxes = found.boxes[index][passed].tolist()
    scores = found.score[index][passed].sigmoid().tolist()
    points = found.points[index][passed].tolist()
    faces = [
        Face(Box(*box), score, tuple((x, y) for x, y in marks))
        for box, score, marks in zip(boxes, scores, points, strict=True)
    ]
    return sorted(faces, key=lambda face: face.score, reverse=True)
