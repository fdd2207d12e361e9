"""The cheapest swap there is: one photo bent onto another face's landmarks, its colours matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from kornia.geometry.transform import get_tps_transform, warp_points_tps
from torch import Tensor
from torch.nn import functional

from deepguard.models.colours import recoloured
from deepguard.models.pasting import ellipse
from deepguard.models.roles import Template
from deepguard.models.swappers.roles import Crops, portrait, swappers
from deepguard.types import Images, Rng, Watch, ignore

SIDE = 256


@dataclass(frozen=True, slots=True)
class Warp:
    """Bends without learning anything."""

    source: Template = field(default_factory=lambda: portrait(SIDE))
    target: Template = field(default_factory=lambda: portrait(SIDE))
    steps: int = 0

    def learn(self, source: Crops, targets: Crops, *, steps: int, rng: Rng, watch: Watch = ignore) -> Bent:
        """Keep the first face of `source`."""
        return Bent(Crops(source.images[:1], source.landmarks[:1]), ellipse(self.target))


@dataclass(frozen=True, slots=True, eq=False)
class Bent:
    """One face, ready to be bent onto others; `mask` is where a face lies on the template."""

    face: Crops
    mask: Float[Tensor, "h w"]

    def swap(self, targets: Crops) -> Images:
        """Return the face bent by a thin plate onto each target's landmarks, in each target's colours."""
        bent = [self._bent(landmarks) for landmarks in targets.landmarks]
        return recoloured(torch.cat(bent), targets.images, self.mask)

    def _bent(self, landmarks: Float[Tensor, "5 2"]) -> Images:
        images = self.face.images
        height, width = images.shape[-2:]
        here, there = (_held(points, height, width) for points in (landmarks, self.face.landmarks[0]))
        rows, columns = torch.meshgrid(
            torch.linspace(1 / height - 1, 1 - 1 / height, height, dtype=torch.float64),
            torch.linspace(1 / width - 1, 1 - 1 / width, width, dtype=torch.float64),
            indexing="ij",
        )
        places = torch.stack((columns.flatten(), rows.flatten()), dim=-1)[None]
        kernel, affine = get_tps_transform(here, there)
        grid = warp_points_tps(places, there, kernel, affine).reshape(1, height, width, 2)
        return functional.grid_sample(
            images, grid.to(images), mode="bilinear", padding_mode="border", align_corners=False
        )


def _held(points: Float[Tensor, "5 2"], height: int, width: int) -> Float[Tensor, "1 9 2"]:
    """Return the points and the four corners, which stay where they are, in [-1, 1] as `grid_sample` counts."""
    size = torch.tensor((width, height), dtype=torch.float64)
    corners = torch.tensor(((-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)), dtype=torch.float64)
    return torch.cat(((2 * points.double().cpu() + 1) / size - 1, corners))[None]


@swappers.register("warp")
def warp(files: Sequence[Path], device: torch.device) -> Warp:
    """Bends the photo onto the other face and blends it in; needs no weights and no training. The cheapest attack."""
    return Warp()
