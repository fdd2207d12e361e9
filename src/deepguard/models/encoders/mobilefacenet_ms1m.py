"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) trained on MS-Celeb-1M with ArcFace's loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from deepguard.models.embedding import ARCFACE, NetworkEncoder, only_output
from deepguard.models.graph import Graph
from deepguard.models.roles import encoders
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="mobilefacenet_foamliu.onnx",
    size=3_998_070,
    sha256="b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
    licence="Apache-2.0",
    origin="MobileFaceNet by foamliu, trained on MS-Celeb-1M, 128 values",
    urls=(
        "https://github.com/foamliu/MobileFaceNet/raw/408e13c0bcd1c10b666f00b07efcc2eab3c5d195/weights/MobileFaceNet.onnx",
    ),
    published="MobileFaceNet.onnx",
)


@encoders.register("mobilefacenet-ms1m", WEIGHTS)
def mobilefacenet_ms1m(paths: Sequence[Path], device: torch.device) -> NetworkEncoder:
    """MobileFaceNet trained on MS-Celeb-1M; small, quick, with a gradient."""
    return NetworkEncoder(
        network=only_output(Graph(paths[0]).to(device)),
        mean=(0.485, 0.456, 0.406),  # ImageNet's, as its training used
        spread=(0.229, 0.224, 0.225),
        template=ARCFACE,
        family="mobilefacenet",
    )
