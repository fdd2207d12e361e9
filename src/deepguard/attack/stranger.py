"""The objective that makes an encoder take faces for strangers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from kornia.filters import gaussian_blur2d
from torch import Tensor

from deepguard.models.align import placing, taken
from deepguard.models.roles import Encoder, Template
from deepguard.types import Images, Landmarks, PerImage, Rng

SMOOTH = 0.02
"""Sigma of the blur of gradients, in lengths between the eyes."""

FLOOR = -0.5
"""Cosine below which nothing more is asked for: no two faces are further apart by chance."""


@dataclass(frozen=True)
class Stranger:
    """Bring an encoder's vectors of the given faces away from the clean ones (LEAT, Shim & Yoon 2023).

    Value: -sum(((cosine - floor)+ / (goal - floor))^2) over the faces and the crops that are drawn of each, divided by
    how many those are; above -1 where the cosines are below `goal`. LEAT maximises the squared distance of the
    vectors, which for unit vectors is 2 - 2 x cosine; the square makes what is still known lead.

    Attributes:
        encoder: the surrogate.
        marks: each face's landmarks, as shares of the images' width and height in [0, 1].
        clean: each face's unit vector in the untouched picture.
        goal: cosine that is aimed at.
        jitter: standard deviation of each landmark's error in lengths between the eyes, as detectors differ.
        draws: crops of each face in one call; the first has no jitter.
        graded: every bit of it counts: a judge that was not attacked follows by degrees.
    """

    encoder: Encoder
    marks: tuple[Landmarks, ...]
    clean: tuple[Float[Tensor, "1 d"], ...]
    goal: float
    jitter: float = 0.05
    draws: int = 2
    graded: bool = True

    @classmethod
    @torch.no_grad()
    def of(cls, encoder: Encoder, images: Images, marks: tuple[Landmarks, ...], goal: float) -> Stranger:
        """Return the objective for the faces that the untouched images (1x3xhxw) show at these marks."""
        clean = tuple(encoder.embed(_cut(encoder.template, images, each, None)) for each in marks)
        return cls(encoder, marks, clean, goal)

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image, which may come at any size."""
        total = images.new_zeros(len(images))
        for face, vector in zip(self.marks, self.clean, strict=True):
            for draw in range(self.draws):
                crops = _cut(self.encoder.template, images, face, (self.jitter, rng) if draw else None)
                cosine = (self.encoder.embed(crops) * vector).sum(dim=1)
                total = total - ((cosine - FLOOR).clamp(min=0) / (self.goal - FLOOR)).square()
        return total / (self.draws * len(self.marks))

    def slope(self, images: Images, rng: Rng) -> tuple[PerImage, Images]:
        """Return value and gradient, this blurred (translation invariance, Dong et al. 2019).

        What holds at places nearby as well holds for encoders that look at other places, and after resizing.
        """
        leaf = images.detach().requires_grad_()
        value = self(leaf, rng)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        height, width = images.shape[-2:]
        apart = min(math.dist((x * width, y * height), (u * width, v * height)) for (x, y), (u, v), *_ in self.marks)
        sigma = SMOOTH * apart
        if sigma < 0.3:
            return value.detach(), gradient
        side = 2 * math.ceil(3 * sigma) + 1
        return value.detach(), gaussian_blur2d(gradient, (side, side), (sigma, sigma))

    @torch.no_grad()
    def share(self, images: Images) -> PerImage:
        """Return by how much the most alike face misses the goal: 1 at the goal, more above it; without jitter."""
        cosines = [
            (self.encoder.embed(_cut(self.encoder.template, images, face, None)) * vector).sum(dim=1)
            for face, vector in zip(self.marks, self.clean, strict=True)
        ]
        return (torch.stack(cosines).amax(dim=0) - FLOOR).clamp(min=0) / (self.goal - FLOOR)


def _cut(template: Template, images: Images, marks: Landmarks, shaken: tuple[float, Rng] | None) -> Images:
    height, width = images.shape[-2:]
    points = [(x * width, y * height) for x, y in marks]
    if shaken is not None:
        jitter, rng = shaken
        apart = jitter * math.dist(points[0], points[1])
        errors = (apart * torch.randn(len(points), 2, generator=rng)).tolist()
        points = [(x + across, y + down) for (x, y), (across, down) in zip(points, errors, strict=True)]
    return taken(images, placing(tuple(points), template), template)
