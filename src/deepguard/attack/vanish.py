"""The objective that makes a detector miss faces."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from deepguard.models.anchors import resized
from deepguard.models.roles import FaceDetector
from deepguard.types import Box, Images, PerImage, Rng

RETRY = math.log(0.3 / 0.7)
"""Logit of the score 0.3: the threshold of an attacker who tries again."""


@dataclass(frozen=True)
class Vanish:
    """Silence one detector on the given faces, with a loss on its peaks.

    TOG-vanishing (Chow et al. 2020) with a fourth-power hinge above the detector's floor in place of the linear one
    (FINDINGS: attacked recall .72 -> .24). Value: -sum(((logit - floor)+ / (logit(0.3) - floor))^4) over the anchors
    whose face is centred on one of the faces; above -1 no anchor has a score of 0.3 or more.

    Attributes:
        detector: the surrogate.
        faces: where they are, as shares of the images' width and height in [0, 1].
        width: width in pixels at which the detector looks at the images, whatever their own is.
        jitter: the width is multiplied by up to this factor, up or down, in half of the calls.
    """

    detector: FaceDetector
    faces: tuple[Box, ...]
    width: float
    jitter: float = 1.0

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image."""
        draw, sway = torch.rand(2, generator=rng).tolist()
        factor = self.jitter ** (2 * sway - 1) if draw < 0.5 else 1.0
        view, _ = resized(images, factor * self.width / images.shape[-1])
        evidence = self.detector.evidence(view)
        peaks = (evidence.logits - self.detector.floor) / (RETRY - self.detector.floor)
        peaks = peaks.clamp(min=0) * self._near(evidence.boxes, view)
        return -peaks.pow(4).sum(dim=1)

    @torch.no_grad()
    def loudest(self, images: Images) -> PerImage:
        """Return the highest score in [0, 1] that the detector gives to the faces, without jitter."""
        view, _ = resized(images, self.width / images.shape[-1])
        evidence = self.detector.evidence(view)
        scores = evidence.logits.sigmoid() * self._near(evidence.boxes, view)
        return scores.max(dim=1).values if scores.shape[1] else scores.new_zeros(len(scores))

    def _near(self, boxes: Tensor, view: Images) -> Bool[Tensor, "b n"]:
        """Tell which boxes are centred on one of the faces (each grown by half of its size)."""
        height, width = view.shape[-2:]
        x = (boxes[..., 0] + boxes[..., 2]).detach() / (2 * width)
        y = (boxes[..., 1] + boxes[..., 3]).detach() / (2 * height)
        near = torch.zeros_like(x, dtype=torch.bool)
        for face in self.faces:
            wide = face.grown(0.5)
            near |= (x > wide.left) & (x < wide.right) & (y > wide.top) & (y < wide.bottom)
        return near
