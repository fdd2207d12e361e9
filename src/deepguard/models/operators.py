"""ONNX operators as torch functions: the table that `graph` works by, and all that do not work on grids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import WeightsError
from deepguard.models import layout, spatial
from deepguard.models.nodes import Call, Result

Operator: TypeAlias = Callable[[Call], Result]

FLOATS = {1, 10, 11, 16}
"""ONNX's numbers of the floating types; all are computed in the module's own precision."""

KINDS = {2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int64, 7: torch.int64, 9: torch.bool}

SETTINGS = {"Clip": (1, 2), "Pad": (1, 2, 3), "Resize": (1, 2, 3), "Upsample": (1,)}
"""Which inputs of an operator are no data but settings: floating numbers that are needed on the CPU."""


def operator(name: str) -> Operator:
    """Return the function of an operator, or raise WeightsError naming it."""
    if name not in OPERATORS:
        raise WeightsError(f"the ONNX file uses the operator {name}, which is not supported")
    return OPERATORS[name]


def _each(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda call: function(call.tensor(0))


def _pair(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda call: function(*_together(call.tensor(0), call.tensor(1)))


def _all(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda call: reduce(lambda left, right: function(*_together(left, right)), call.present())


def _together(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Shapes are computed on the CPU: where such a number meets data, it goes to the data's device."""
    if left.device == right.device:
        return left, right
    return (left.to(right.device), right) if left.device.type == "cpu" else (left, right.to(left.device))


def _divide(left: Tensor, right: Tensor) -> Tensor:
    return torch.div(left, right, rounding_mode=None if left.is_floating_point() else "trunc")


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    return torch.pow(base, exponent).to(base.dtype)


def _remainder(call: Call) -> Tensor:
    rest = torch.fmod if call.options.get("fmod", 0) else torch.remainder
    return rest(*_together(call.tensor(0), call.tensor(1)))


def _clip(call: Call) -> Tensor:
    data = call.tensor(0)
    low, high = (
        call.options.get(name) if given is None else float(given)
        for name, given in (("min", call.optional(1)), ("max", call.optional(2)))
    )
    if low is not None and high is not None and data.is_floating_point():
        return functional.hardtanh(data, low, high)  # its backward pass is one step, that of clamp four
    return data if low is None and high is None else data.clamp(low, high)


def _leaky(call: Call) -> Tensor:
    return functional.leaky_relu(call.tensor(0), call.options.get("alpha", 0.01))


def _parametric(call: Call) -> Tensor:
    data, slope = call.tensor(0), call.tensor(1)
    if slope.dim() == data.dim() - 1 and slope.shape[0] in {1, data.shape[1]} and slope.numel() == slope.shape[0]:
        return functional.prelu(data, slope.flatten())
    return torch.where(data < 0, slope * data, data)


def _hard_sigmoid(call: Call) -> Tensor:
    slope, shift = float(call.options.get("alpha", 0.2)), float(call.options.get("beta", 0.5))
    return (call.tensor(0) * slope + shift).clamp(0, 1)


def _gelu(call: Call) -> Tensor:
    return functional.gelu(call.tensor(0), approximate=call.options.get("approximate", "none"))


def _softmax(function: Callable[..., Tensor]) -> Operator:
    def apply(call: Call) -> Tensor:
        data = call.tensor(0)
        axis = call.options.get("axis", -1 if call.opset >= 13 else 1)
        if call.opset >= 13:
            return function(data, dim=axis)
        # before opset 13 everything from the axis on counts as one
        return function(data.flatten(axis % data.dim()), dim=-1).reshape(data.shape)

    return apply


def _normalised(call: Call) -> Tensor:
    data, scale, shift, mean, variance = (call.tensor(position) for position in range(5))
    return functional.batch_norm(data, mean, variance, scale, shift, eps=call.options.get("epsilon", 1e-5))


def _instance(call: Call) -> Tensor:
    data, scale, shift = (call.tensor(position) for position in range(3))
    return functional.instance_norm(data, weight=scale, bias=shift, eps=call.options.get("epsilon", 1e-5))


def _layer(call: Call) -> Tensor:
    data = call.tensor(0)
    shape = data.shape[call.options.get("axis", -1) :]
    return functional.layer_norm(data, shape, call.tensor(1), call.optional(2), call.options.get("epsilon", 1e-5))


