"""Changes to an ONNX graph that keep its result: cheaper steps, and reshapes that follow the input's size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from deepguard.models.layout import Layout
from deepguard.models.nodes import Node
from deepguard.models.operators import operator


def simplified(nodes: Sequence[Node], constants: dict[str, Tensor], kept: Sequence[str]) -> list[Node]:
    """Return the nodes with constants computed, batch normalisation in the convolutions, and SiLU as one step.

    New constants are added to `constants`. Tensors named in `kept` stay; others may vanish.
    """
    return _silu(_folded_normalisation(_folded_constants(nodes, constants), constants, kept), kept)


def _folded_constants(nodes: Sequence[Node], constants: dict[str, Tensor]) -> list[Node]:
    rest = []
    for node in nodes:
        if not all(name in constants for name in node.inputs if name):
            rest.append(node)
            continue
        result = operator(node.operator)(node.call(constants))
        made = (result,) if isinstance(result, Tensor) else result
        constants.update(zip(node.outputs, made, strict=False))
    return rest


def _folded_normalisation(nodes: Sequence[Node], constants: dict[str, Tensor], kept: Sequence[str]) -> list[Node]:
    """Scale the weights of a convolution instead of its result (Jacob et al. 2018, section 3.2)."""
    uses = _uses(nodes, kept)
    convolutions = {node.outputs[0]: node for node in nodes if node.operator == "Conv"}
    merged: dict[str, Node] = {}
    dropped = set()
    for node in nodes:
        before = convolutions.get(node.inputs[0]) if node.operator == "BatchNormalization" else None
        names = [*node.inputs[1:], *(before.inputs[1:] if before else ())]
        if before is None or uses[node.inputs[0]] != 1 or any(name not in constants for name in names if name):
            continue
        merged[node.outputs[0]] = _merged(before, node, constants)
        dropped.add(before.outputs[0])
    kept_nodes = [node for node in nodes if node.outputs[0] not in dropped]
    return [merged.get(node.outputs[0], node) for node in kept_nodes]


def _merged(convolution: Node, normalisation: Node, constants: dict[str, Tensor]) -> Node:
    scale, shift, mean, variance = (constants[name].double() for name in normalisation.inputs[1:5])
    factor = scale / torch.sqrt(variance + normalisation.options.get("epsilon", 1e-5))
    weight = constants[convolution.inputs[1]].double()
    biased = len(convolution.inputs) > 2 and convolution.inputs[2]
    bias = constants[convolution.inputs[2]].double() if biased else torch.zeros_like(mean)
    output = normalisation.outputs[0]
    constants[f"{output}/weight"] = (weight * factor.reshape(-1, *[1] * (weight.dim() - 1))).float()
    constants[f"{output}/bias"] = ((bias - mean) * factor + shift).float()
    inputs = (convolution.inputs[0], f"{output}/weight", f"{output}/bias")
    return replace(convolution, inputs=inputs, outputs=(output,))


def _silu(nodes: Sequence[Node], kept: Sequence[str]) -> list[Node]:
    uses = _uses(nodes, kept)
    gates = {node.outputs[0]: node.inputs[0] for node in nodes if node.operator == "Sigmoid"}
    rest: list[Node] = []
    fused = set()
    for node in nodes:
        gate = next((name for name in node.inputs if gates.get(name) in node.inputs and uses[name] == 1), None)
        if node.operator == "Mul" and gate is not None:
            rest.append(replace(node, operator="SiLU", inputs=(gates[gate],)))
            fused.add(gate)
        else:
            rest.append(node)
    return [node for node in rest if node.outputs[0] not in fused]


def _uses(nodes: Sequence[Node], kept: Sequence[str]) -> Counter[str]:
    return Counter(name for node in nodes for name in node.inputs) + Counter(kept)


def thawed(node: Node, old: Sequence[int], new: Sequence[int]) -> Node:
    """Return a reshape that follows its input's size, learnt from the sizes that the file was made for."""
    return replace(node, operator="Thawed", inputs=node.inputs[:1], options={"layout": Layout.between(old, new)})
