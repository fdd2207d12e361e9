"""ONNX operators that work on grids of pixels: convolution, pooling, padding, resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import WeightsError
from deepguard.models.nodes import Call

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
LARGEST: dict[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
AVERAGES: dict[int, Callable[..., Tensor]] = {
    1: functional.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round_prefer_floor": lambda places: torch.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: torch.floor(places + 0.5),
}
PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def convolution(call: Call) -> Tensor:
    """Conv."""
    data, weight = call.tensor(0), call.tensor(1)
    grid = data.dim() - 2
    strides, dilations = _steps(call, grid)
    data, padding = _framed(data, _pads(call, data.shape[2:], weight.shape[2:]), 0.0)
    groups = int(call.options.get("group", 1))
    return CONVOLUTIONS[grid](data, weight, call.optional(2), strides, padding, dilations, groups)


def transposed_convolution(call: Call) -> Tensor:
    """ConvTranspose: made without padding, then cut, which allows unequal pads."""
    data, weight = call.tensor(0), call.tensor(1)
    grid = data.dim() - 2
    strides, dilations = _steps(call, grid)
    extra = list(call.options.get("output_padding", [0] * grid))
    groups = int(call.options.get("group", 1))
    full = TRANSPOSED[grid](data, weight, call.optional(2), strides, 0, extra, groups, dilations)
    wanted = call.options.get("output_shape")
    automatic = call.options.get("auto_pad", "NOTSET")
    if wanted is None and automatic.startswith("SAME"):
        wanted = [side * step for side, step in zip(data.shape[2:], strides, strict=True)]
    pads = list(call.options.get("pads", [0] * (2 * grid)))
    if wanted is not None:
        excess = [side - goal for side, goal in zip(full.shape[2:], wanted[-grid:], strict=True)]
        smaller, larger = [each // 2 for each in excess], [each - each // 2 for each in excess]
        pads = smaller + larger if automatic == "SAME_UPPER" else larger + smaller
    return functional.pad(full, _torch_pads([-pad for pad in pads]))


def largest_pool(call: Call) -> Tensor:
    """MaxPool; its second output, the positions, is not offered."""
    if call.outputs > 1:
        raise WeightsError("the ONNX file asks MaxPool for positions, which is not supported")
    data, kernel = call.tensor(0), call.options["kernel_shape"]
    strides, dilations = _steps(call, len(kernel))
    data, padding = _framed(data, _pads(call, data.shape[2:], kernel), float("-inf"))
    if any(2 * pad > side for pad, side in zip(padding, kernel, strict=True)):
        data, padding = functional.pad(data, _torch_pads(padding * 2), value=float("-inf")), [0] * len(kernel)
    ceil = bool(call.options.get("ceil_mode", 0))
    return LARGEST[len(kernel)](data, kernel, strides, padding, dilations, ceil)


def average_pool(call: Call) -> Tensor:
    """AveragePool; where the border does not count, each window is divided by the pixels that it holds."""
    data, kernel = call.tensor(0), call.options["kernel_shape"]
    strides, _ = _steps(call, len(kernel))
    pads = _pads(call, data.shape[2:], kernel)
    ceil = bool(call.options.get("ceil_mode", 0))
    pool = AVERAGES[len(kernel)]
    framed = functional.pad(data, _torch_pads(pads))
    averages = pool(framed, kernel, strides, 0, ceil)
    if call.options.get("count_include_pad", 0) or not any(pads):
        return averages
    inside = functional.pad(torch.ones_like(data[:1, :1]), _torch_pads(pads))
    return averages / pool(inside, kernel, strides, 0, ceil)


def pad(call: Call) -> Tensor:
    """Pad, by any amounts; amounts below zero cut."""
    data = call.tensor(0)
    pads = call.integers("pads", 1) or []
    axes = call.integers("axes", 3)
    if axes is not None:
        begins, ends = [0] * data.dim(), [0] * data.dim()
        for position, axis in enumerate(axes):
            begins[axis], ends[axis] = pads[position], pads[position + len(axes)]
        pads = begins + ends
    mode = PAD_MODES[call.options.get("mode", "constant")]
    amounts = _torch_pads(pads)
    if mode != "constant":
        # torch pads with pixels of the picture only on its last axes, so the untouched ones are left out
        return functional.pad(data, amounts[: 2 * (data.dim() - 2)], mode=mode)
    given = call.optional(2)
    value = float(call.options.get("value", 0.0)) if given is None else float(given)
    return functional.pad(data, amounts, value=value)


def resize(call: Call) -> Tensor:
    """Resize and its forerunner Upsample: nearest and linear on any axes, cubic on the last two."""
    data = call.tensor(0)
    sizes, scales = _goal(call, data.shape)
    mode = call.options.get("mode", "nearest")
    rule = call.options.get("coordinate_transformation_mode", "half_pixel" if call.opset > 10 else "asymmetric")
    rounding = call.options.get("nearest_mode", "round_prefer_floor" if call.opset > 10 else "floor")
    _supported(call, rule, mode)
    exact = all(size == side * scale for size, side, scale in zip(sizes, data.shape, scales, strict=True))
    if data.dim() == 4 and exact and tuple(sizes[:2]) == tuple(data.shape[:2]):
        quick = _quickly(data, sizes[2:], (mode, rule, rounding))
        if quick is not None:
            return quick
    if mode == "cubic":
        raise WeightsError(f"the ONNX file resizes in a way that is not supported: cubic, {rule}")
    for axis, (size, scale) in enumerate(zip(sizes, scales, strict=True)):
        if size == data.shape[axis] and scale == 1:
            continue
        places = _places(size, data.shape[axis], scale, rule)
        data = _taken(data, axis, places, rounding if mode == "nearest" else "")
    return data


def _steps(call: Call, grid: int) -> tuple[list[int], list[int]]:
    return list(call.options.get("strides", [1] * grid)), list(call.options.get("dilations", [1] * grid))


def _pads(call: Call, sides: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """All begins, then all ends, as ONNX lists them."""
    automatic = call.options.get("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        return list(call.options.get("pads", [0] * (2 * len(kernel))))
    if automatic == "VALID":
        return [0] * (2 * len(kernel))
    strides, dilations = _steps(call, len(kernel))
    totals = [
        max(0, (-(-side // stride) - 1) * stride + dilation * (width - 1) + 1 - side)
        for side, width, stride, dilation in zip(sides, kernel, strides, dilations, strict=True)
    ]
    smaller, larger = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return smaller + larger if automatic == "SAME_UPPER" else larger + smaller


def _framed(data: Tensor, pads: list[int], value: float) -> tuple[Tensor, list[int]]:
    """Leave equal pads to the operator itself; add unequal ones here."""
    half = len(pads) // 2
    if pads[:half] == pads[half:]:
        return data, pads[:half]
    return functional.pad(data, _torch_pads(pads), value=value), [0] * half


def _torch_pads(pads: Sequence[int]) -> list[int]:
    """Turn begins and ends, first axis first, into torch's pairs, last axis first."""
    half = len(pads) // 2
    return [amount for axis in reversed(range(half)) for amount in (pads[axis], pads[axis + half])]


