"""TensorFlow.js' weight files: a manifest that names the tensors, and their bytes one after the other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepguard.errors import WeightsCorrupt

TYPES = {"float32": "<f4", "int32": "<i4", "uint8": "u1", "uint16": "<u2"}
"""As the manifest calls them -> as numpy does; a quantised tensor has one of the last two."""


def read_tfjs(manifest: Path, data: Path) -> dict[str, Tensor]:
    """Return the tensors by name as float32, in the layout of TensorFlow (convolutions: height, width, in, out).

    A quantised value is its integer times the tensor's `scale` plus its `min`. `data` holds the tensors of all the
    manifest's groups. WeightsCorrupt where the two do not fit each other, or something else than numbers is in there.
    """
    try:
        groups = json.loads(manifest.read_text(encoding="utf-8"))
        content = data.read_bytes()
        tensors, place = {}, 0
        for entry in (each for group in groups for each in group["weights"]):
            values = _values(entry, content[place:])
            tensors[str(entry["name"])] = torch.from_numpy(_scaled(values, entry.get("quantization")))
            place += values.nbytes
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorrupt(f"{data} cannot be read as {manifest} describes it; fetch both again") from error
    if place != len(content):
        raise WeightsCorrupt(f"{data} holds more than {manifest} describes; fetch both again")
    return tensors


def _values(entry: Mapping[str, Any], content: bytes) -> NDArray[Any]:
    kind = entry.get("quantization", entry)["dtype"]
    shape = [int(side) for side in entry["shape"]]
    return np.frombuffer(content, TYPES[kind], count=math.prod(shape)).reshape(shape)


def _scaled(values: NDArray[Any], quantization: Mapping[str, Any] | None) -> NDArray[np.float32]:
    if quantization is None:
        return values.astype(np.float32)
    # rounded as TensorFlow.js does: in double, then once to float
    return (values * float(quantization["scale"]) + float(quantization["min"])).astype(np.float32)