def _gemm(call: Call) -> Tensor:
    left = call.tensor(0).T if call.options.get("transA", 0) else call.tensor(0)
    right = call.tensor(1).T if call.options.get("transB", 0) else call.tensor(1)
    product = (left @ right) * float(call.options.get("alpha", 1.0))
    addend = call.optional(2)
    return product if addend is None else product + addend * float(call.options.get("beta", 1.0))


def _reduced(function: Callable[..., Tensor]) -> Operator:
    def apply(call: Call) -> Tensor:
        data = call.tensor(0)
        axes = call.integers("axes", 1)
        if not axes:
            if call.options.get("noop_with_empty_axes", 0):
                return data
            axes = list(range(data.dim()))
        return function(data, axes, keepdim=bool(call.options.get("keepdims", 1)))

    return apply


def _global(function: Callable[..., Tensor]) -> Operator:
    return lambda call: function(call.tensor(0), list(range(2, call.tensor(0).dim())), keepdim=True)


def _greatest_place(call: Call) -> Tensor:
    return call.tensor(0).argmax(call.options.get("axis", 0), keepdim=bool(call.options.get("keepdims", 1)))


def _cast(call: Call) -> Tensor:
    data, kind = call.tensor(0), call.options["to"]
    if kind in FLOATS:
        return data if data.is_floating_point() else data.to(torch.get_default_dtype())
    if kind not in KINDS:
        raise WeightsError(f"the ONNX file casts to type {kind}, which is not supported")
    return data.to(KINDS[kind])


def _shape(call: Call) -> Tensor:
    sides = list(call.tensor(0).shape)
    return torch.tensor(sides[call.options.get("start", 0) : call.options.get("end", len(sides))])


def _constant(call: Call) -> Tensor:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in call.options:
            return torch.as_tensor(call.options[name])
    raise WeightsError("the ONNX file holds a constant of a kind that is not supported")


def _filled(call: Call) -> Tensor:
    value: Tensor = call.options.get("value", torch.zeros(1))
    return torch.full(_sides(call.tensor(0)), value.item(), dtype=value.dtype)


def _range(call: Call) -> Tensor:
    first, limit, step = (call.tensor(position) for position in range(3))
    return torch.arange(first.item(), limit.item(), step.item(), dtype=first.dtype)


def _reshape(call: Call) -> Tensor:
    data, sides = call.tensor(0), _sides(call.tensor(1))
    if not call.options.get("allowzero", 0):
        sides = [side or data.shape[axis] for axis, side in enumerate(sides)]
    return data.reshape(sides)


def _flatten(call: Call) -> Tensor:
    data, axis = call.tensor(0), call.options.get("axis", 1)
    rows = reduce(lambda left, right: left * right, data.shape[:axis], 1)
    return data.reshape(rows, -1)


def _transpose(call: Call) -> Tensor:
    data = call.tensor(0)
    return data.permute(call.options.get("perm", tuple(reversed(range(data.dim())))))


def _squeeze(call: Call) -> Tensor:
    axes = call.integers("axes", 1)
    return call.tensor(0).squeeze() if axes is None else call.tensor(0).squeeze(axes)


def _unsqueeze(call: Call) -> Tensor:
    data, axes = call.tensor(0), call.integers("axes", 1) or []
    rank = data.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        data = data.unsqueeze(axis)
    return data


def _expand(call: Call) -> Tensor:
    data, sides = call.tensor(0), _sides(call.tensor(1))
    return data.expand(torch.broadcast_shapes(data.shape, sides))  # type: ignore[no-untyped-call]


def _concat(call: Call) -> Tensor:
    return torch.cat([_together(tensor, call.tensor(0))[0] for tensor in call.present()], call.options["axis"])


