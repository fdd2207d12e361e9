"""The VGG16 base that S3FD, DSFD and PyramidBox share (Simonyan and Zisserman 2015, cut and extended as SSD does).

Layers are numbered and named as in the published state dicts: `vgg.0` to `vgg.34`, `extras.0` to `extras.3`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.models.roles import Evidence
from deepguard.models.ssd import cell_major, decode_boxes, face_logit, priors

T = TypeVar("T", bound=nn.Module)

STEPS = (4, 8, 16, 32, 64, 128)
WIDTHS = (256, 512, 512, 1024, 512, 256)
"""Channels of the six maps that heads judge: conv3_3, conv4_3, conv5_3, fc7, conv6_2 and conv7_2."""
ENDS = (15, 22, 29, 34)
"""Numbers of the base's layers that give the first four of these maps."""
SIDES = (640, 1280)
"""Long sides at which the originals look: they were trained at 640 px, and their demos look at about 1.3 megapixels."""


def base(padding: int, dilation: int) -> nn.ModuleList:
    """Return layers 0 to 34: VGG16's convolutions and pools, then fc6 (3x3 as given) and fc7 (1x1) as convolutions."""
    layers: list[nn.Module] = []
    width = 3
    for outputs in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if outputs:
            layers += [nn.Conv2d(width, outputs, 3, padding=1), nn.ReLU()]
            width = outputs
        else:
            layers.append(nn.MaxPool2d(2, 2))
    layers += [nn.Conv2d(512, 1024, 3, padding=padding, dilation=dilation), nn.ReLU()]
    return nn.ModuleList([*layers, nn.Conv2d(1024, 1024, 1), nn.ReLU()])


def extras() -> nn.ModuleList:
    """Return conv6_1, conv6_2, conv7_1 and conv7_2; each is followed by a ReLU."""
    narrow, narrower = nn.Conv2d(1024, 256, 1), nn.Conv2d(512, 128, 1)
    return nn.ModuleList(
        [narrow, nn.Conv2d(256, 512, 3, stride=2, padding=1), narrower, nn.Conv2d(128, 256, 3, stride=2, padding=1)]
    )


def heads(widths: Sequence[int], values: Sequence[int]) -> nn.ModuleList:
    """Return one 3x3 convolution for each map, from its channels to its values."""
    return nn.ModuleList(nn.Conv2d(width, count, 3, padding=1) for width, count in zip(widths, values, strict=True))


class Rescaled(nn.Module):
    """Unit length over the channels, times a learned factor for each channel (Liu et al. 2015, ParseNet)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return the rescaled features; places without any stay without."""
        length: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
        factor: Tensor = self.weight[:, None, None]
        # real features are hundreds long; a smaller floor would let empty places blow the gradient up
        return features / length.clamp(min=1e-3) * factor


def outputs(layers: nn.ModuleList, inputs: Tensor, ends: Sequence[int]) -> tuple[Tensor, ...]:
    """Run the base up to the last of `ends` and return what the layers of these numbers give."""
    found = []
    for number, layer in enumerate(list(layers)[: ends[-1] + 1]):
        inputs = layer(inputs)
        if number in ends:
            found.append(inputs)
    return tuple(found)


def pyramid(layers: nn.ModuleList, more: nn.ModuleList, inputs: Tensor) -> list[Tensor]:
    """Return the six maps, strides 4 to 128."""
    maps = list(outputs(layers, inputs, ENDS))
    for first, second in ((more[0], more[1]), (more[2], more[3])):
        maps.append(functional.relu(second(functional.relu(first(maps[-1])))))
    return maps


def multiplied(coarse: Tensor, fine: Tensor) -> Tensor:
    """Return the positive part of a map times the next coarser one, enlarged to its size.

    Corners are aligned, as torch 0.3, in which DSFD and PyramidBox were trained, always did.
    """
    larger = functional.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=True)
    return functional.relu(larger * fine)


def loaded(kind: Callable[[], T], state: Mapping[str, Tensor], file: Path, device: torch.device) -> T:
    """Make a network with the tensors of a state dict, for inference; WeightsCorrupt where the two do not fit."""
    with torch.device("meta"):  # no random start values are drawn, which would move torch's global generator
        network = kind()
    try:
        # contiguous: torch's BatchNorm reads its figures in storage order, whatever their strides
        network.load_state_dict({name: value.contiguous() for name, value in state.items()}, assign=True)
    except RuntimeError as error:
        raise WeightsCorrupt(
            f"{file} holds another network than its name says; bring the file that its origin names"
        ) from error
    network.to(device).eval().requires_grad_(False)
    return network


def decoded(offsets: Sequence[Tensor], logits: Sequence[Tensor]) -> Evidence:
    """Return the evidence of six levels of heads: (b, 4, h, w) offsets and (b, 2, h, w) class logits.

    One square prior for each cell, four steps wide, centred in the cell (Zhang et al. 2017).
    """
    maps = [(each.shape[-2], each.shape[-1]) for each in offsets]
    sizes = [((4.0 * step, 4.0 * step),) for step in STEPS]
    prior = priors(maps, STEPS, sizes, offsets[0].device)
    boxes = decode_boxes(torch.cat([cell_major(each, 4) for each in offsets], dim=1), prior)
    return Evidence(face_logit(torch.cat([cell_major(each, 2) for each in logits], dim=1)), boxes)


def strongest(logits: Tensor, first: int, last: int) -> Tensor:
    """Return the largest of the channels from `first` up to, not including, `last` (maxout; Zhang et al. 2017)."""
    return logits[:, first:last].amax(dim=1, keepdim=True)
