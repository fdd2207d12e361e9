"""Attacks on what a detector computes inside, by which of it matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.attack.objectives import unit
from deepguard.models.roles import FeatureSource
from deepguard.types import Images, PerImage, Rng

LAYERS = (0.2, 0.3, 0.5)
"""What the three feature maps weigh, shallow to deep (FacePoison's released settings)."""


class Importance:
    """Which inner features of some images matter, learned one mask at a time; no face needs to be known.

    FacePoison (Li et al. 2024) after FIA (Wang et al. 2021): a mask makes single values of the images black, and the
    pseudo-objective mean|F(images) - F(masked)|, F being the deepest features, stands in for a task. The sum over
    masks of its gradients in all features says which way each feature moves the deepest ones off the clean images'.

    With `remember` the deepest features of the clean images and of every masked version are kept.
    """

    def __init__(self, source: FeatureSource, images: Images, *, remember: bool = False) -> None:
        self.source = source
        self.images = images
        with torch.no_grad():
            maps = source.features(images)
        self._deepest = maps[-1]
        self._sums = [torch.zeros_like(each) for each in maps]
        self._remembered = [self._deepest] if remember else None

    def learn(self, keep: float, rng: Rng) -> None:
        """Meet one more mask, in which each value of the images stays with probability `keep`."""
        kept = torch.rand(self.images.shape, generator=rng).to(self.images.device) < keep
        # the networks' own weights ask for no gradient, so that the features hang on nothing but the input
        maps = self.source.features((self.images * kept).requires_grad_())
        away = (maps[-1] - self._deepest).abs().mean(dim=(1, 2, 3)).sum()
        for total, gradient in zip(self._sums, torch.autograd.grad(away, maps), strict=True):
            total.add_(gradient)
        if self._remembered is not None:
            self._remembered.append(maps[-1].detach())

    def weights(self) -> tuple[Tensor, ...]:
        """Return one weight for each feature, map by map; each image's map of them has Euclidean length 1."""
        return tuple(unit(total) for total in self._sums)

    def remembered(self) -> tuple[Tensor, ...]:
        """Return the deepest features that were kept, the clean images' first; none without `remember`."""
        return tuple(self._remembered or ())


@dataclass(frozen=True)
class Features:
    """Move a detector's inner features the way in which they matter.

    FacePoison's objective (Li et al. 2024): the sum over the maps of layers[i] * mean(weights[i] * F_i(images)), plus
    `apart` times minus the mean cosine of the deepest features with the `references`. Any real number; it is linear in
    the features but for the second term, which lies in [-apart, apart].

    Attributes:
        source: the detector.
        weights: from `Importance`, for images of the same size.
        layers: what the maps weigh, shallow to deep.
        apart: weight of the second term; 0 leaves it out, as the released program does.
        references: what `Importance` remembered.
    """

    source: FeatureSource
    weights: tuple[Tensor, ...]
    layers: tuple[float, ...] = LAYERS
    apart: float = 0.0
    references: tuple[Tensor, ...] = ()

    def __call__(self, images: Images, rng: Rng) -> PerImage:
        """Return the value for each image."""
        maps = self.source.features(images)
        parts = [
            share * (weight * each).mean(dim=(1, 2, 3))
            for share, weight, each in zip(self.layers, self.weights, maps, strict=True)
        ]
        value = torch.stack(parts).sum(dim=0)
        return value - self.apart * self._likeness(maps[-1]) if self.apart else value

    def _likeness(self, deepest: Tensor) -> PerImage:
        """Return the mean cosine with the references."""
        flat = deepest.flatten(1)
        cosines = [functional.cosine_similarity(flat, each.flatten(1)) for each in self.references]
        return torch.stack(cosines).mean(dim=0)
