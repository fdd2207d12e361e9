"""PyramidBox (Tang et al. 2018) in Baidu's own light mobile version, which is not the VGG16 original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from deepguard.models.anchors import AnchorDetector
from deepguard.models.folding import Kernel, joined
from deepguard.models.roles import Evidence, FaceDetector, detectors
from deepguard.models.ssd import Levels, cell_major, decode_boxes, decode_landmarks, face_logit, picture_priors
from deepguard.types import Images
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.paddle_lite import read_paddle_lite

WEIGHTS = Weights(
    file="pyramidbox_lite_for_cpu_harmony.nb",
    size=3_143_646,
    sha256="6257b662ff4b98a5fa70c4a600e1fb88ec34a4b483bacbb9151ac41d430494d7",
    licence="Apache-2.0",
    origin="PyramidBox-Lite (mobile) by Baidu, in the Paddle-Lite format",
    urls=(
        "https://github.com/PaddlePaddle/Paddle-Lite-Demo/raw/1e5e413a590738a1b5eb08c45d8f0711ce18dfb9/"
        "object_detection/harmony/object_detection_demo/entry/src/main/resources/rawfile/models/"
        "pyramidbox_lite_for_cpu/model.nb",
    ),
)

PREFIX = "@HUB_pyramidbox_lite_mobile@"
LEVELS: Levels = (
    (8, ((8.0, 8.0), (16.0, 16.0), (32.0, 32.0))),
    (16, ((64.0, 64.0), (96.0, 96.0))),
)
BGR_MEAN = (104.0, 117.0, 123.0)
HALF_RANGE = 127.5


@detectors.register("pyramidbox", WEIGHTS)
def pyramidbox(paths: Sequence[Path], device: torch.device) -> FaceDetector:
    """PyramidBox-Lite by Baidu: small faces first, also finds the five landmarks.

    FacePoison hooks VGG16's relu3_3, relu4_3 and conv5_3, which this base lacks: all its blocks have stride 8. The
    nearest here, shallow to deep, are its three blocks. Its largest prior is 96 px, so that large faces need small
    views: of 19 faces that fill the frame it found 19 at 96 px, 18 at 128 px and 2 at 224 px; at 1024 px it found 62 of
    78 faces of 18 to 24 px in WIDER FACE pictures. Overlap 0.3 stands in the file; 0.6 is the
    default of PaddleHub's module of this model.
    """
    arrays = {name.removeprefix(PREFIX): value.to(device) for name, value in read_paddle_lite(paths[0]).items()}
    network = Network(arrays)
    return AnchorDetector(
        network=partial(_evidence, network),
        sides=(112, 448, 1024),
        threshold=0.6,
        overlap=0.3,
        shortest=50.0,
        whole=True,  # the squeeze-and-excitation units average over the whole picture
        stride=1,  # maps round up, and a filled border would enter the means over the whole picture
        taps=lambda images: network.body(_prepared(images)),
        cost=0.31,
    )


class Network(nn.Module):
    """BGR pixels in [-1, 1] -> offsets (b, n, 4), class logits (b, n, 2), landmark offsets (b, n, 10)."""

    def __init__(self, arrays: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            Mirrored(_kernel(arrays, 0, 0).convolution(2)),
            Mirrored(_kernel(arrays, 1, 1).convolution(2)),
            _kernel(arrays, 2, 2).convolution(2),
            nn.ReLU(inplace=True),
            _kernel(arrays, 3, 3).convolution(),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.ModuleList(Block(arrays, 4 + 9 * index, 4 + 7 * index) for index in range(3))
        self.heads = nn.ModuleList((_head(arrays, (31, 34, 33), 1), _head(arrays, (36, 39, 38), 2)))

    def body(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the three blocks: stride 8, 256 channels."""
        maps = []
        images = self.stem(images)
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        return tuple(maps)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the heads say of every prior, levels one after the other."""
        last = self.body(images)[-1]
        offsets, logits, marks = [], [], []
        for head, (_, sizes) in zip(self.heads, LEVELS, strict=True):
            box, score, points = head(last).split([values * len(sizes) for values in (4, 2, 10)], dim=1)
            offsets.append(cell_major(box, 4))
            logits.append(cell_major(score, 2))
            marks.append(cell_major(points, 10))
        return torch.cat(offsets, dim=1), torch.cat(logits, dim=1), torch.cat(marks, dim=1)


class Mirrored(nn.Module):
    """Convolution, ReLU, then the same again negated: unlike CReLU, the second half is never positive."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, features: Tensor) -> Tensor:
        """Return twice the convolution's channels."""
        positive = self.convolution(features).relu_()
        return torch.cat((positive, -positive), dim=1)


