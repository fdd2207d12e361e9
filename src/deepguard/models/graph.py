"""Any ONNX file as a differentiable torch module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from deepguard.errors import WeightsError
from deepguard.models.nodes import Call, Node, Result
from deepguard.models.operators import SETTINGS, operator
from deepguard.models.rewriting import simplified, thawed

Step: TypeAlias = tuple[Callable[[Call], Result], Node, tuple[str, ...]]
"""An operator, its node, and the tensors that nobody needs after it."""


class Graph(nn.Module):
    """Runs an ONNX file's nodes with torch's operators; differentiable with respect to the inputs.

    Floating weights are float32 buffers without gradient, so `to(device)` moves them; shapes are computed on the
    CPU. Inputs may have any size that the network itself allows, also where the file was exported at a fixed one:
    reshapes to constant sizes are made to follow the input.
    """

    def __init__(self, file: Path, outputs: Sequence[str] = ()) -> None:
        """Read the file; `outputs` are the tensors wanted, also inner ones, by default the file's own.

        Nodes that these do not need are left out. Raises WeightsError naming an operator that is not supported, or a
        tensor that does not exist.
        """
        super().__init__()
        model = onnx.load(file)
        opset = next(each.version for each in model.opset_import if each.domain in {"", "ai.onnx"})
        constants = {each.name: _tensor(each) for each in model.graph.initializer}
        declared = {each.name: _sides(each) for each in model.graph.input if each.name not in constants}
        self.inputs = tuple(declared)
        self.outputs = tuple(outputs) or tuple(each.name for each in model.graph.output)
        nodes = _needed([_node(each, opset) for each in model.graph.node], self.outputs, (*declared, *constants))
        self._nodes = simplified(nodes, constants, self.outputs)
        self._plans: dict[tuple[str, ...], tuple[Step, ...]] = {}
        self._numbers: dict[str, Tensor] = {}
        self._buffer_names: dict[str, str] = {}
        self._keep(constants)
        for node in self._nodes:
            operator(node.operator)  # refuses here, not at the first run
        if all(None not in sides[1:] for sides in declared.values()):
            self._thaw({name: torch.zeros([side or 1 for side in sides]) for name, sides in declared.items()})

    def forward(self, *inputs: Tensor, outputs: Sequence[str] = ()) -> tuple[Tensor, ...]:
        """Return the tensors called `outputs`, by default those named at the making, for inputs in the file's order."""
        names = tuple(outputs) or self.outputs
        values = dict(zip(self.inputs, inputs, strict=True)) | self._constants()
        for function, node, finished in self._plan(names):
            _run(function, node, values)
            for name in finished:
                del values[name]
        return tuple(values[name] for name in names)

    def _constants(self) -> dict[str, Tensor]:
        return self._numbers | {name: self.get_buffer(place) for name, place in self._buffer_names.items()}

    def _keep(self, constants: Mapping[str, Tensor]) -> None:
        """Make buffers of the weights; integers and settings stay on the CPU, where they are read as numbers."""
        uses = [(name, place, node) for node in self._nodes for place, name in enumerate(node.inputs)]
        settings = {name for name, place, node in uses if place in SETTINGS.get(node.operator, ())}
        data = {name for name, place, node in uses if place not in SETTINGS.get(node.operator, ())}.union(self.outputs)
        for place, (name, tensor) in enumerate(constants.items()):
            if name in data and tensor.is_floating_point():
                # torch's convolutions follow the order of their weights: channels last is up to a quarter faster here
                ordered = tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
                self._buffer_names[name] = f"constant_{place}"
                self.register_buffer(self._buffer_names[name], ordered, persistent=False)
            elif name in data or name in settings:
                self._numbers[name] = tensor

    def _plan(self, names: tuple[str, ...]) -> tuple[Step, ...]:
        if names not in self._plans:
            nodes = _needed(self._nodes, names, (*self.inputs, *self._constants()))
            self._plans[names] = _steps(nodes, names)
        return self._plans[names]

    @torch.no_grad()
    def _thaw(self, inputs: Mapping[str, Tensor]) -> None:
        """Run once at the declared size to learn what each reshape with constant sides regroups."""
        frozen = {
            node.outputs[0] for node in self._nodes if node.operator == "Reshape" and node.inputs[1] in self._numbers
        }
        if not frozen:
            return
        values = dict(inputs) | self._constants()
        for place, node in enumerate(self._nodes):
            if node.outputs[0] in frozen:
                self._nodes[place] = thawed(node, values[node.inputs[0]].shape, values[node.inputs[1]].tolist())
            _run(operator(node.operator), node, values)


def _run(function: Callable[[Call], Result], node: Node, values: dict[str, Tensor]) -> None:
    result = function(node.call(values))
    if isinstance(result, Tensor):
        values[node.outputs[0]] = result
    else:
        values.update(zip(node.outputs, result, strict=True))


def _needed(nodes: Sequence[Node], wanted: Sequence[str], given: Sequence[str]) -> list[Node]:
    """The nodes that the wanted tensors depend on, in the file's order, which is an order of execution."""
    open_names = set(wanted)
    needed = []
    for node in reversed(nodes):
        if open_names.isdisjoint(node.outputs):
            continue
        open_names = open_names.difference(node.outputs).union(name for name in node.inputs if name)
        needed.append(node)
    unknown = sorted(open_names.difference(given))
    if unknown:
        raise WeightsError(f"the ONNX file has no tensor called {unknown[0]}")
    return needed[::-1]


def _steps(nodes: Sequence[Node], wanted: Sequence[str]) -> tuple[Step, ...]:
    made = {name for node in nodes for name in node.outputs}.difference(wanted)
    last = {name: place for place, node in enumerate(nodes) for name in (*node.outputs, *node.inputs) if name in made}
    finished: list[list[str]] = [[] for _ in nodes]
    for name, place in last.items():
        finished[place].append(name)
    return tuple((operator(node.operator), node, tuple(names)) for node, names in zip(nodes, finished, strict=True))


def _node(proto: Any, opset: int) -> Node:
    options = {each.name: _option(helper.get_attribute_value(each)) for each in proto.attribute}
    outputs = list(proto.output)
    while outputs and not outputs[-1]:
        outputs.pop()
    return Node(proto.op_type, tuple(proto.input), tuple(outputs), options, opset)


def _option(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return _tensor(value) if isinstance(value, onnx.TensorProto) else value


def _tensor(proto: Any) -> Tensor:
    array = np.array(numpy_helper.to_array(proto))
    if array.dtype.kind in "iu" and array.dtype.itemsize >= 4:
        return torch.from_numpy(array.astype(np.int64))
    # kind V is bfloat16, which numpy itself does not know
    return torch.from_numpy(array.astype(np.float32) if array.dtype.kind in "fV" else array)


def _sides(proto: Any) -> list[int | None]:
    """The declared sides; None for one that is free."""
    return [each.dim_value or None for each in proto.type.tensor_type.shape.dim]
