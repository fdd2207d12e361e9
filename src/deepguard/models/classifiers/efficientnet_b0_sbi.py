"""Our own classifier: EfficientNet-b0, trained with self-blended pictures and against adversarial changes.

Its model card is docs/research/efficientnet-b0-sbi.md; `deepguard train classifier` made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from deepguard.errors import WeightsCorrupt
from deepguard.models.efficientnet import EfficientNetB0
from deepguard.models.roles import CropSpec, classifiers
from deepguard.types import Images, PerImage
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

CROP = CropSpec(side=112, margin=0.05, aligned=True)

TRAINED = Weights(
    file="efficientnet-b0-sbi.safetensors",
    size=8_136_740,
    sha256="c64f88ccda3a6dfd4233ca85ddab90b3bf91ea9771965de382e4c5b9245d86c0",
    licence="Apache-2.0; trained on research data, see the model card",
    origin="EfficientNet-b0 with one logit, trained by this project",
    package="deepguard:deepguard/models/classifiers/efficientnet-b0-sbi.safetensors",
)


@dataclass(frozen=True)
class Sbi:
    """The network behind the `Classifier` and `Localiser` roles."""

    network: EfficientNetB0
    crop: CropSpec = CROP

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit; above 0 means fake."""
        logits: PerImage = self.network(crops)
        return logits

    def maps(self, crops: Images) -> Float[Tensor, "b c h w"]:
        """Return the feature maps of the fifth stage."""
        return self.network.maps(crops)

    def verdict(self, maps: Float[Tensor, "b c h w"]) -> PerImage:
        """Return the logits that follow from the maps."""
        return self.network.verdict(maps)


def network_of(file: Path) -> EfficientNetB0:
    """Return the network with a state dict's weights, ready to judge; WeightsCorrupt where they do not fit it."""
    network = EfficientNetB0()
    state = {name: value.float() if value.is_floating_point() else value for name, value in load_state(file).items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsCorrupt(f"{file} holds another network than EfficientNet-b0 with one logit") from error
    return network.eval().requires_grad_(False)


def judging(network: EfficientNetB0, device: torch.device) -> Sbi:
    """Return the network as a classifier on a device, laid out in memory as convolutions are quickest there."""
    return Sbi(network.to(memory_format=torch.channels_last).to(device))  # type: ignore[call-overload]


@classifiers.register("efficientnet-b0-sbi", TRAINED)
def efficientnet_b0_sbi(files: Sequence[Path], device: torch.device) -> Sbi:
    """EfficientNet-b0 on self-blended and real forgeries, hardened against tampering; comes with the installation."""
    return judging(network_of(files[0]), device)
