"""A detector made of a network that judges every anchor of a picture in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import OptionError
from deepguard.models.roles import Evidence
from deepguard.models.windows import Window, looks, seen_at, shown, size_at, widened, windows
from deepguard.types import Box, Face, Images

MOST_CANDIDATES = 2000
"""Boxes that enter the suppression, best first; the published detectors use 750 to 5000."""

LARGEST_WHOLE = 1_200_000
"""Pixels of the largest view that a detector whose answers depend on the whole picture gets whole when it is asked
about a few faces; the views of 12 megapixels stay below, an attacker's enlarged ones do not."""


@dataclass(frozen=True)
class AnchorDetector:
    """Looks at a picture at a few sizes with one network and merges what it finds.

    Attributes:
        network: images with sides that are multiples of `stride` -> evidence.
        sides: long sides in pixels at which the picture is looked at, ascending. A picture is enlarged for the
            first of them only (twofold at most), and never for the others unless `enlargement` allows it.
        threshold: the score from which the detector's users count a face.
        overlap: intersection over union above which the weaker of two boxes is dropped.
        stride: the network's coarsest step in pixels.
        floor: see `FaceDetector`; -3.5 is a score of 0.03 (docs/decisions/0008).
        padding: grey level in [0, 1] that fills the picture up to a multiple of `stride`, right and below.
        longest: longer side in view pixels of the largest face that is taken from a view after the first; larger ones
            are left to a smaller view, as in the multi-scale tests of S3FD, PyramidBox and DSFD (which keep boxes
            under 100 px, by the shorter side, from enlarged pictures).
        shortest: longer side in view pixels of the smallest face that is taken from a view before the last; smaller
            ones are left to a larger view.
        enlargement: how many times the views after the first may enlarge a picture, where small faces need it.
        whole: see `FaceDetector`.
        grid: pixels of a view after which all of the network's anchors repeat.
        context: pixels of a view around a face beyond which its content does not change what is said of the face
            (docs/decisions/0017).
        cost: see `FaceDetector`.
        taps: images -> the feature maps that FacePoison attacks, where the method names this detector.
    """

    network: Callable[[Images], Evidence]
    sides: tuple[int, ...]
    threshold: float
    overlap: float
    stride: int = 32
    floor: float = -3.5
    padding: float = 0.0
    longest: float = 200.0
    shortest: float = 0.0
    enlargement: float = 1.0
    whole: bool = False
    grid: int = 32
    context: float = 128.0
    cost: float = 0.1
    taps: Callable[[Images], tuple[Tensor, ...]] | None = None

    def scales(self, height: int, width: int) -> tuple[float, ...]:
        """Return the factors by which `detect` resizes a picture of this size."""
        longest = max(height, width)
        scales = [min(self.sides[0] / longest, 2.0)]
        for side in self.sides[1:]:
            scale = min(side / longest, self.enlargement)
            if scale > 1.2 * scales[-1]:  # a view hardly larger than the last finds nothing new
                scales.append(scale)
        return tuple(scales)

    def limits(self, height: int, width: int) -> tuple[tuple[float, float], ...]:
        """Return, for each of `scales`, between which longer sides in picture pixels faces are taken from it."""
        scales = self.scales(height, width)
        smallest = (*(self.shortest / scale for scale in scales[:-1]), 0.0)
        largest = (math.inf, *(self.longest / scale for scale in scales[1:]))
        return tuple(zip(smallest, largest, strict=True))

    @torch.no_grad()
    def detect(
        self,
        images: Images,
        *,
        threshold: float | None = None,
        scales: tuple[float, ...] | None = None,
        near: Sequence[Box] | None = None,
    ) -> list[list[Face]]:
        """Return each image's faces, best first, in pixels of the given images."""
        level = self.threshold if threshold is None else threshold
        found: list[list[Evidence]] = [[] for _ in images]
        for look in looks(self, images, scales, near):
            size = size_at(images, look.scale)
            for window in self._windows(images, size, look.near):
                evidence = self.evidence(shown(images, size, window))
                for index in range(len(images)):
                    sure = _placed(_above(evidence, index, level), window, images, size)
                    found[index].append(_near(_within(sure, look.limits), look.near))
        return [_faces(_merged(each), self.overlap) if each else [] for each in found]

    def _windows(self, images: Images, size: tuple[int, int], near: Sequence[Box] | None) -> tuple[Window, ...]:
        """Return which parts of the resized images must be looked at to judge the faces near those boxes."""
        if near is None or (self.whole and size[0] * size[1] <= LARGEST_WHOLE):
            return (Window.all_of(size),)
        faces = [seen_at(face, images, size) for face in near]
        return windows([widened(face, self._context(face)) for face in faces], size, self.grid)

    def _context(self, face: Box) -> float:
        return max(self.context, face.width, face.height) if self.whole else self.context

    def evidence(self, images: Images) -> Evidence:
        """Return every anchor's evidence at the images' own size; differentiable."""
        return self.network(padded(images, self.stride, self.padding))

    def features(self, images: Images) -> tuple[Tensor, ...]:
        """Return the feature maps that FacePoison attacks; OptionError where it names none here."""
        if self.taps is None:
            raise OptionError("this detector names no features to attack; choose another one")
        return self.taps(padded(images, self.stride, self.padding))


