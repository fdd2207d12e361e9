"""A classifier as an ONNX graph, in which padding has become part of the convolutions."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as native
from torch import Tensor, nn

from deepguard.errors import OutputError
from deepguard.models.roles import Classifier
from deepguard.types import Images, PerImage

INPUT, OUTPUT = "crops", "logits"
"""Names in the file: [n, 3, side, side] in [0, 1], and [n], above 0 for fake."""
OPSET = 17
"""ONNX's version of 2022: the newest that torch writes without further packages."""

TOLERANCE = 1e-3
"""By how much a float32 graph's logits may differ from torch's; a probability differs by a quarter of that at most."""
FAULTS = (RuntimeError, native.Fail, native.InvalidGraph, native.NotImplemented, native.RuntimeException)
"""What torch and onnxruntime raise where a network has operations that ONNX has not."""


class Traced(nn.Module):
    """What converters want: a module whose call is the classifier's `fakeness`."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        # so that its weights are known as such, and not as constants of the graph
        parts = getattr(classifier, "__dict__", {}).values()
        self.parts = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))

    def forward(self, crops: Images) -> PerImage:
        """Return each crop's logit."""
        return self.classifier.fakeness(crops)


def onnx_of(classifier: Classifier) -> onnx.ModelProto:
    """Return the classifier, which is on the processor, as a graph of any number of crops.

    OutputError where it has operations that ONNX has not.
    """
    try:
        return _traced(classifier)
    except FAULTS as error:
        raise OutputError(
            f"this classifier cannot be written as ONNX ({str(error).partition(chr(10))[0]}); choose another"
        ) from error


def _traced(classifier: Classifier) -> onnx.ModelProto:
    side = classifier.crop.side
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # of its own age, and of branches on shapes, which the comparison with torch would show
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Traced(classifier).eval(),
            (torch.zeros(2, 3, side, side),),
            Path(folder) / "traced.onnx",
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return padded_in_place(constants_folded(Path(folder) / "traced.onnx"))


def constants_folded(file: Path) -> onnx.ModelProto:
    """Return the graph in which onnxruntime has computed all that does not depend on the crops."""
    path = file.with_suffix(".folded.onnx")
    options = quiet()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    folded = onnx.load(path)
    # names of other operator sets that no node uses
    used = {node.domain for node in folded.graph.node}
    kept = [each for each in folded.opset_import if each.domain in used]
    del folded.opset_import[:]
    folded.opset_import.extend(kept)
    return folded


def padded_in_place(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let each convolution pad by itself where zeros are put around its input just before; a fifth less time."""
    graph = model.graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    pads = {node.output[0]: node for node in graph.node if _pads_with_zeros(node, values)}
    readers = [name for node in graph.node for name in node.input]
    for node in graph.node:
        pad = pads.get(node.input[0]) if node.op_type == "Conv" else None
        if pad is None or readers.count(pad.output[0]) > 1:
            continue
        # one figure for each of four axes: first all that comes before, then all that comes behind
        before, behind = values[pad.input[1]][:4], values[pad.input[1]][4:]
        own = next(each for each in node.attribute if each.name == "pads")
        if any((*before[:2], *behind[:2])):
            continue
        own.ints[:] = [int(a + b) for a, b in zip(own.ints, (*before[2:], *behind[2:]), strict=True)]
        node.input[0] = pad.input[0]
        graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def quiet() -> onnxruntime.SessionOptions:
    """Return options under which onnxruntime only speaks of errors, with as many threads as torch has."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return options


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """Return the graph ready to be run."""
    return onnxruntime.InferenceSession(model, quiet(), providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, crops: Images) -> Tensor:
    """Return the logits that a graph of ours gives."""
    (logits,) = session.run([OUTPUT], {INPUT: crops.detach().cpu().float().contiguous().numpy()})
    return torch.from_numpy(logits)


def _pads_with_zeros(node: onnx.NodeProto, values: dict[str, Any]) -> bool:
    if node.op_type != "Pad" or len(node.input) < 2 or node.input[1] not in values or any(node.input[3:]):
        return False
    modes = [each.s for each in node.attribute if each.name == "mode"]
    fills = [values.get(name) for name in node.input[2:3] if name]
    return modes in ([], [b"constant"]) and all(fill is not None and not fill.any() for fill in fills)
