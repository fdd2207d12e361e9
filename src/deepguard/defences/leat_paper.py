"""LEAT as it was published: the baseline that others are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.attack.budgets import Change
from deepguard.attack.objectives import unit
from deepguard.defences.leat import NONE
from deepguard.defences.painter import LARGEST
from deepguard.defences.regions import Region, regions
from deepguard.defences.roles import Recipe, check_least, defences
from deepguard.defences.through import Through
from deepguard.errors import OptionError, WeightsMissing
from deepguard.models.align import aligned
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.types import Face, Images, Landmarks, Progress, Rng, Watch, ignore

REACH = 0.3
"""How far around a face its crops reach, of its size; beyond it the published start would be noise for nothing."""


@dataclass(frozen=True)
class LeatPaper:
    """Move encoders' vectors of each face as far as they go, by signed steps in an L-infinity ball (LEAT).

    Shim & Yoon 2023: a random start, then g = sum over encoders of grad(MSE) / ||grad(MSE)||_2 and a step of `alpha`
    along its sign. Published on whole face pictures in [-1, 1] with 0.05 and 0.01; here on [0, 1], in the surroundings
    of each face, through one exact alignment. Posting does not matter to it. A grey picture stays grey.

    Attributes:
        surrogates, through: are not used.
        encoders: the ensemble, by name.
        epsilon: most that a channel of a pixel may change, in units of the range [0, 1].
        alpha: how far each step goes, in the same units.
        steps: steps of the climb.
    """

    surrogates: Mapping[str, FaceDetector]
    through: Through | None = None
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: MappingProxyType({}))
    epsilon: float = field(default=6.4 / 255, metadata={"help": "most that a pixel may change, of 1"})
    alpha: float = field(default=1.275 / 255, metadata={"help": "how far each step goes, of 1"})
    steps: int = field(default=30, metadata={"help": "steps of the climb"})

    def __post_init__(self) -> None:
        if not self.encoders:
            raise WeightsMissing(NONE)
        object.__setattr__(self, "surrogates", MappingProxyType({}))
        check_least(self, steps=1)
        for name in ("epsilon", "alpha"):
            if not 0 < getattr(self, name) <= LARGEST:
                raise OptionError(f"{name} is {getattr(self, name):.4g}; it must be above 0 and at most 64/255")

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with the surroundings of each face changed."""
        changed = images.clone()
        height, width = images.shape[-2:]
        work = [
            (index, region)
            for index, found in enumerate(faces)
            for region in regions(found, height, width, reach=REACH, context=0)
        ]
        for done, (index, region) in enumerate(work):
            window = region.cut(changed[index : index + 1])

            def told(step: int, done: int = done) -> None:
                watch(Progress("protect", done * self.steps + step, len(work) * self.steps))

            given = region.cut(images[index : index + 1])
            # windows of two groups may overlap, and the ball is one around the given picture
            moved = self._moved(window.clone(), region, rng, told)
            window.copy_(moved.clamp(given - self.epsilon, given + self.epsilon))
        return changed

    def _moved(self, clean: Images, region: Region, rng: Rng, told: Callable[[int], None]) -> Images:
        ensemble = [
            _Latent(encoder, clean, marks) for encoder in self.encoders.values() for marks in _landmarks(region)
        ]
        channels = 1 if bool((clean[:, :1] == clean).all()) else 3
        drawn = torch.rand((1, channels, *clean.shape[-2:]), generator=rng).to(clean)
        change = self.epsilon * (2 * drawn - 1)
        for step in range(1, self.steps + 1):
            total = torch.stack([unit(latent.slope(clean + change)) for latent in ensemble]).sum(dim=0)
            gradient = total.sum(dim=1, keepdim=True) if channels == 1 else total
            change = (change + self.alpha * gradient.sign()).clamp(-self.epsilon, self.epsilon)
            told(step)
        return (clean + change).clamp(0, 1)


class _Latent:
    """One encoder's vector of one face: how far it has moved."""

    def __init__(self, encoder: Encoder, clean: Images, landmarks: Landmarks) -> None:
        self.encoder = encoder
        self.landmarks = landmarks
        with torch.no_grad():
            self.vector: Float[Tensor, "1 d"] = self._embedded(clean)

    def slope(self, images: Images) -> Change:
        """Return the gradient of the mean squared distance."""
        leaf = images.detach().requires_grad_()
        distance = (self._embedded(leaf) - self.vector).square().mean()
        (gradient,) = torch.autograd.grad(distance, leaf)
        return gradient

    def _embedded(self, images: Images) -> Float[Tensor, "1 d"]:
        return self.encoder.embed(aligned(images, self.landmarks, self.encoder.template))


def _landmarks(region: Region) -> list[Landmarks]:
    """Return each face's landmarks in pixels of the region's window."""
    width, height = region.window.width, region.window.height
    return [tuple((x * width, y * height) for x, y in marks) for marks in region.guessed()]


@defences.register("leat-paper")
def leat_paper(paths: Sequence[Path], device: torch.device) -> Recipe:
    """LEAT as published, for comparison: encoders alone, in a plain ball, as delivered."""
    return LeatPaper
