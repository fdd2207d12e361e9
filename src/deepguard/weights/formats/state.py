"""State dicts: names and tensors, and never code."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from deepguard.errors import WeightsCorrupt


def load_state(path: Path, part: str = "") -> dict[str, Tensor]:
    """Return the tensors of a `.safetensors` file, or of any file that torch.save wrote, by name, on the CPU.

    With `part` torch.save's file holds a dict, and under that name the tensors. Names and types stay as the file has
    them. Nothing in the file is run. WeightsCorrupt where it cannot be read, is missing, or holds anything but one
    dict of tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path, device="cpu")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, LookupError, pickle.UnpicklingError, SafetensorError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as a state dict; delete it and fetch it again") from error
    if part and isinstance(state, dict):
        state = state.get(part)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsCorrupt(f"{path} holds something else than one dict of tensors; fetch it again from its source")
    return dict(state)
