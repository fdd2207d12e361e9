"""S3FD (Zhang et al. 2017): its heads and priors on a MobileNetV2 base; a light version, not the VGG16 original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from deepguard.models.anchors import AnchorDetector
from deepguard.models.folding import Kernel, Norm, joined
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import Levels, cell_major, decode_boxes, picture_priors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.caffemodel import read_caffemodel

WEIGHTS = Weights(
    file="SFD-320x320-MobilenetV2-mod11l-fp16-wider_iter_90000.caffemodel",
    size=3_710_233,
    sha256="354ceb3ee44a29a61aa80be869d02b0928a95db1d8ac9b76f2eef2a9608e1b67",
    licence="MIT",
    origin="S3FD heads on a MobileNetV2 base, trained on WIDER FACE by the Bonseyes project",
    urls=(
        "https://github.com/bonseyes/SFD/raw/fb9cba6d0ee245dcb14745e285773ff7dc35aeb2/models/"
        "SFD-320x320-MobileNetV2-mod11l-fp16/SFD-320x320-MobilenetV2-mod11l-NVCaffe-fp16-wider_iter_90000.caffemodel",
    ),
)

Layers: TypeAlias = Mapping[str, Sequence[Tensor]]
"""Blobs by layer, as the file has them."""

EPSILON = 1e-3
MAPS = ("conv_10/expand_", "Conv_1", "layer_19_2_2", "layer_19_2_3", "layer_19_2_4")
LEVELS: Levels = (
    (8, ((16.0, 16.0), (32.0, 32.0))),
    (16, ((64.0, 64.0),)),
    (32, ((128.0, 128.0),)),
    (64, ((256.0, 256.0),)),
    (128, ((512.0, 512.0),)),
)
BGR_MEAN = (104.0, 117.0, 123.0)


@detectors.register("s3fd", WEIGHTS)
def s3fd(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """S3FD's heads and priors on a MobileNetV2 base: a light version of the VGG16 original.

    FacePoison hooks VGG16's conv2_2, pool3 and fc6, which this base lacks; the nearest here, shallow to deep, are the
    maps that the first three heads judge: strides 8, 16 and 32. Overlap 0.3 stands in the graph file; 0.5 is the score
    from which users of S3FD (face-alignment) count a face. It was trained at 320 px: at 640 px it found 5 of 19 faces
    that fill the frame, at 320 px all; at 1024 px it found 66 of 78 faces of 18 to 24 px in WIDER FACE pictures.
    """
    blobs = read_caffemodel(paths[0])
    network = Network({name: [each.to(device) for each in layer] for name, layer in blobs.items()})
    return AnchorDetector(
        network=partial(_evidence, network),
        sides=(320, 1024),
        threshold=0.5,
        overlap=0.3,
        stride=1,  # every map rounds up and nothing is enlarged, so that any size is as good as another
        taps=lambda images: network.maps(_prepared(images), 3),
        grid=128,
        cost=0.36,
    )


class Network(nn.Module):
    """BGR pixels less their mean -> offsets (b, n, 4), logits (b, n, 2); sigmoid of logit 1 is the score."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.parts = nn.ModuleList((_base(layers), _middle(layers), *(_extra(layers, index) for index in (2, 3, 4))))
        self.heads = nn.ModuleList(_head(layers, name) for name in MAPS)

    def maps(self, images: Tensor, count: int = len(MAPS)) -> tuple[Tensor, ...]:
        """Return the first `count` maps that heads judge: strides 8, 16, 32, 64 and 128."""
        found = []
        for part in list(self.parts)[:count]:
            images = part(images)
            found.append(images)
        return tuple(found)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the heads say of every prior, levels one after the other."""
        offsets, logits = [], []
        for each, head, (_, sizes) in zip(self.maps(images), self.heads, LEVELS, strict=True):
            box, score = head(each).split((4 * len(sizes), 2 * len(sizes)), dim=1)
            offsets.append(cell_major(box, 4))
            logits.append(cell_major(score, 2))
        return torch.cat(offsets, dim=1), torch.cat(logits, dim=1)


class Residual(nn.Module):
    """MobileNetV2's inverted residual (Sandler et al. 2018) with a shortcut."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum of input and change."""
        change: Tensor = self.inner(features)
        return change + features


def _base(layers: Layers) -> nn.Sequential:
    """Everything up to the widened input of block 10, where the first head sits."""
    start = [*_unit(layers, "Conv", 2), *_unit(layers, "Conv_a"), *_unit(layers, "conv/depthwise")]
    blocks = [_block(layers, index) for index in range(1, 10)]
    return nn.Sequential(*start, _kernel(layers, "conv/project").convolution(), *blocks, *_unit(layers, MAPS[0]))


def _middle(layers: Layers) -> nn.Sequential:
    rest = [*_unit(layers, "conv_10/depthwise_", 2), _kernel(layers, "conv_10/project_").convolution()]
    return nn.Sequential(*rest, *(_block(layers, index) for index in range(11, 17)), *_unit(layers, MAPS[1]))


def _extra(layers: Layers, index: int) -> nn.Sequential:
    deep = f"layer_19_2_{index}"
    narrow = _unit(layers, f"layer_19_1_{index}")
    return nn.Sequential(*narrow, *_unit(layers, f"{deep}/depthwise", 2), *_unit(layers, deep))


def _block(layers: Layers, index: int) -> nn.Module:
    name = f"conv_{index}"
    halves = index in (1, 5)
    wide = [*_unit(layers, f"{name}/expand_"), *_unit(layers, f"{name}/depthwise_", 2 if halves else 1)]
    inner = nn.Sequential(*wide, _kernel(layers, f"{name}/project_").convolution())
    return inner if halves else Residual(inner)


def _unit(layers: Layers, name: str, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return _kernel(layers, name).convolution(stride), nn.ReLU(inplace=True)


def _kernel(layers: Layers, name: str) -> Kernel:
    weight = layers[name][0]
    mean, variance, count = (blob.flatten() for blob in layers[f"{name}/bn"])
    gain, shift = (blob.flatten() for blob in layers[f"{name}/scale"])
    plain = Kernel(weight, weight.new_zeros(len(weight)))
    return Norm(mean / count, variance / count, gain, shift, EPSILON).folded_into(plain)


def _head(layers: Layers, name: str) -> nn.Conv2d:
    parts = (layers[f"{name}_mbox_{kind}-_"] for kind in ("loc", "conf"))
    return joined(*(Kernel(weight, bias.flatten()) for weight, bias in parts)).convolution()


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> BGR in [0, 255] less the mean."""
    return images.flip(1) * 255 - images.new_tensor(BGR_MEAN)[:, None, None]


def _evidence(network: Network, images: Images) -> Evidence:
    offsets, logits = network(_prepared(images))
    prior = picture_priors(images.shape[-2], images.shape[-1], LEVELS, images.device)
    return Evidence(logits[..., 1], decode_boxes(offsets, prior))
