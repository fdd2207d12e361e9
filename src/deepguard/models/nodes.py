"""One node of an ONNX graph, and one call of its operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from deepguard.errors import WeightsError

Values: TypeAlias = Mapping[str, Tensor]
"""Tensors by their names in the file."""

Result: TypeAlias = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the graph: `operator` makes the tensors `outputs` from the tensors `inputs`.

    An empty name among the inputs is one that was left out. `options` are the node's attributes, tensors among them
    as tensors; `opset` is the version of the operators that the file speaks.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Any]
    opset: int

    def call(self, values: Values) -> Call:
        """Return the call of this node's operator on `values`."""
        tensors = tuple(values[name] if name else None for name in self.inputs)
        return Call(tensors, self.options, self.opset, len(self.outputs))


@dataclass(frozen=True, slots=True)
class Call:
    """What an operator is given: tensors, options, the file's opset and how many outputs are wanted."""

    tensors: tuple[Tensor | None, ...]
    options: Mapping[str, Any]
    opset: int
    outputs: int = 1

    def tensor(self, position: int) -> Tensor:
        """Return an input that must be there."""
        found = self.optional(position)
        if found is None:
            raise WeightsError(f"the ONNX file leaves out input {position} of an operator that needs it")
        return found

    def optional(self, position: int) -> Tensor | None:
        """Return an input, or None where it was left out."""
        return self.tensors[position] if position < len(self.tensors) else None

    def present(self) -> list[Tensor]:
        """Return all inputs that are there."""
        return [tensor for tensor in self.tensors if tensor is not None]

    def integers(self, name: str, position: int) -> list[int] | None:
        """Return what older opsets give as option `name` and newer ones as input `position`; None if absent."""
        if name in self.options:
            return [int(number) for number in self.options[name]]
        given = self.optional(position)
        return None if given is None else [int(number) for number in given.flatten().tolist()]
