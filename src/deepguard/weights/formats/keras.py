"""Weights that Keras saved as HDF5: a group for each layer, and in it one dataset for each parameter."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from deepguard.errors import WeightsCorrupt


def read_keras(path: Path) -> dict[str, Tensor]:
    """Return all parameters (float32, in the file's shape) by layer and name, as in "conv2d_5/kernel".

    Only plain values that lie in the file itself are read: links are not followed, and values that another file
    holds or a filter packed are refused, as HDF5 would load that filter from wherever the machine has one.
    WeightsCorrupt where the file is no HDF5, breaks off, or holds anything else.
    """
    try:
        with h5py.File(path, "r") as file:
            return _parameters(file)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsCorrupt(f"{path} cannot be read as Keras weights ({error}); fetch it again") from error


def _parameters(file: h5py.File) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def take(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            layer, _, parameter = name.rpartition("/")
            found[f"{layer.partition('/')[0]}/{parameter.partition(':')[0]}"] = _values(name, item)

    file.visititems(take)
    if not found:
        raise ValueError("it holds no parameter")
    return found


def _values(name: str, item: h5py.Dataset) -> Tensor:
    if item.dtype != np.float32:
        raise ValueError(f"{name} is not float32")
    if item.chunks or item.external or item.is_virtual:
        raise ValueError(f"{name} does not lie in the file as it is")
    # the size that the file states is not to be believed before memory is taken for it
    if item.id.get_storage_size() != item.nbytes:
        raise ValueError(f"{name} has {item.id.get_storage_size()} bytes for the shape {item.shape}")
    return torch.from_numpy(np.asarray(item[()], dtype=np.float32))
