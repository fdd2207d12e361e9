"""DSFD (Li et al. 2019) in its first author's light version, which is not the VGG16 original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.anchors import AnchorDetector
from deepguard.models.folding import Kernel, folded, joined, stored
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import Levels, cell_major, decode_boxes, face_logit, picture_priors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

WEIGHTS = Weights(
    file="light_DSFD.pth",
    size=4_070_045,
    sha256="331f715b695ebd4c955713e51c32c7133595dbcedf982e39640bd8309b5404cd",
    licence="MIT",
    origin="light DSFD, trained on WIDER FACE by the first author of DSFD (swordlidev/lightDSFD)",
    urls=(
        "https://github.com/swordlidev/lightDSFD/raw/49e4a283b7c62f13196df79881d3b376cf76326e/weights/light_DSFD.pth",
    ),
)

TALL = 1.5**0.5
LEVELS: Levels = tuple((step, ((4 * step / TALL, 4 * step * TALL),)) for step in (4, 8, 16, 32, 64, 128))
BGR_MEAN = (104.0, 117.0, 123.0)


@detectors.register("dsfd", WEIGHTS)
def dsfd(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """Light DSFD by the first author of DSFD; it sees small faces only in enlarged pictures.

    FacePoison hooks VGG16's conv2_2, pool3 and fc6, which this base lacks; the nearest here, shallow to deep, are the
    outputs of inception 2, 3 and 4 (c2, c3, c4): strides 8, 16 and 32. Overlap 0.3 is the author's; 0.5 is the score
    from which its wrapper (face-detection by hukkelas) counts a face. In WIDER FACE pictures of 1024 px it found 5 of
    78 faces of 18 to 24 px as they are and 63 enlarged to 1600 px; DSFD's own evaluation enlarges too.
    """
    network = Network({name: value.to(device) for name, value in load_state(paths[0]).items()})
    return AnchorDetector(
        network=partial(_evidence, network),
        sides=(320, 1600),
        threshold=0.5,
        overlap=0.3,
        enlargement=2.0,
        taps=lambda images: network.shallow(_prepared(images))[1:],
        grid=128,
        cost=0.2,
    )


class Network(nn.Module):
    """BGR pixels less their mean -> offsets (b, n, 4), class logits (b, n, 2)."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.conv1 = _normalised(state, "conv1").convolution(4)
        self.conv3 = _normalised(state, "conv3").convolution(2)
        self.inceptions = nn.ModuleList(Inception(state, f"inception{index}") for index in (1, 2, 3, 4))
        self.extras = nn.ModuleList(_extra(state, index) for index in (5, 6))
        self.lateral = nn.ModuleList(stored(state, f"latlayer{index}").convolution() for index in range(1, 7))
        self.smooth = nn.ModuleList(stored(state, f"smooth{index}").convolution() for index in (1, 2, 3))
        self.context = nn.ModuleList(Inception(state, f"cpm{index}") for index in range(1, 7))
        self.loc = nn.ModuleList(_head(state, f"loc.{index}") for index in range(6))
        self.conf = nn.ModuleList(_head(state, f"conf.{index}") for index in range(6))

    def shallow(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return c1 to c4: strides 4, 8, 16 and 32."""
        first: Tensor = self.inceptions[0](_both_signs(self.conv1(images)))
        second: Tensor = self.inceptions[1](functional.max_pool2d(first, 3, 2, 1))
        third: Tensor = self.inceptions[2](_both_signs(self.conv3(second)))
        fourth: Tensor = self.inceptions[3](functional.max_pool2d(third, 3, 2, 1))
        return first, second, third, fourth

    def body(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return c1 to c6: strides 4 to 128."""
        maps = list(self.shallow(images))
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return tuple(maps)

    def enhanced(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the six maps (64 channels) of which the three finest are multiplied with the next coarser one."""
        fused = [lateral(each) for lateral, each in zip(self.lateral, maps, strict=True)]
        for index in (2, 1, 0):
            size = fused[index].shape[-2:]
            coarse = functional.interpolate(fused[index + 1], size=size, mode="bilinear", align_corners=False)
            fused[index] = self.smooth[index](coarse * fused[index])
        return fused

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the heads say of every prior, levels one after the other."""
        fused = self.enhanced(self.body(images))
        context = [module(each) for module, each in zip(self.context, fused, strict=True)]
        offsets = [cell_major(head(each), 4) for head, each in zip(self.loc, context, strict=True)]
        logits = [cell_major(head(each), 2) for head, each in zip(self.conf, context, strict=True)]
        return torch.cat(offsets, dim=1), torch.cat(logits, dim=1)


class Inception(nn.Module):
    """Four branches (1x1; mean, then 1x1; 3x3; two 3x3) of equal width, one after the other."""

    shift: Tensor

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        super().__init__()

        def piece(part: str) -> Kernel:
            return _normalised(state, f"{name}.{part}")

        plain, pooled = piece("branch1x1"), piece("branch1x1_2")
        # a 1x1 convolution and a mean may change places, the bias aside: padding counts in the mean, but has no bias
        pooled_weight = Kernel(pooled.weight, torch.zeros_like(pooled.bias))
        reduced = piece("branch3x3_reduce"), piece("branch3x3_reduce_2")
        self.first = joined(plain, *reduced, pooled_weight).convolution()
        self.register_buffer("shift", pooled.bias[:, None, None])
        self.once = piece("branch3x3").convolution()
        self.twice = nn.Sequential(
            piece("branch3x3_2").convolution(), nn.ReLU(inplace=True), piece("branch3x3_3").convolution()
        )
        width, half = len(plain.bias), len(reduced[0].bias)
        self.widths = (width, half, half, width)

    def forward(self, features: Tensor) -> Tensor:
        """Return the four branches at the same size."""
        plain, narrow, narrow_too, mean = self.first(features).split(self.widths, dim=1)
        mean = functional.avg_pool2d(mean, 3, 1, 1) + self.shift
        single = self.once(functional.relu(narrow))
        double = self.twice(functional.relu(narrow_too))
        return torch.cat((plain, mean, single, double), dim=1).relu_()


def _normalised(state: Mapping[str, Tensor], name: str) -> Kernel:
    return folded(state, f"{name}.conv", f"{name}.bn")


def _both_signs(features: Tensor) -> Tensor:
    """CReLU (Shang et al. 2016): the positive parts of the features and of their negatives."""
    return torch.cat((features, -features), dim=1).relu_()


def _extra(state: Mapping[str, Tensor], index: int) -> nn.Sequential:
    narrow, deep = _normalised(state, f"conv{index}_1"), _normalised(state, f"conv{index}_2")
    return nn.Sequential(narrow.convolution(), nn.ReLU(inplace=True), deep.convolution(2), nn.ReLU(inplace=True))


def _head(state: Mapping[str, Tensor], name: str) -> nn.Sequential:
    first, second = (_normalised(state, f"{name}.{part}") for part in ("conv1", "conv2"))
    last = stored(state, f"{name}.conv3")
    return nn.Sequential(
        first.convolution(), nn.ReLU(inplace=True), second.convolution(), nn.ReLU(inplace=True), last.convolution()
    )


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> BGR in [0, 255] less the mean."""
    return images.flip(1) * 255 - images.new_tensor(BGR_MEAN)[:, None, None]


def _evidence(network: Network, images: Images) -> Evidence:
    offsets, logits = network(_prepared(images))
    prior = picture_priors(images.shape[-2], images.shape[-1], LEVELS, images.device)
    return Evidence(face_logit(logits), decode_boxes(offsets, prior))
