"""The classifier as one ONNX file, in float32 or int8, and what onnxruntime makes of it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import Tensor

from deepguard.forensics.exporting.graph import INPUT, onnx_of, run, session_of
from deepguard.models.roles import Classifier
from deepguard.types import Images

BATCH = 16
"""Crops that are looked at together."""


def onnx_bytes(classifier: Classifier, facts: Mapping[str, str], ranges: Images | None = None) -> bytes:
    """Return the file with `facts` in its metadata; in int8 with ranges fitted to those crops where some are given."""
    model = onnx_of(classifier)
    if ranges is not None:
        model = _in_int8(model, ranges)
    model.producer_name = "deepguard"
    onnx.helper.set_model_props(model, dict(facts))
    data: bytes = model.SerializeToString()
    return data


def logits_of_onnx(data: bytes, crops: Images) -> Tensor:
    """Return what the file says when onnxruntime runs it."""
    session = session_of(data)
    return torch.cat([run(session, batch) for batch in torch.split(crops, BATCH)])


class _Crops(CalibrationDataReader):  # type: ignore[misc]
    """Crops in batches, as the quantiser asks for them."""

    def __init__(self, crops: Images) -> None:
        self._batches = iter(torch.split(crops, BATCH))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch.numpy()}


def _in_int8(model: onnx.ModelProto, crops: Images) -> onnx.ModelProto:
    """Return the graph with int8 weights for each channel and 8-bit values between the layers."""
    with tempfile.TemporaryDirectory() as folder, _silent():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Crops(crops),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the quantiser from advising preparations that `onnx_of` has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