class Block(nn.Module):
    """Four branches (mean, then 1x1; 1x1; 3x3; two 3x3) of 64 channels, weighed by squeeze-and-excitation."""

    def __init__(self, arrays: Mapping[str, Tensor], first: int, norm: int) -> None:
        super().__init__()
        pooled, plain, narrow, single, narrow_too, double, last = (
            _kernel(arrays, first + index, norm + index) for index in range(7)
        )
        # a 1x1 convolution and a mean that leaves padding out may change places
        self.first = joined(plain, narrow, narrow_too, pooled).convolution()
        self.once = single.convolution()
        self.twice = nn.Sequential(double.convolution(), nn.ReLU(inplace=True), last.convolution())
        self.squeeze = _stored(arrays, first + 7).convolution()
        self.excite = _stored(arrays, first + 8).convolution()

    def forward(self, features: Tensor) -> Tensor:
        """Return 256 channels at the same size."""
        plain, narrow, narrow_too, mean = self.first(features).split((64, 48, 48, 64), dim=1)
        mean = functional.avg_pool2d(mean, 3, 1, 1, count_include_pad=False)
        single = self.once(functional.relu(narrow))
        double = self.twice(functional.relu(narrow_too))
        branches = torch.cat((mean, plain, single, double), dim=1).relu_()
        weights = self.excite(self.squeeze(branches.mean(dim=(2, 3), keepdim=True)).relu_())
        return branches * torch.sigmoid(weights)


def _kernel(arrays: Mapping[str, Tensor], number: int, norm: int) -> Kernel:
    return Kernel(arrays[f"conv2d_{number}.w_0"], arrays[f"batch_norm_{norm}.b_0"])


def _stored(arrays: Mapping[str, Tensor], number: int) -> Kernel:
    return Kernel(arrays[f"conv2d_{number}.w_0"], arrays[f"conv2d_{number}.b_0"])


def _head(arrays: Mapping[str, Tensor], numbers: Sequence[int], stride: int) -> nn.Conv2d:
    return joined(*(_stored(arrays, number) for number in numbers)).convolution(stride)


@lru_cache(maxsize=64)
def _clipped_priors(height: int, width: int, device: torch.device) -> Float[Tensor, "n 4"]:
    """Priors whose corners lie within the picture: left and top at 0 or more, right and bottom at its size or less."""
    with torch.inference_mode(False):  # what is kept must serve callers that need gradients too
        prior = picture_priors(height, width, LEVELS, device)
        near = (prior[:, :2] - prior[:, 2:] / 2).clamp(min=0)
        far = torch.minimum(prior[:, :2] + prior[:, 2:] / 2, prior.new_tensor([width, height]))
        return torch.cat(((near + far) / 2, far - near), dim=1)


def _prepared(images: Images) -> Tensor:
    """RGB in [0, 1] -> BGR, less the mean, in half ranges."""
    return (images.flip(1) * 255 - images.new_tensor(BGR_MEAN)[:, None, None]) / HALF_RANGE


def _evidence(network: Network, images: Images) -> Evidence:
    offsets, logits, marks = network(_prepared(images))
    prior = _clipped_priors(images.shape[-2], images.shape[-1], images.device)
    return Evidence(face_logit(logits), decode_boxes(offsets, prior), decode_landmarks(marks, prior))
