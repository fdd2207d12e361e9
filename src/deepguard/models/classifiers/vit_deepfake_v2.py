"""A vision transformer that others trained to tell deepfakes: prithivMLmods/Deep-Fake-Detector-v2-Model.

Its model card reports 92 % accuracy on pictures of its own training source and none on others; it was shown whole
pictures, of which nobody wrote down how they were cut.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepguard.errors import WeightsCorrupt
from deepguard.models.roles import CropSpec, classifiers
from deepguard.registry import Extra
from deepguard.types import Images, PerImage
from deepguard.weights.catalogue import Weights
from deepguard.weights.formats.state import load_state

SOURCE = (
    "https://huggingface.co/prithivMLmods/Deep-Fake-Detector-v2-Model/resolve/3a99ae26f52c7ac7c3a53103b6cf3a8b617f7093"
)
LICENCE = "Apache-2.0"
TERMS = "Its source publishes no hash for this file and describes no data; the model is for comparison, not for proof."

STATE = Weights(
    file="vit-deepfake-v2.safetensors",
    size=0,
    sha256="88ac0939285009e3700cfc9b9a0912b14b092d200ef0df86efe4f2cf190ea4de",
    licence=LICENCE,
    origin="ViT-B/16 fine-tuned by prithivMLmods on undescribed real and deepfake pictures, 343 MB",
    urls=(f"{SOURCE}/model.safetensors",),
    terms=TERMS,
    published="model.safetensors",
)
CONFIG = Weights(
    file="vit-deepfake-v2.config.json",
    size=738,
    sha256="",
    licence=LICENCE,
    origin="Layers and labels of the same model",
    urls=(f"{SOURCE}/config.json",),
    terms=TERMS,
    published="config.json",
)
PREPROCESSOR = Weights(
    file="vit-deepfake-v2.preprocessor.json",
    size=351,
    sha256="",
    licence=LICENCE,
    origin="Size and normalisation of the same model's inputs",
    urls=(f"{SOURCE}/preprocessor_config.json",),
    terms=TERMS,
    published="preprocessor_config.json",
)

MARGIN = 0.3
"""A face with its surroundings: a guess, as the model was trained on whole pictures that nobody describes."""
LAYERS = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("layer_norm_eps", "image_size", "patch_size", "num_channels", "qkv_bias"),
)
"""All that is taken from the config: other entries may name code to be fetched and run."""
MEAN = STD = (0.5, 0.5, 0.5)
"""Where the preprocessor's file leaves them out: those of the ViT that was fine-tuned (google/vit-base-patch16-224)."""


@dataclass(frozen=True)
class Vit:
    """A two-label transformer behind the `Classifier` role.

    Attributes:
        network: pixels -> an output whose `logits` are n x 2.
        fake: which of the two labels means fake.
        mean: by which pixels are normalised, 1x3x1x1, as is `std`.
    """

    network: nn.Module
    crop: CropSpec
    fake: int
    mean: Tensor
    std: Tensor

    def fakeness(self, crops: Images) -> PerImage:
        """Return each crop's logit; above 0 means fake. Of two labels the difference is the logit of softmax."""
        if not crops.shape[0]:
            return crops.new_zeros(0)  # transformers does not reshape an empty batch
        logits: Tensor = self.network(pixel_values=(crops - self.mean) / self.std).logits
        return logits[:, self.fake] - logits[:, 1 - self.fake]


@classifiers.register("vit-deepfake-v2", STATE, CONFIG, PREPROCESSOR, extra=Extra("vit", "transformers"))
def vit_deepfake_v2(paths: Sequence[Path], device: torch.device) -> Vit:
    """ViT-B/16 by prithivMLmods, for comparison; 343 MB, slow, trained on undescribed data."""
    config, preprocessor = _read(paths[1]), _read(paths[2])
    fake = _fake_label(config.get("id2label"), paths[1])
    try:
        side, mean, std = _prepared(preprocessor, config)
        network = _network(load_state(paths[0]), config, paths[0])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise WeightsCorrupt(f"{paths[1]} or {paths[2]} describes no ViT ({error}); fetch both again") from error
    network.eval().requires_grad_(False).to(device)
    values = (torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (mean, std))
    return Vit(network, CropSpec(side, MARGIN), fake, *values)


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsCorrupt(f"{path} is no JSON; fetch it again") from error
    if not isinstance(body, dict):
        raise WeightsCorrupt(f"{path} is not one JSON object; fetch it again")
    return body


def _fake_label(labels: object, path: Path) -> int:
    """Return the index of the label that means fake; the maker's models have it in either order."""
    names = {str(key): str(name).lower() for key, name in labels.items()} if isinstance(labels, dict) else {}
    fakes = [key for key, name in names.items() if "fake" in name]
    reals = [key for key, name in names.items() if "real" in name and "fake" not in name]
    if set(names) != {"0", "1"} or len(fakes) != 1 or len(reals) != 1:
        raise WeightsCorrupt(
            f"{path} does not tell which of its labels means fake ({', '.join(names.values()) or 'there is none'}); "
            "fetch it again from its source"
        )
    return int(fakes[0])


def _prepared(preprocessor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, list[float], list[float]]:
    """Return the side of the input, and mean and standard deviation of each channel."""
    size = preprocessor.get("size", config["image_size"])
    sides = set(size.values()) if isinstance(size, dict) else {size}
    mean = [float(value) for value in preprocessor.get("image_mean", MEAN)]
    std = [float(value) for value in preprocessor.get("image_std", STD)]
    if sides != {config["image_size"]} or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError("the input is not a square of the network's size with three channels")
    return int(config["image_size"]), mean, std


def _network(state: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> nn.Module:
    """Return the transformer with these weights, all of them and nothing else."""
    from huggingface_hub.errors import StrictDataclassError  # noqa: PLC0415 - comes with transformers
    from transformers import ViTConfig, ViTForImageClassification  # noqa: PLC0415 - an extra, and slow to import

    try:
        shape = ViTConfig(num_labels=2, **{name: config[name] for name in LAYERS if name in config})
        with _quiet():
            network, found = ViTForImageClassification.from_pretrained(
                None, config=shape, state_dict=dict(state), attn_implementation="sdpa", output_loading_info=True
            )
    except (RuntimeError, ValueError, StrictDataclassError) as error:
        raise WeightsCorrupt(f"{path} holds another network than its config describes; fetch both again") from error
    if any(found.values()):
        raise WeightsCorrupt(f"{path} holds another network than its config describes; fetch both again")
    made: nn.Module = network
    return made


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting on the error stream; what it would say is checked by us."""
    from transformers.utils import logging  # noqa: PLC0415 - an extra

    level, shows = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows:
            logging.enable_progress_bar()
