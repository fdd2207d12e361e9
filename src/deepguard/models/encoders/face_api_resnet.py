"""dlib's ResNet (King 2017, "High quality face recognition with deep metric learning") as face-api carries it.

29 convolutions after He et al. 2016 (arXiv 1512.03385) with half the filters, trained on three million faces with a
loss that pushes different people 0.6 apart. face-api stores its weights in eight bits for browsers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.models.embedding import NetworkEncoder
from deepguard.models.folding import Kernel
from deepguard.models.roles import Template, encoders
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.tfjs import read_tfjs

SOURCE = "https://github.com/vladmandic/face-api/raw/189226d63aabb48cb40776fd1c453ebc0fa722f1/model"
LICENCE = "MIT; dlib's own are in the public domain (CC0)"

DATA = Weights(
    file="face_recognition_model.bin",
    size=6_444_032,
    sha256="b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    licence=LICENCE,
    origin="dlib's face recogniser, stored in eight bits for face-api, 128 values",
    urls=(f"{SOURCE}/face_recognition_model.bin",),
)
MANIFEST = Weights(
    file="face_recognition_model-weights_manifest.json",
    size=19_615,
    sha256="cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
    licence=LICENCE,
    origin="Names and scales of the tensors in that file",
    urls=(f"{SOURCE}/face_recognition_model-weights_manifest.json",),
)

TEMPLATE = Template(
    height=150,
    width=150,
    points=((47.55, 46.60), (100.48, 46.60), (74.01, 76.56), (50.41, 103.02), (97.61, 103.02)),
)
"""Five points of the mean shape by which dlib cuts its chips, a quarter of its size added on each side."""
MEAN = (122.782 / 255, 117.001 / 255, 104.298 / 255)
"""Of dlib's input layer."""
BLOCKS = (
    *("conv32_1", "conv32_2", "conv32_3"),
    *("conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    *("conv128_down", "conv128_1", "conv128_2"),
    *("conv256_down", "conv256_1", "conv256_2", "conv256_down_out"),
)
"""In their order; those whose names say so halve the map."""


class Network(nn.Module):
    """Crops less their mean, b x 3 x 150 x 150 -> b x 128."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.first = _kernel(state, "conv32_down").convolution(stride=2, padded=False)
        self.blocks = nn.Sequential(*(Block(state, name) for name in BLOCKS))
        self.register_buffer("last", state["fc"])

    def forward(self, crops: Tensor) -> Tensor:
        """Return the descriptors as dlib gives them; they are not quite of length 1."""
        maps = functional.max_pool2d(self.first(crops).relu(), 3, stride=2)
        vectors: Tensor = self.blocks(maps).mean(dim=(2, 3)) @ self.get_buffer("last")
        return vectors


class Block(nn.Module):
    """Two convolutions beside what goes past them; where the map is halved, that is averaged."""

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.halves = "down" in name
        first, second = (_kernel(state, f"{name}/conv{number}") for number in (1, 2))
        self.first = first.convolution(stride=2, padded=False) if self.halves else first.convolution()
        self.second = second.convolution()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps; where the two sides differ in size or channels, the smaller is filled up with zeros."""
        past = functional.avg_pool2d(maps, 2) if self.halves else maps
        made = self.second(self.first(maps).relu())
        rows, columns = past.shape[2] - made.shape[2], past.shape[3] - made.shape[3]
        made = functional.pad(made, (0, columns, 0, rows))
        past = functional.pad(past, (0, 0, 0, 0, 0, made.shape[1] - past.shape[1]))
        return (past + made).relu()


@encoders.register("face-api-resnet", DATA, MANIFEST)
def face_api_resnet(paths: Sequence[Path], device: torch.device) -> NetworkEncoder:
    """Dlib's ResNet as face-api carries it: another family than the MobileFaceNets, so a judge of what carries over."""
    try:
        network = Network(read_tfjs(paths[1], paths[0]))
    except KeyError as error:
        raise WeightsCorrupt(f"{paths[0]} holds another network than dlib's ResNet; fetch it again") from error
    return NetworkEncoder(
        network=network.eval().to(device),
        mean=MEAN,
        spread=(1.0, 1.0, 1.0),
        template=TEMPLATE,
        family="dlib-resnet",
    )


def _kernel(state: Mapping[str, Tensor], name: str) -> Kernel:
    """Return a convolution with the scale and shift that follow it folded in."""
    weight = state[f"{name}/conv/filters"].permute(3, 2, 0, 1)
    scale, shift = state[f"{name}/scale/weights"], state[f"{name}/scale/biases"]
    return Kernel(weight * scale[:, None, None, None], state[f"{name}/conv/bias"] * scale + shift)
