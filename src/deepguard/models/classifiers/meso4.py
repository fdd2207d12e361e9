"""Meso4 (Afchar et al. 2018, arXiv 1809.00888): a small network trained on the Deepfakes of its year.

It is here to compare with: easily deceived, and blind to what later programs make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.models.roles import CropSpec, classifiers
from deepguard.types import Images, PerImage
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.keras import read_keras

WEIGHTS = Weights(
    file="Meso4_DF.h5",
    size=156_128,
    sha256="036ed30d04ffd9c7506f825b97c86aa64915f5818931da96817b169aad790af5",
    licence="Apache-2.0",
    origin="MesoNet Meso4 trained by its authors on Deepfakes of 2018",
    urls=("https://github.com/DariusAf/MesoNet/raw/f3aa786e8f87e0894dcf36f6dba2f77a25293566/weights/Meso4_DF.h5",),
)

CROP = CropSpec(side=256, margin=0.0)
"""The authors' crop is 2.86 times the distance of the eyes, which is about the longer side of a detector's box."""
STAGES = ((3, 8, 3, 2), (8, 8, 5, 2), (8, 16, 5, 2), (16, 16, 5, 4))
"""Channels before and after, kernel, and pool of each stage: figure 4 of the paper."""
FIRST_STAGE, FIRST_DENSE = 5, 3
"""The numbers that the file's layers begin with."""
EPSILON = 1e-3
"""Of Keras' batch normalisation."""
SLOPE = 0.1
"""Of the leaky ReLU, as in the authors' code."""


class Network(nn.Module):
    """Crops in [0, 1] -> the logit of "real", as it was trained."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(given, made, kernel, padding=kernel // 2) for given, made, kernel, _ in STAGES
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(made, eps=EPSILON) for _, made, _, _ in STAGES)
        self.dense = nn.Linear(1024, 16)
        self.logit = nn.Linear(16, 1)

    def maps(self, crops: Images) -> Tensor:
        """Return the maps of the last stage, 16 x 8 x 8."""
        maps = crops
        for convolution, norm, (*_, pool) in zip(self.convolutions, self.norms, STAGES, strict=True):
            maps = functional.max_pool2d(norm(functional.relu(convolution(maps))), pool)
        return maps

    def verdict(self, maps: Tensor) -> PerImage:
        """Return the logits that follow from the maps."""
        # Keras flattens with the channels last
        flat = maps.permute(0, 2, 3, 1).flatten(1)
        logits: Tensor = self.logit(functional.leaky_relu(self.dense(flat), SLOPE))
        return logits[:, 0]


@dataclass(frozen=True)
class Meso4:
    """The network behind the `Classifier` and `Localiser` roles: what it calls real is turned about."""

    network: Network
    crop: CropSpec = CROP

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit; above 0 means fake."""
        return self.verdict(self.maps(crops))

    def maps(self, crops: Images) -> Tensor:
        """Return the feature maps before the dense layers."""
        return self.network.maps(crops)

    def verdict(self, maps: Tensor) -> PerImage:
        """Return the logits that follow from the maps."""
        return -self.network.verdict(maps)


@classifiers.register("meso4", WEIGHTS)
def meso4(paths: Sequence[Path], device: torch.device) -> Meso4:
    """Meso4 of 2018, trained on Deepfakes only; small, easily deceived, for comparison."""
    network = Network()
    try:
        network.load_state_dict(_renamed(read_keras(paths[0])))
    except (KeyError, RuntimeError) as error:
        raise WeightsCorrupt(f"{paths[0]} holds another network than Meso4; fetch it again") from error
    return Meso4(network.eval().requires_grad_(False).to(device))


def _renamed(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the file's parameters by the names and in the order of torch."""
    state = {}
    for index in range(len(STAGES)):
        layer, norm = f"conv2d_{FIRST_STAGE + index}", f"batch_normalization_{FIRST_STAGE + index}"
        state[f"convolutions.{index}.weight"] = stored[f"{layer}/kernel"].permute(3, 2, 0, 1)
        state[f"convolutions.{index}.bias"] = stored[f"{layer}/bias"]
        state[f"norms.{index}.weight"] = stored[f"{norm}/gamma"]
        state[f"norms.{index}.bias"] = stored[f"{norm}/beta"]
        state[f"norms.{index}.running_mean"] = stored[f"{norm}/moving_mean"]
        state[f"norms.{index}.running_var"] = stored[f"{norm}/moving_variance"]
        state[f"norms.{index}.num_batches_tracked"] = torch.tensor(0)
    for name, number in (("dense", FIRST_DENSE), ("logit", FIRST_DENSE + 1)):
        state[f"{name}.weight"] = stored[f"dense_{number}/kernel"].T
        state[f"{name}.bias"] = stored[f"dense_{number}/bias"]
    return state
