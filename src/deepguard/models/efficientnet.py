"""EfficientNet-b0 (Tan and Le 2019, arXiv 1905.11946) in plain torch, ending in one logit."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from deepguard.types import Images, PerImage

STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, kernel, stride of the first block, channels and blocks of each stage: table 1 of the paper."""
STEM, HEAD = 32, 1280
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, by which the input in [0, 1] is normalised inside the network."""
EPSILON, MOMENTUM = 1e-3, 0.05
"""Of the batch normalisation: the first is the authors'; theirs of the second, 0.01, is for runs of days."""
EARLIER = 11
"""Blocks up to the end of the stage whose maps are a sixteenth of the image's size."""


class EfficientNetB0(nn.Module):
    """Images in [0, 1] of any size from 32 pixels on -> one logit each.

    Padding is TensorFlow's SAME, as the authors trained it: for even sizes a stride of two pads at the end only.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.stem = _Unit(3, STEM, 3, stride=2)
        blocks, width = [], STEM
        for expansion, kernel, stride, channels, count in STAGES:
            for index in range(count):
                blocks.append(_Block(width, channels, kernel, stride if index == 0 else 1, expansion))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _Unit(width, HEAD, 1)
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(HEAD, 1)

    def maps(self, images: Images) -> Float[Tensor, "b c h w"]:
        """Return the feature maps of the fifth stage, a sixteenth of the images' size.

        The last ones, a thirty-second, are so few that they tell no place.
        """
        normalised = (images - self.mean) / self.std
        maps: Tensor = self.blocks[:EARLIER](self.stem(normalised))
        return maps

    def features(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1280"]:
        """Return the last features, each the mean over its map, that follow from the maps."""
        last: Tensor = self.head(self.blocks[EARLIER:](maps))
        return last.mean(dim=(2, 3))

    def judged(self, features: Float[Tensor, "b 1280"]) -> PerImage:
        """Return the logits that follow from the features; the only place where training drops something by chance."""
        logits: Tensor = self.logit(self.dropout(features))
        return logits[:, 0]

    def verdict(self, maps: Float[Tensor, "b c h w"]) -> PerImage:
        """Return the logits that follow from the maps."""
        return self.judged(self.features(maps))

    def forward(self, images: Images) -> PerImage:
        """Return one logit for each image."""
        return self.verdict(self.maps(images))


class _Unit(nn.Module):
    """Convolution, batch normalisation and, unless `linear`, SiLU."""

    def __init__(
        self, given: int, made: int, kernel: int, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        before = (kernel - stride) // 2
        self.pad = (before, kernel - stride - before) * 2 if stride > 1 else None
        padding = 0 if self.pad else kernel // 2
        self.conv = nn.Conv2d(given, made, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made, eps=EPSILON, momentum=MOMENTUM)
        self.linear = linear

    def forward(self, values: Tensor) -> Tensor:
        if self.pad:
            values = functional.pad(values, self.pad)
        values = self.norm(self.conv(values))
        return values if self.linear else functional.silu(values)


class _Gate(nn.Module):
    """Squeeze and excitation: each channel times a share in (0, 1) that all channels' means decide."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        means = values.mean(dim=(2, 3), keepdim=True)
        return values * torch.sigmoid(self.excite(functional.silu(self.squeeze(means))))


class _Block(nn.Module):
    """Mobile inverted bottleneck: wider, depthwise, gate, narrower; with the input added where the shapes allow."""

    def __init__(self, given: int, made: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = given * expansion
        self.expand = _Unit(given, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _Unit(wide, wide, kernel, stride=stride, groups=wide)
        self.gate = _Gate(wide, max(1, given // 4))
        self.project = _Unit(wide, made, 1, linear=True)
        self.skips = given == made and stride == 1

    def forward(self, values: Tensor) -> Tensor:
        made: Tensor = self.project(self.gate(self.depthwise(self.expand(values))))
        return values + made if self.skips else made
