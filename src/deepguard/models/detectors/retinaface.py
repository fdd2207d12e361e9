"""RetinaFace (Deng et al. 2020) on MobileNet 0.25: the very network that FacePoison attacks."""

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
from deepguard.models.ssd import Levels, cell_major, decode_boxes, decode_landmarks, face_logit, picture_priors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

WEIGHTS = Weights(
    file="RetinaFace_mobilenet025.pth",
    size=1_789_735,
    sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
    licence="Apache-2.0",
    origin="RetinaFace on MobileNet 0.25, trained on WIDER FACE, as held by hukkelas/DSFD-Pytorch-Inference",
    urls=(
        "https://github.com/hukkelas/DSFD-Pytorch-Inference/raw/"
        "5925698cda56e1101a0cbdbb7547981f3f4830f6/RetinaFace_mobilenet025.pth",
    ),
)

SLOPE = 0.1
LEVELS: Levels = (
    (8, ((16.0, 16.0), (32.0, 32.0))),
    (16, ((64.0, 64.0), (128.0, 128.0))),
    (32, ((256.0, 256.0), (512.0, 512.0))),
)
STAGES = (("stage1", (2, 1, 2, 1, 2, 1)), ("stage2", (2, 1, 1, 1, 1, 1)), ("stage3", (2, 1)))
BGR_MEAN = (104.0, 117.0, 123.0)


@detectors.register("retinaface", WEIGHTS)
def retinaface(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """RetinaFace, MobileNet 0.25: fast, also finds the five landmarks.

    Its features are the body's three stages (strides 8, 16 and 32), as FacePoison hooks them. Threshold 0.6 and
    overlap 0.4 are what the published demo shows faces with. At these sides, with the larger one at 1024 px, it found
    18 of 19 faces cut out with 5 % of margin and 57 of 78 faces of 18 to 24 px in WIDER FACE pictures of 1024 px.
    """
    network = Network({name: value.to(device) for name, value in load_state(paths[0]).items()})
    return AnchorDetector(
        network=partial(_evidence, network),
        sides=(640, 1280),
        threshold=0.6,
        overlap=0.4,
        taps=lambda images: network.body(_prepared(images)),
        cost=0.1,
    )


class Network(nn.Module):
    """BGR pixels less their mean -> offsets (b, n, 4), class logits (b, n, 2), landmark offsets (b, n, 10)."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stage(state, f"body.{name}", strides) for name, strides in STAGES)
        self.lateral = nn.ModuleList(_unit(folded(state, f"fpn.output{k}.0", f"fpn.output{k}.1")) for k in (1, 2, 3))
        self.merge = nn.ModuleList(_unit(folded(state, f"fpn.merge{k}.0", f"fpn.merge{k}.1")) for k in (1, 2))
        self.context = nn.ModuleList(Context(state, f"ssh{k}") for k in (1, 2, 3))
        self.heads = nn.ModuleList(_head(state, k) for k in (0, 1, 2))

    def body(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the maps at strides 8, 16 and 32 (64, 128 and 256 channels)."""
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        return tuple(maps)

    def pyramid(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the three merged maps (64 channels each) before the context modules."""
        fine, middle, coarse = (lateral(each) for lateral, each in zip(self.lateral, maps, strict=True))
        middle = self.merge[1](middle + _enlarged(coarse, middle))
        fine = self.merge[0](fine + _enlarged(middle, fine))
        return [fine, middle, coarse]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the heads say of every prior, levels one after the other."""
        merged = self.pyramid(self.body(images))
        levels = [head(context(each)) for head, context, each in zip(self.heads, self.context, merged, strict=True)]
        offsets = torch.cat([cell_major(level[:, :8], 4) for level in levels], dim=1)
        logits = torch.cat([cell_major(level[:, 8:12], 2) for level in levels], dim=1)
        marks = torch.cat([cell_major(level[:, 12:], 10) for level in levels], dim=1)
        return offsets, logits, marks


class Context(nn.Module):
    """SSH's context module (Najibi et al. 2017): 3x3, 5x5 and 7x7 views by stacked 3x3 convolutions."""

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        super().__init__()

        def piece(part: str) -> Kernel:
            return folded(state, f"{name}.{part}.0", f"{name}.{part}.1")

        self.first = joined(piece("conv3X3"), piece("conv5X5_1")).convolution()
        self.second = joined(piece("conv5X5_2"), piece("conv7X7_2")).convolution()
        self.third = piece("conv7x7_3").convolution()

    def forward(self, features: Tensor) -> Tensor:
        """Return 64 channels at the same size."""
        near, middle = self.first(features).split((32, 16), dim=1)
        middle, far = self.second(functional.leaky_relu(middle, SLOPE)).split((16, 16), dim=1)
        far = self.third(functional.leaky_relu(far, SLOPE))
        return torch.cat((near, middle, far), dim=1).relu_()


def _stage(state: Mapping[str, Tensor], name: str, strides: Sequence[int]) -> nn.Sequential:
    units: list[nn.Module] = []
    for index, stride in enumerate(strides):
        unit = f"{name}.{index}"
        units.append(_unit(folded(state, f"{unit}.0", f"{unit}.1"), stride))
        if f"{unit}.3.weight" in state:  # all but the very first unit are depthwise, then pointwise
            units.append(_unit(folded(state, f"{unit}.3", f"{unit}.4")))
    return nn.Sequential(*units)


def _unit(kernel: Kernel, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(kernel.convolution(stride), nn.LeakyReLU(SLOPE, inplace=True))


def _head(state: Mapping[str, Tensor], level: int) -> nn.Conv2d:
    parts = (stored(state, f"{head}.{level}.conv1x1") for head in ("BboxHead", "ClassHead", "LandmarkHead"))
    return joined(*parts).convolution()


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, size=like.shape[-2:], mode="nearest")


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> BGR in [0, 255] less the mean."""
    return images.flip(1) * 255 - images.new_tensor(BGR_MEAN)[:, None, None]


def _evidence(network: Network, images: Images) -> Evidence:
    offsets, logits, marks = network(_prepared(images))
    prior = picture_priors(images.shape[-2], images.shape[-1], LEVELS, images.device)
    return Evidence(face_logit(logits), decode_boxes(offsets, prior), decode_landmarks(marks, prior))
