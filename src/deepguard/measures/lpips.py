"""LPIPS: the distance of two pictures in the features of a small network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.measures.roles import measures
from deepguard.types import Images, PerImage
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.ncnn import Convolution, read_ncnn
from deepguard.weights.formats.state import load_state

_NETWORK = (
    "https://github.com/zchrissirhcz/squeezenet-ncnn-pnnx-opencv-cpp/raw/fc56736098dd40b834912d7409d4ab4931b30802"
)
_HEADS = "https://github.com/richzhang/PerceptualSimilarity/raw/c33f89e9f46522a584cf41d8880eb0afa982708b"

NUMBERS = Weights(
    file="squeezenet_v1.1.ncnn.bin",
    size=2_478_984,
    sha256="3de9f2f9dbbbc4468fe452d9033300633b60748073a9509a7ea882caec57e544",
    licence="BSD-3-Clause",
    origin="SqueezeNet 1.1 as torchvision trained it on ImageNet, in 16 bit, converted to ncnn by zchrissirhcz",
    urls=(f"{_NETWORK}/squeezenet_v1.1.ncnn.bin",),
)
GRAPH = Weights(
    file="squeezenet_v1.1.ncnn.param",
    size=4_629,
    sha256="7dfb3045edf49f199ccc03dfc262956c6b9f38089b14d32a273aa8463c49c46b",
    licence="BSD-3-Clause",
    origin="the graph of squeezenet_v1.1.ncnn.bin",
    urls=(f"{_NETWORK}/squeezenet_v1.1.ncnn.param",),
)
HEADS = Weights(
    file="lin_v0.1_squeeze.pth",
    size=10_811,
    sha256="4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
    licence="BSD-2-Clause",
    origin="linear heads of LPIPS v0.1 for SqueezeNet, by the paper's authors",
    urls=(f"{_HEADS}/lpips/weights/v0.1/squeeze.pth",),
)

SMALLEST = 64
# Larger pictures are looked at in tiles. What a feature sees reaches at most 103 px to a side, so that tiles
# with a margin of 112 px give every feature that the whole picture gives; both figures are multiples of 16,
# the network's coarsest step.
TILE, MARGIN = 800, 112
# torchvision's SqueezeNet 1.1: a pool stands before these fire modules; features are taken after those.
POOLED, TAKEN = (0, 2, 4), (1, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Lpips:
    """Learned perceptual distance, SqueezeNet, version 0.1 (Zhang et al., 2018): 0 for identical pictures.

    A side under 64 px is first enlarged to 64, since the network needs room: such values compare only with
    each other. Large pictures are worked through in tiles, with the same result but for rounding.
    """

    convolutions: tuple[Convolution, ...]
    heads: tuple[Tensor, ...]
    unit: str = ""
    better: Literal["lower"] = "lower"
    of: Literal["any"] = "any"

    def __call__(self, clean: Images, changed: Images) -> PerImage:
        """Return the distance of each pair."""
        clean, changed = _enlarged(clean), _enlarged(changed)
        totals = clean.new_zeros(len(self.heads), len(clean))
        counts = [0] * len(self.heads)
        for rows, columns in product(_spans(clean.shape[-2]), _spans(clean.shape[-1])):
            pair = torch.cat((clean[..., rows.seen, columns.seen], changed[..., rows.seen, columns.seen]))
            distances = []
            for level, (features, step) in enumerate(self._features(pair)):
                kept = features[..., rows.kept(step), columns.kept(step)]
                counts[level] += kept.shape[-2] * kept.shape[-1]
                distances.append(self._distance(kept, level))
            totals = totals + torch.stack(distances)
        return (totals / totals.new_tensor(counts)[:, None]).sum(dim=0)

    def _distance(self, features: Tensor, level: int) -> PerImage:
        clean, changed = (features / (features.norm(dim=1, keepdim=True) + 1e-10)).chunk(2)
        weights = self.heads[level].to(features)[None, :, None, None]
        return functional.conv2d((clean - changed).square(), weights).sum(dim=(1, 2, 3))

    def _features(self, images: Images) -> Iterator[tuple[Tensor, int]]:
        shift, scale = images.new_tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]])[:, :, None, None]
        values = _convolved(((images * 2 - 1) - shift) / scale, self.convolutions[0])
        step = 2
        yield values, step
        for index in range(8):
            if index in POOLED:
                values, step = functional.max_pool2d(values, 3, 2, ceil_mode=True), step * 2
            squeeze, narrow, wide = self.convolutions[1 + 3 * index : 4 + 3 * index]
            squeezed = _convolved(values, squeeze)
            values = torch.cat((_convolved(squeezed, narrow), _convolved(squeezed, wide)), dim=1)
            if index in TAKEN:
                yield values, step


@measures.register("lpips", GRAPH, NUMBERS, HEADS)
def create(paths: Sequence[Path], device: torch.device) -> Lpips:
    """Learned perceptual distance, SqueezeNet."""
    graph, numbers, heads = paths
    convolutions = read_ncnn(graph, numbers)[:25]
    state = load_state(heads)
    try:
        weights = tuple(state[f"lin{level}.model.1.weight"].flatten().to(device) for level in range(7))
    except KeyError as error:
        raise WeightsCorrupt(f"{heads} does not hold the seven heads of LPIPS; fetch it again") from error
    return Lpips(tuple(_moved(convolution, device) for convolution in convolutions), weights)


def _enlarged(images: Images) -> Images:
    height, width = images.shape[-2:]
    if min(height, width) >= SMALLEST:
        return images
    size = (max(height, SMALLEST), max(width, SMALLEST))
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False)


@dataclass(frozen=True, slots=True)
class _Span:
    """Pixels of one side: those a tile looks at, and those it counts. `stop` is None where the picture ends."""

    start: int
    stop: int | None

    @property
    def seen(self) -> slice:
        return slice(max(0, self.start - MARGIN), None if self.stop is None else self.stop + MARGIN)

    def kept(self, step: int) -> slice:
        first = self.seen.start
        return slice((self.start - first) // step, None if self.stop is None else (self.stop - first) // step)


def _spans(side: int) -> list[_Span]:
    if side <= TILE + 2 * MARGIN:
        return [_Span(0, None)]
    # a rest smaller than the margin would hold no feature of the coarser levels: the tile before takes it along
    last = side - MARGIN
    return [_Span(start, start + TILE if start + TILE < last else None) for start in range(0, last, TILE)]


def _convolved(values: Tensor, convolution: Convolution) -> Tensor:
    weight, bias = convolution.weight.to(values.dtype), convolution.bias
    bias = None if bias is None else bias.to(values.dtype)
    result = functional.conv2d(values, weight, bias, convolution.stride, convolution.padding)
    return functional.relu(result) if convolution.rectified else result


def _moved(convolution: Convolution, device: torch.device) -> Convolution:
    bias = None if convolution.bias is None else convolution.bias.to(device)
    return replace(convolution, weight=convolution.weight.to(device), bias=bias)
