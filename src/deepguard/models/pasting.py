"""The way between a picture and a crop of it: of points into the crop, and of the crop back into the picture."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from deepguard.models.align import Placing
from deepguard.models.roles import Template
from deepguard.types import Images, Landmarks

EDGE = 0.3
"""The share of an ellipse's radius over which it fades out."""


def inside(place: Placing, landmarks: Landmarks) -> Float[Tensor, "n 2"]:
    """Return where points of the image lie in the crop at `place`, in its pixels; float64."""
    points = torch.tensor(landmarks, dtype=torch.float64)
    across: Tensor = torch.linalg.solve(place[:, :2], (points - place[:, 2]).T)
    return across.T


def pasted(images: Images, crops: Images, place: Placing, mask: Float[Tensor, "h w"]) -> Images:
    """Return the pictures with `crops`, which lie at `place`, blended in as much as `mask` in [0, 1] says.

    Pixels of the picture outside the crop, and where the mask is 0, stay as they are.
    """
    height, width = images.shape[-2:]
    side = crops.shape[-2:]
    turn, shift = place[:, :2], place[:, 2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    x, y = (torch.linalg.inv(turn) @ (torch.stack((columns.flatten(), rows.flatten())) - shift)).unbind()
    grid = torch.stack(((2 * x + 1) / side[1] - 1, (2 * y + 1) / side[0] - 1), dim=-1).reshape(1, height, width, 2)
    layers = torch.cat((crops, mask.to(crops).expand(len(crops), 1, *side)), dim=1)
    laid = functional.grid_sample(
        layers, grid.to(crops).expand(len(crops), -1, -1, -1), mode="bilinear", align_corners=False
    )
    share = laid[:, 3:]
    return images + share * (laid[:, :3] - images)


def ellipse(template: Template, size: float = 1.0) -> Float[Tensor, "h w"]:
    """Return a soft mask of the face that lies on a template: from above the brows to the chin, 1 inside, 0 outside.

    `size` makes it larger or smaller.
    """
    points = torch.tensor(template.points)
    eyes, mouth = points[:2].mean(dim=0), points[3:].mean(dim=0)
    reach = size * (mouth[1] - eyes[1])
    middle = eyes + (mouth - eyes) * 0.5
    rows, columns = torch.meshgrid(torch.arange(template.height), torch.arange(template.width), indexing="ij")
    radius = torch.hypot((columns - middle[0]) / (0.98 * reach), (rows - middle[1]) / (1.18 * reach))
    share = ((1 - radius) / EDGE).clamp(0, 1)
    return share * share * (3 - 2 * share)
