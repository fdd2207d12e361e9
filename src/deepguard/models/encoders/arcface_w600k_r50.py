"""ArcFace (Deng et al. 2019, arXiv 1801.07698) on ResNet-50, trained on WebFace600K.

Face swappers of the inswapper kind read identity with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from deepguard.models.embedding import ARCFACE, NetworkEncoder, only_output
from deepguard.models.graph import Graph
from deepguard.models.roles import encoders
from deepguard.weights.catalogue import Weights

WEIGHTS = Weights(
    file="w600k_r50.onnx",
    size=174_383_860,
    sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    licence="non-commercial research (insightface)",
    origin="ArcFace ResNet-50 by insightface, trained on WebFace600K, 512 values",
    terms="insightface allows these weights for non-commercial research only; they come in its model pack buffalo_l.",
)


@encoders.register("arcface-w600k-r50", WEIGHTS)
def arcface_w600k_r50(paths: Sequence[Path], device: torch.device) -> NetworkEncoder:
    """ArcFace on ResNet-50, which inswapper-type tools use; you bring the file. For non-commercial research."""
    return NetworkEncoder(
        network=only_output(Graph(paths[0]).to(device)),
        mean=(0.5, 0.5, 0.5),
        spread=(0.5, 0.5, 0.5),
        template=ARCFACE,
        family="iresnet",
    )