def resized(images: Images, scale: float) -> tuple[Images, tuple[float, float]]:
    """Resize as detectors' users do (bilinear, no low-pass: OpenCV's default); also return the factors (x, y).

    The factors differ from `scale` by rounding to whole pixels; sides are at least one pixel.
    """
    size = size_at(images, scale)
    return shown(images, size, Window.all_of(size)), (size[1] / images.shape[-1], size[0] / images.shape[-2])


def padded(images: Images, stride: int, level: float) -> Images:
    """Fill up to multiples of `stride`, right and below, with grey `level`; same coordinates."""
    height, width = images.shape[-2:]
    return functional.pad(images, (0, -width % stride, 0, -height % stride), value=level)


def cells(head: Tensor) -> Tensor:
    """Return column and row of every cell of a (b, c, h, w) head as (h * w, 2), rows before columns."""
    rows, columns = (torch.arange(side, device=head.device, dtype=head.dtype) for side in head.shape[-2:])
    return torch.cartesian_prod(rows, columns).flip(-1)


def product_logit(left: Tensor, right: Tensor) -> Tensor:
    """Return the logit of sigmoid(left) * sigmoid(right); exact and with a gradient also where a score is 0 or 1."""
    return -torch.logsumexp(torch.stack((-left, -right, -left - right)), dim=0)


def suppress(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Return the indices of the boxes that greedy non-maximum suppression keeps, best first.

    `boxes` is (n, 4) in pixels, `scores` (n,). A box goes when its intersection over union with a better one is
    greater than `overlap`.
    """
    order = torch.sort(scores, descending=True, stable=True).indices[:MOST_CANDIDATES]
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[overlaps(boxes[best], boxes[order]) <= overlap]
    return torch.stack(kept) if kept else order


def overlaps(box: Tensor, others: Tensor) -> Tensor:
    """Return the intersection over union of one box (4,) with each of (n, 4)."""
    common = torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])
    shared = common.clamp(min=0).prod(dim=1)
    area = (box[2:] - box[:2]).prod()
    areas = (others[:, 2:] - others[:, :2]).prod(dim=1)
    return shared / (area + areas - shared).clamp(min=1e-9)


def _above(evidence: Evidence, index: int, threshold: float) -> Evidence:
    """One image's anchors with a score above the threshold."""
    return _kept(evidence, (index, evidence.logits[index].sigmoid() > threshold))


def _placed(evidence: Evidence, window: Window, images: Images, size: tuple[int, int]) -> Evidence:
    """Bring what was seen in a window of the resized images back to pixels of the images themselves."""
    corner = evidence.boxes.new_tensor([window.left, window.top])
    unit = evidence.boxes.new_tensor([size[1] / images.shape[-1], size[0] / images.shape[-2]])
    marks = evidence.landmarks
    return Evidence(
        evidence.logits,
        (evidence.boxes + corner.repeat(2)) / unit.repeat(2),
        None if marks is None else (marks + corner) / unit,
    )


def _within(evidence: Evidence, limits: tuple[float, float]) -> Evidence:
    """One image's anchors whose boxes have their longer sides between the limits."""
    longer = (evidence.boxes[:, 2:] - evidence.boxes[:, :2]).amax(dim=1)
    return _kept(evidence, (longer >= limits[0]) & (longer <= limits[1]))


def _near(evidence: Evidence, faces: Sequence[Box] | None) -> Evidence:
    """One image's anchors whose boxes are centred no further than a face's size from one of the faces."""
    if faces is None:
        return evidence
    return _kept(evidence, centred(evidence.boxes, faces))


def centred(boxes: Tensor, faces: Sequence[Box]) -> Tensor:
    """Tell of each box (..., 4) whether it is centred in one of the faces or no further from it than the face's size.

    All that overlap a face by `roles.SAME` are.
    """
    x, y = ((boxes[..., :2] + boxes[..., 2:]) / 2).unbind(dim=-1)
    near = torch.zeros_like(x, dtype=torch.bool)
    for wide in (face.grown(1.0) for face in faces):
        near |= (x > wide.left) & (x < wide.right) & (y > wide.top) & (y < wide.bottom)
    return near


def _kept(evidence: Evidence, keep: Tensor | tuple[int, Tensor]) -> Evidence:
    marks = evidence.landmarks
    return Evidence(evidence.logits[keep], evidence.boxes[keep], None if marks is None else marks[keep])


def _merged(parts: list[Evidence]) -> Evidence:
    marks = [part.landmarks for part in parts if part.landmarks is not None]
    return Evidence(
        torch.cat([part.logits for part in parts]),
        torch.cat([part.boxes for part in parts]),
        torch.cat(marks) if marks else None,
    )


def _faces(evidence: Evidence, overlap: float) -> list[Face]:
    kept = suppress(evidence.boxes, evidence.logits, overlap)
    boxes = evidence.boxes[kept].tolist()
    scores = evidence.logits[kept].sigmoid().tolist()
    if evidence.landmarks is None:
        return [Face(Box(*box), score) for box, score in zip(boxes, scores, strict=True)]
    marks = evidence.landmarks[kept].tolist()
    return [
        Face(Box(*box), score, tuple((x, y) for x, y in points))
        for box, score, points in zip(boxes, scores, marks, strict=True)
    ]
