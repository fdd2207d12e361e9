"""The classifier as one TFLite file for phones, in float32 or int8, and what LiteRT makes of it.

The converter comes with an extra that brings much; nothing else of this project needs it.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from deepguard.errors import OptionError
from deepguard.forensics.exporting.graph import Traced
from deepguard.models.roles import Classifier
from deepguard.registry import Extra
from deepguard.types import Images

EXTRA = Extra("tflite", "litert_torch")
METADATA = "deepguard"
"""Name of the file's metadata entry: the facts as one JSON object."""


def check_tflite() -> None:
    """Raise OptionError where the converter is not installed."""
    if not EXTRA.installed:
        raise OptionError(f"TFLite files need Python packages that are not installed; run: {EXTRA.command}")


def tflite_bytes(classifier: Classifier, facts: Mapping[str, str], ranges: Images | None = None) -> bytes:
    """Return the file, which takes one crop at a time; in int8 with ranges fitted to `ranges` where there are some."""
    check_tflite()
    import litert_torch  # noqa: PLC0415 - an extra, and slow to import

    side = classifier.crop.side
    with _silent(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        litert_torch.convert(Traced(classifier).eval(), (torch.zeros(1, 3, side, side),)).export(str(path))
        # described first: the quantiser lays values out behind the tables, where these cannot be packed again
        data = _described(path.read_bytes(), facts)
        return data if ranges is None else _in_int8(data, ranges)


def logits_of_tflite(data: bytes, crops: Images) -> Tensor:
    """Return what the file says when LiteRT runs it."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra

    interpreter = Interpreter(model_content=data, num_threads=torch.get_num_threads())
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    logits = []
    for crop in crops:
        interpreter.set_tensor(taken["index"], crop[None].contiguous().numpy())
        interpreter.invoke()
        logits.append(torch.from_numpy(interpreter.get_tensor(given["index"]).copy()).flatten())
    return torch.cat(logits)


def facts_in(data: bytes) -> dict[str, str]:
    """Return the facts that a file of ours carries."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - an extra

    model = schema.ModelT.InitFromPackedBuf(data)
    (entry,) = (each for each in model.metadata if each.name == METADATA.encode())
    held = model.buffers[entry.buffer]
    raw = data[held.offset : held.offset + held.size] if held.offset > 1 else bytes(held.data)
    facts: dict[str, str] = json.loads(raw)
    return facts


def _described(data: bytes, facts: Mapping[str, str]) -> bytes:
    """Return the file with the facts in it, as a buffer that a metadata entry names."""
    import flatbuffers  # noqa: PLC0415 - comes with the extra
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - an extra

    model = schema.ModelT.InitFromPackedBuf(data)
    held, entry = schema.BufferT(), schema.MetadataT()
    held.data = list(json.dumps(dict(facts)).encode())
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(held)
    model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder(len(data) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _in_int8(data: bytes, crops: Images) -> bytes:
    from ai_edge_quantizer import quantizer, recipe  # noqa: PLC0415 - comes with the extra
    from ai_edge_quantizer.algorithm_manager import AlgorithmName  # noqa: PLC0415
    from ai_edge_quantizer.qtyping import TFLOperationName  # noqa: PLC0415

    made = quantizer.Quantizer(bytearray(data), recipe.static_wi8_ai8())
    # who uses the file gives and gets the same numbers as of a float32 one
    for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        made.update_quantization_recipe(regex=".*", operation_name=end, algorithm_key=AlgorithmName.NO_QUANTIZE)
    signature, (name,) = _signature(data)
    samples = [{name: crop[None].contiguous().numpy()} for crop in crops]
    result = made.quantize(made.calibrate({signature: samples}))
    return bytes(result.quantized_model)


def _signature(data: bytes) -> tuple[str, list[str]]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - an extra

    ((name, parts),) = Interpreter(model_content=data).get_signature_list().items()
    return name, list(parts["inputs"])


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep the converter from telling each of its steps, and its libraries from warning of their age."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
