"""The objective that makes a detector miss faces."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional

from deepguard.models.roles import Evidence, FaceDetector
from deepguard.types import Box, Images, PerImage, Rng

SILENT = 0.8
"""Share of its threshold below which a detector's score counts as silent here; the rest is for what posting adds."""

GRID = 32
"""Pixels after which most detectors' anchors repeat; a part of a picture is met at the same place on that grid."""


WHOLE = 350_000
"""Pixels of the largest view of a whole picture that is taken in place of a part's."""


@dataclass(frozen=True)
class View:
    """How a detector that looks at the whole picture meets a part of it.

    Attributes:
        place: where the part lies in the picture, as shares of its width and height.
        part: width and height in view pixels that the part has there; not whole numbers.
        corner: where the view's left upper corner lies in view pixels from the part's, at or outside it.
        size: height and width of the view in pixels.
    """

    place: Box
    part: tuple[float, float]
    corner: tuple[float, float]
    size: tuple[int, int]

    @classmethod
    def of(cls, window: Box, height: int, width: int, scale: float, *, whole: bool = False) -> View:
        """Return the view of a window of a picture of that size which the detector resizes by `scale`.

        It begins and ends on the grid, so that anchors lie on the part as they do when the whole picture is looked at,
        and nothing is filled up where the picture goes on. With
        `whole` it shows the whole picture, where that is small enough.
        """
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
        across, down = columns / width, rows / height
        place = Box(window.left / width, window.top / height, window.right / width, window.bottom / height)
        seen = Box(window.left * across, window.top * down, window.right * across, window.bottom * down)
        left, top = GRID * math.floor(seen.left / GRID), GRID * math.floor(seen.top / GRID)
        right, bottom = (GRID * math.ceil(edge / GRID) for edge in (seen.right, seen.bottom))
        right, bottom = min(columns, right), min(rows, bottom)
        if whole and columns * rows <= WHOLE:
            left, top, right, bottom = 0, 0, columns, rows
        corner = left - seen.left, top - seen.top
        return cls(place, (seen.width, seen.height), corner, (bottom - top, right - left))

    @property
    def start(self) -> tuple[int, int]:
        """The view's first row and column in the view of the whole picture."""
        left = self.place.left * self.part[0] / self.place.width
        top = self.place.top * self.part[1] / self.place.height
        return round(top + self.corner[1]), round(left + self.corner[0])

    def moved(self, factor: float, across: float, down: float) -> View:
        """Return the view of the part at another scale and shifted by pixels; its size stays, its middle too.

        The size stays because networks are slow at sizes that they meet for the first time.
        """
        (width, height), (x, y) = self.part, self.corner
        corner = x + (factor - 1) * width / 2 + across, y + (factor - 1) * height / 2 + down
        return replace(self, part=(width * factor, height * factor), corner=corner)

    def take(self, images: Images, around: Images) -> Images:
        """Return the view of the part, given at any size, and of what lies around it; differentiable in the part.

        Sampled bilinearly, as OpenCV's default does. `around` is the whole picture, at any size.
        """
        x, y = self.shares(*self._centres(images.device))
        inside_x, inside_y = (x >= 0) & (x < 1), (y >= 0) & (y < 1)
        part = _sampled(images, x[inside_x], y[inside_y])
        if inside_x.all() and inside_y.all():
            return part
        left, top = int(inside_x.int().argmax()), int(inside_y.int().argmax())
        view = _sampled(around, *self._whole(x, y)).expand(len(images), -1, -1, -1).clone()
        view[..., top : top + part.shape[-2], left : left + part.shape[-1]] = part
        return view

    def shares(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return points in view pixels as shares of the part's width and height."""
        return (x + self.corner[0]) / self.part[0], (y + self.corner[1]) / self.part[1]

    def _centres(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.arange(self.size[1], device=device) + 0.5, torch.arange(self.size[0], device=device) + 0.5

    def _whole(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return shares of the part as shares of the whole picture."""
        place = self.place
        return place.left + x * place.width, place.top + y * place.height


@dataclass(frozen=True)
class Vanish:
    """Silence one detector on the given faces at one scale, with a loss on its peaks.

    TOG-vanishing (Chow et al. 2020) with a fourth-power hinge above the detector's floor in place of the linear one:
    attacked recall .72 -> .24 (docs/decisions/0008). Value: -sum(((logit - floor)+ / (silence - floor))^4) over the
    anchors whose face is centred on one of the faces and of like size, where silence is the logit of 0.8 times the
    detector's threshold; above -1 no anchor has a higher score.

    Attributes:
        detector: the surrogate.
        faces: where they are, as shares of the part's width and height in [0, 1].
        view: how the detector meets the part that the images show.
        around: the whole picture, at any size.
        residue: what the view of the untouched whole picture has more than the view of the part as it is given; added
            where the part comes as it is, so that the detector sees just what it would see.
        size: height and width of the part as it is given.
        sides: longer sides of the faces that the detector takes from this view, least and most, in widths of the part.
        jitter: in half of the calls the view is up to this factor larger or smaller, and shifted.
        graded: a face is found or it is not.
    """

    detector: FaceDetector
    faces: tuple[Box, ...]
    view: View
    around: Images
    residue: Images
    size: tuple[int, int]
    sides: tuple[float, float] = (0.0, math.inf)
    jitter: float = 1.0
    graded: bool = False

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image; the part may come at any size."""
        view = self.drawn(rng)
        evidence = self.detector.evidence(self.seen(images, view))
        score = SILENT * self.detector.threshold
        silence = math.log(score / (1 - score))
        logits = evidence.logits if evidence.pressed is None else evidence.pressed
        peaks = (logits - self.detector.floor) / (silence - self.detector.floor)
        peaks = peaks.clamp(min=0) * self.near(evidence, view)
        return -peaks.pow(4).sum(dim=1)

    @torch.no_grad()
    def share(self, images: Images) -> PerImage:
        """Return the highest score that the detector gives to the faces, in shares of its threshold; without jitter."""
        evidence = self.detector.evidence(self.seen(images, self.view))
        scores = evidence.logits.sigmoid() * self.near(evidence, self.view) / self.detector.threshold
        return scores.max(dim=1).values if scores.shape[1] else scores.new_zeros(len(scores))

    def seen(self, images: Images, view: View) -> Images:
        """Return what the detector looks at in this view, where the part shows the images."""
        seen = view.take(images, self.around)
        as_it_is = view is self.view and images.shape[-2:] == self.size
        return seen + self.residue if as_it_is else seen

    def drawn(self, rng: Rng) -> View:
        """Return the view of one call: its own, or one with jitter."""
        draw, sway, across, down = torch.rand(4, generator=rng).tolist()
        if draw < 0.5:
            return self.view
        return self.view.moved(self.jitter ** (2 * sway - 1), GRID * (across - 0.5), GRID * (down - 0.5))

    def near(self, evidence: Evidence, view: View) -> Bool[Tensor, "b n"]:
        """Tell which boxes count in this view, are centred about one of the faces and not of quite another size."""
        left, top, right, bottom = evidence.boxes.detach().unbind(dim=-1)
        longer = torch.maximum(right - left, bottom - top) / view.part[0]
        counts = (longer > 0.95 * self.sides[0]) & (longer < 1.05 * self.sides[1])
        x, y = view.shares((left + right) / 2, (top + bottom) / 2)
        near = torch.zeros_like(x, dtype=torch.bool)
        for face in self.faces:
            wide = face.grown(0.5)
            side = max(face.width, face.height * view.part[1] / view.part[0])
            alike = (longer > 0.5 * side) & (longer < 2 * side)
            near |= (x > wide.left) & (x < wide.right) & (y > wide.top) & (y < wide.bottom) & alike
        return near & counts


def _sampled(images: Images, x: Tensor, y: Tensor) -> Images:
    """Return the images at every pair of x and y, shares of their width and height; beyond them, their border."""
    grid = torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), dim=-1) * 2 - 1
    grid = grid.expand(len(images), -1, -1, -1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
