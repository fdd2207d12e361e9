"""ArcFace (Deng et al. 2019, arXiv 1801.07698) on MobileFaceNet, trained on WebFace600K."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from deepguard.models.embedding import ARCFACE, NetworkEncoder, only_output
from deepguard.models.graph import Graph
from deepguard.models.roles import encoders
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="w600k_mbf.onnx",
    size=13_616_099,
    sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    licence="non-commercial research (insightface)",
    origin="ArcFace MobileFaceNet by insightface, trained on WebFace600K, 512 values",
    terms="insightface allows these weights for non-commercial research only; they come in its model pack buffalo_s.",
)


@encoders.register("arcface-w600k-mbf", WEIGHTS)
def arcface_w600k_mbf(paths: Sequence[Path], device: torch.device) -> NetworkEncoder:
    """ArcFace on MobileFaceNet, small; you bring the file. For non-commercial research."""
    return NetworkEncoder(
        network=only_output(Graph(paths[0]).to(device)),
        mean=(0.5, 0.5, 0.5),
        spread=(0.5, 0.5, 0.5),
        template=ARCFACE,
        family="mobilefacenet",
    )