def _goal(call: Call, shape: Sequence[int]) -> tuple[list[int], list[float]]:
    """The sizes to reach and the exact factors."""
    sizes = call.optional(3)
    if sizes is not None and sizes.numel():
        goals = [int(size) for size in sizes.tolist()]
        return goals, [goal / side for goal, side in zip(goals, shape, strict=True)]
    given: Any = call.options.get("scales")
    if given is None:
        given = call.tensor(2 if call.opset > 10 else 1).tolist()
    scales = [float(scale) for scale in given]
    return [floor(side * scale) for side, scale in zip(shape, scales, strict=True)], scales


def _supported(call: Call, rule: str, mode: str) -> None:
    rules = {"asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"}
    special = [name for name in ("antialias", "axes", "exclude_outside") if call.options.get(name)]
    if rule not in rules or mode not in {"nearest", "linear", "cubic"} or special:
        raise WeightsError(f"the ONNX file resizes in a way that is not supported: {mode}, {rule} {special or ''}")


def _quickly(data: Tensor, size: list[int], way: tuple[str, str, str]) -> Tensor | None:
    """Use torch's own kernel where it does the same."""
    mode, rule, rounding = way
    if mode == "nearest":
        whole = all(goal % side == 0 for goal, side in zip(size, data.shape[2:], strict=True))
        same = (rule, rounding) in {("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")}
        return functional.interpolate(data, size=size) if whole and same else None
    if rule == "asymmetric" or (rule == "half_pixel" and 1 in size):
        return None
    return functional.interpolate(
        data, size=size, mode="bilinear" if mode == "linear" else "bicubic", align_corners=rule == "align_corners"
    )


def _places(size: int, side: int, scale: float, rule: str) -> Tensor:
    """Where each new pixel lies on the old axis; in float32, as the reference runtime computes it."""
    index = torch.arange(size, dtype=torch.float32)
    if rule == "asymmetric":
        return index / scale
    if rule == "align_corners":
        return index * (side - 1) / max(size - 1, 1)
    if rule == "pytorch_half_pixel" and size == 1:
        return index
    return (index + 0.5) / scale - 0.5


def _taken(data: Tensor, axis: int, places: Tensor, rounding: str) -> Tensor:
    last = data.shape[axis] - 1
    if rounding:
        index = ROUNDINGS[rounding](places).clamp(0, last).long()
        return data.index_select(axis, index.to(data.device))
    places = places.clamp(0, last)
    low = places.floor().long()
    share = (places - low).to(data).reshape(-1, *[1] * (data.dim() - 1 - axis))
    below = data.index_select(axis, low.to(data.device))
    above = data.index_select(axis, (low + 1).clamp(max=last).to(data.device))
    return below + (above - below) * share