def _slice(call: Call) -> Tensor:
    data = call.tensor(0)
    starts, ends = call.integers("starts", 1) or [], call.integers("ends", 2) or []
    axes = call.integers("axes", 3) or list(range(len(starts)))
    steps = call.integers("steps", 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        kept = range(*slice(start, end, step).indices(data.shape[axis]))
        if step == 1:
            data = data.narrow(axis, kept.start, len(kept))
        else:
            data = data.index_select(axis, torch.tensor(list(kept), dtype=torch.int64, device=data.device))
    return data


def _split(call: Call) -> tuple[Tensor, ...]:
    data, axis = call.tensor(0), call.options.get("axis", 0)
    sizes = call.integers("split", 1)
    share = -(-data.shape[axis] // call.outputs)
    return torch.split(data, share if sizes is None else sizes, axis)


def _gather(call: Call) -> Tensor:
    data, index = call.tensor(0), call.tensor(1)
    axis = call.options.get("axis", 0) % data.dim()
    places = torch.where(index < 0, index + data.shape[axis], index).to(data.device)
    shape = (*data.shape[:axis], *index.shape, *data.shape[axis + 1 :])
    return data.index_select(axis, places.flatten()).reshape(shape)


def _where(call: Call) -> Tensor:
    left, right = _together(call.tensor(1), call.tensor(2))
    condition, left = _together(call.tensor(0), left)
    return torch.where(condition, left, _together(right, left)[0])


def _depth_to_space(call: Call) -> Tensor:
    data, side = call.tensor(0), call.options["blocksize"]
    if call.options.get("mode", "DCR") == "DCR":
        batch, channels, height, width = data.shape
        blocks = data.reshape(batch, side, side, channels // side**2, height, width)
        data = blocks.permute(0, 3, 1, 2, 4, 5).reshape(data.shape)
    return functional.pixel_shuffle(data, side)


def _sides(shape: Tensor) -> list[int]:
    return [int(side) for side in shape.tolist()]


def _length(data: Tensor, axes: list[int], *, keepdim: bool) -> Tensor:
    return data.square().sum(axes, keepdim=keepdim).sqrt()


def _product(data: Tensor, axes: Sequence[int], *, keepdim: bool) -> Tensor:
    for axis in sorted((axis % data.dim() for axis in axes), reverse=True):
        data = data.prod(axis, keepdim=keepdim)
    return data


OPERATORS: dict[str, Operator] = {
    "Abs": _each(torch.abs),
    "Add": _pair(torch.add),
    "And": _pair(torch.logical_and),
    "ArgMax": _greatest_place,
    "AveragePool": spatial.average_pool,
    "BatchNormalization": _normalised,
    "Cast": _cast,
    "Ceil": _each(torch.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Conv": spatial.convolution,
    "ConvTranspose": spatial.transposed_convolution,
    "Cos": _each(torch.cos),
    "DepthToSpace": _depth_to_space,
    "Div": _pair(_divide),
    "Dropout": _each(lambda data: data),
    "Elu": lambda call: functional.elu(call.tensor(0), call.options.get("alpha", 1.0)),
    "Equal": _pair(torch.eq),
    "Erf": _each(torch.erf),
    "Exp": _each(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _each(torch.floor),
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global(torch.mean),
    "GlobalMaxPool": _global(torch.amax),
    "Greater": _pair(torch.gt),
    "GreaterOrEqual": _pair(torch.ge),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _each(functional.hardswish),
    "Identity": _each(lambda data: data),
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "LeakyRelu": _leaky,
    "Less": _pair(torch.lt),
    "LessOrEqual": _pair(torch.le),
    "Log": _each(torch.log),
    "LogSoftmax": _softmax(torch.log_softmax),
    "MatMul": _pair(torch.matmul),
    "Max": _all(torch.maximum),
    "MaxPool": spatial.largest_pool,
    "Min": _all(torch.minimum),
    "Mish": _each(functional.mish),
    "Mod": _remainder,
    "Mul": _pair(torch.mul),
    "Neg": _each(torch.neg),
    "Not": _each(torch.logical_not),
    "Or": _pair(torch.logical_or),
    "PRelu": _parametric,
    "Pad": spatial.pad,
    "Pow": _pair(_power),
    "Range": _range,
    "Reciprocal": _each(torch.reciprocal),
    "ReduceL2": _reduced(_length),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceProd": _reduced(_product),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _each(torch.relu),
    "Reshape": _reshape,
    "Resize": spatial.resize,
    "Round": _each(torch.round),
    "Shape": _shape,
    "Sigmoid": _each(torch.sigmoid),
    "SiLU": _each(functional.silu),
    "Sin": _each(torch.sin),
    "Size": lambda call: torch.tensor(call.tensor(0).numel()),
    "Slice": _slice,
    "Softmax": _softmax(torch.softmax),
    "Softplus": _each(functional.softplus),
    "Split": _split,
    "Sqrt": _each(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _pair(torch.sub),
    "Sum": _all(torch.add),
    "Tanh": _each(torch.tanh),
    "Thawed": layout.regroup,
    "Tile": lambda call: call.tensor(0).repeat(_sides(call.tensor(1))),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": spatial.resize,
    "Where": _where,
}
