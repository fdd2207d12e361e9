"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) trained on CASIA-WebFace with ArcFace's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from deepguard.errors import WeightsCorrupt
from deepguard.models.embedding import SPHEREFACE, NetworkEncoder
from deepguard.models.folding import Kernel, folded
from deepguard.models.roles import encoders
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

WEIGHTS = Weights(
    file="mobilefacenet_xiaoccer_068.ckpt",
    size=4_130_855,
    sha256="e839247cdbdfc023fb7cadeaf53a4549d50c8fc24ad154c02e35920ea8910d99",
    licence="none stated",
    origin="MobileFaceNet by Xiaoccer, trained on CASIA-WebFace, 128 values",
    urls=(
        "https://github.com/Xiaoccer/MobileFaceNet_Pytorch/raw/"
        "9c6e162647edf1bdc1d194f305d2030c79bf4613/model/best/068.ckpt",
    ),
    terms="Its source states no licence for the weights; the data they were trained on are for research.",
    published="068.ckpt",
)

HALVING = (0, 5, 12)
"""The blocks that halve the map; all others add their input to their output (table 1 of the paper)."""
BLOCKS = 15


class Network(nn.Module):
    """Crops in [-1, 1], b x 3 x 112 x 96 -> b x 128; BatchNorm is folded in."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.first = nn.Sequential(_unit(state, "conv1", stride=2), _unit(state, "dw_conv1"))
        self.blocks = nn.ModuleList(Block(state, f"blocks.{index}.conv", index in HALVING) for index in range(BLOCKS))
        self.wide = _unit(state, "conv2")
        whole, last = (folded(state, f"{name}.conv", f"{name}.bn") for name in ("linear7", "linear1"))
        self.whole, self.last = _Whole(whole), last.convolution()

    def forward(self, crops: Tensor) -> Tensor:
        """Return the embeddings before they are made unit vectors."""
        maps = self.first(crops)
        for block in self.blocks:
            maps = block(maps)
        vectors: Tensor = self.last(self.whole(self.wide(maps))).flatten(1)
        return vectors


class Block(nn.Module):
    """MobileNetV2's inverted residual with PReLU: widened, seen by channel, and narrowed without activation."""

    def __init__(self, state: Mapping[str, Tensor], name: str, halving: bool) -> None:
        super().__init__()
        self.adds = not halving
        self.layers = nn.Sequential(
            folded(state, f"{name}.0", f"{name}.1").convolution(),
            _slopes(state, f"{name}.2"),
            folded(state, f"{name}.3", f"{name}.4").convolution(stride=2 if halving else 1),
            _slopes(state, f"{name}.5"),
            folded(state, f"{name}.6", f"{name}.7").convolution(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps, of half the size where the block halves."""
        made: Tensor = self.layers(maps)
        return maps + made if self.adds else made


class _Whole(nn.Module):
    """A depthwise convolution as large as its input: one weighted sum of each channel."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.register_buffer("weight", kernel.weight[:, 0])
        self.register_buffer("bias", kernel.bias[:, None, None])

    def forward(self, maps: Tensor) -> Tensor:
        """Return b x c x 1 x 1."""
        weight, bias = self.get_buffer("weight"), self.get_buffer("bias")
        return (maps * weight).sum(dim=(2, 3), keepdim=True) + bias


@encoders.register("mobilefacenet-casia", WEIGHTS)
def mobilefacenet_casia(paths: Sequence[Path], device: torch.device) -> NetworkEncoder:
    """MobileFaceNet trained on CASIA-WebFace; small, quick, with a gradient."""
    try:
        network = Network(load_state(paths[0], "net_state_dict"))
    except KeyError as error:
        raise WeightsCorrupt(f"{paths[0]} holds another network than MobileFaceNet; fetch it again") from error
    return NetworkEncoder(
        network=network.eval().to(device),
        mean=(0.5, 0.5, 0.5),
        spread=(128 / 255, 128 / 255, 128 / 255),  # its training divided by 128, not by 127.5
        template=SPHEREFACE,
        family="mobilefacenet",
    )


def _unit(state: Mapping[str, Tensor], name: str, stride: int = 1) -> nn.Sequential:
    kernel = folded(state, f"{name}.conv", f"{name}.bn")
    return nn.Sequential(kernel.convolution(stride), _slopes(state, f"{name}.prelu"))


def _slopes(state: Mapping[str, Tensor], name: str) -> nn.PReLU:
    slopes = state[f"{name}.weight"]
    layer = nn.PReLU(len(slopes), device="meta")
    layer.weight = nn.Parameter(slopes, requires_grad=False)
    return layer
