"""The one way in which a face becomes a crop for encoders and swappers: its landmarks are laid on a template."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.roles import Template
from deepguard.types import Images, Landmarks

Placing = Float[Tensor, "2 3"]
"""x, y of a crop's pixel and 1 -> x, y in the image."""


def placing(landmarks: Landmarks, template: Template) -> Placing:
    """Return where each crop pixel lies in the image: the inverse of what brings the landmarks nearest to the template.

    That is a similarity by least squares over rotation, scale and shift (Umeyama 1991, without reflection), on the CPU
    in float64; distances count in the crop, as in the tools that are meant.
    """
    there = torch.tensor(template.points, dtype=torch.float64)
    here = torch.tensor(landmarks, dtype=torch.float64)
    middle, target = there.mean(dim=0), here.mean(dim=0)
    x, y = (there - middle).unbind(dim=1)
    u, v = (here - target).unbind(dim=1)
    # the landmarks times (along - i across) / spread, as complex numbers, lie nearest to the template: this is undone
    along, across, spread = (x * u + y * v).sum(), (x * v - y * u).sum(), (u * u + v * v).sum()
    along, across = (each * spread / (along**2 + across**2).clamp_min(1e-30) for each in (along, across))
    turn = torch.stack((torch.stack((along, -across)), torch.stack((across, along))))
    return torch.cat((turn, (target - turn @ middle)[:, None]), dim=1)


def aligned(images: Images, landmarks: Landmarks, template: Template) -> Images:
    """Return the crop of the face with these landmarks, in pixels of the images; differentiable in the images.

    Sampled bilinearly with nothing before it, as cv2.warpAffine in the tools that are meant; black beyond the image.
    """
    return taken(images, placing(landmarks, template), template)


def taken(images: Images, place: Placing, template: Template) -> Images:
    """Return the crop that lies at `place`; see `aligned`."""
    height, width = images.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(template.height, dtype=torch.float64),
        torch.arange(template.width, dtype=torch.float64),
        indexing="ij",
    )
    x, y = (place @ torch.stack((columns.flatten(), rows.flatten(), torch.ones(rows.numel())))).unbind()
    # landmarks name pixel centres as OpenCV does: the first pixel's lies at 0
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    grid = grid.reshape(1, template.height, template.width, 2).to(images).expand(len(images), -1, -1, -1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
