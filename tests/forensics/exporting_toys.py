"""A classifier with what makes ours hard to export: uneven padding, batch normalisation, gates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.roles import CropSpec
from deepguard.types import Images, PerImage

SPEC = CropSpec(side=32, margin=0.2)


class Network(nn.Module):
    """Two convolutions, of which the first pads more behind than before."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.logit = nn.Linear(8, 1)

    def forward(self, crops: Tensor) -> Tensor:
        maps = functional.silu(self.norm(self.first(functional.pad(crops, (0, 1, 0, 1)))))
        maps = maps * torch.sigmoid(maps.mean(dim=(2, 3), keepdim=True))
        logits: Tensor = self.logit(self.second(maps).mean(dim=(2, 3)))
        return 20 * logits[:, 0]


@dataclass(frozen=True)
class Toy:
    """The network as a classifier."""

    network: nn.Module
    crop: CropSpec = SPEC

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit; above 0 means fake."""
        logits: PerImage = self.network(crops)
        return logits


def toy(seed: int = 3) -> Toy:
    """Return a toy with drawn weights, ready to judge."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    network = Network()
    nn.init.uniform_(network.norm.running_var, 0.5, 2.0)
    torch.set_rng_state(state)
    return Toy(network.eval().requires_grad_(False))
