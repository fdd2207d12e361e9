"""The objective that puts what a detector still finds in the wrong place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.attack.vanish import SILENT, Vanish, View
from deepguard.models.roles import Evidence
from deepguard.types import Images, Landmarks, PerImage, Rng


@dataclass(frozen=True)
class Shift:
    """Move the boxes and landmarks of a detector that still fires off the true ones, so that crops come out crooked.

    The box term of TOG's untargeted attack (Chow et al. 2020), with landmarks. An anchor fires where its score is at
    least 0.8 times the detector's threshold. Value: minus the mean agreement of the firing anchors that `Vanish`
    counts as on one of the faces, each with its score as weight, in [-1, 0]: -1 where all of them say just what is
    true, 0 where none fires or each is `bound` or more off. How far off a box is, is the mean shift of its four edges;
    with landmarks, the mean of that and of the five points' mean distance; both as shares of the face's size, the root
    of its area. Scores are not moved.

    Attributes:
        vanish: which detector, where the faces are, and how they are seen.
        landmarks: each face's true points, as shares of the part's width and height; empty: boxes alone count.
        bound: shares of the face's size from which an anchor is as far off as matters.
    """

    vanish: Vanish
    landmarks: tuple[Landmarks, ...] = ()
    bound: float = 0.5

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image; the part may come at any size."""
        vanish = self.vanish
        view = vanish.drawn(rng)
        evidence = vanish.detector.evidence(vanish.seen(images, view))
        scores = evidence.logits.detach().sigmoid()
        firing = scores * (scores >= SILENT * vanish.detector.threshold) * vanish.near(evidence, view)
        agreement = 1 - (self._away(evidence, view) / self.bound).clamp(max=1)
        return -(firing * agreement).sum(dim=1) / firing.sum(dim=1).clamp(min=1e-9)

    def _away(self, evidence: Evidence, view: View) -> Float[Tensor, "b n"]:
        """Return how far each anchor is off the face whose middle is nearest, in sizes of that face."""
        faces = [(face.left, face.top, face.right, face.bottom) for face in self.vanish.faces]
        true = _pixels(evidence.boxes.new_tensor(faces).reshape(-1, 2, 2), view).flatten(1)
        size = (true[:, 2:] - true[:, :2]).prod(dim=1).sqrt()
        nearest = torch.cdist(_middles(evidence.boxes.detach()), _middles(true)).argmin(dim=2)
        away = (evidence.boxes - true[nearest]).abs().mean(dim=2)
        if evidence.landmarks is not None and self.landmarks:
            points = _pixels(evidence.landmarks.new_tensor(self.landmarks), view)
            apart = evidence.landmarks - points[nearest]
            away = (away + apart.square().sum(dim=3).add(1e-12).sqrt().mean(dim=2)) / 2
        return away / size[nearest]


def _pixels(points: Float[Tensor, "f p 2"], view: View) -> Float[Tensor, "f p 2"]:
    """Return points in shares of the part as points in view pixels; the inverse of `View.shares`."""
    return points * points.new_tensor(view.part) - points.new_tensor(view.corner)


def _middles(boxes: Float[Tensor, "*b n 4"]) -> Float[Tensor, "*b n 2"]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2
