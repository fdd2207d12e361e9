"""Convolutions for inference only: BatchNorm folded in, branches that share an input joined, nothing to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Kernel:
    """Weight and bias of one convolution; one input per group means depthwise."""

    weight: Float[Tensor, "o i h w"]
    bias: Float[Tensor, " o"]

    def convolution(self, stride: int = 1, *, padded: bool = True) -> nn.Conv2d:
        """Return the layer, padded by half the kernel or not, with constant parameters on the kernel's device."""
        outputs, inputs, height, width = self.weight.shape
        groups = outputs if inputs == 1 and outputs > 1 else 1
        # on "meta" no random start values are drawn, which would move torch's global generator
        layer = nn.Conv2d(
            inputs * groups,
            outputs,
            (height, width),
            stride,
            (height // 2, width // 2) if padded else 0,
            groups=groups,
            device="meta",
        )
        # channels last: torch's convolutions follow the order of their weights, and take 20 to 40 % less time so
        ordered = self.weight.contiguous(memory_format=torch.channels_last)
        layer.weight = nn.Parameter(ordered, requires_grad=False)
        layer.bias = nn.Parameter(self.bias.contiguous(), requires_grad=False)
        return layer


@dataclass(frozen=True, slots=True)
class Norm:
    """A BatchNorm in inference (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(variance + epsilon) * gain + shift."""

    mean: Float[Tensor, " o"]
    variance: Float[Tensor, " o"]
    gain: Float[Tensor, " o"]
    shift: Float[Tensor, " o"]
    epsilon: float = 1e-5

    def folded_into(self, kernel: Kernel) -> Kernel:
        """Return the kernel that does both; computed in float64."""
        factor = self.gain.double() / torch.sqrt(self.variance.double() + self.epsilon)
        weight = kernel.weight.double() * factor[:, None, None, None]
        bias = (kernel.bias.double() - self.mean.double()) * factor + self.shift.double()
        return Kernel(weight.to(kernel.weight.dtype), bias.to(kernel.bias.dtype))


def stored(state: Mapping[str, Tensor], name: str) -> Kernel:
    """Return the convolution `name` of a torch state dict; its bias is 0 where none is stored."""
    weight = state[f"{name}.weight"]
    bias = state.get(f"{name}.bias")
    return Kernel(weight, weight.new_zeros(len(weight)) if bias is None else bias)


def folded(state: Mapping[str, Tensor], name: str, norm: str, epsilon: float = 1e-5) -> Kernel:
    """Return the convolution `name` of a torch state dict with the BatchNorm `norm` folded in."""
    mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
    gain, shift = state[f"{norm}.weight"], state[f"{norm}.bias"]
    return Norm(mean, variance, gain, shift, epsilon).folded_into(stored(state, name))


def joined(*kernels: Kernel) -> Kernel:
    """Return one kernel that gives the outputs of several on the same input, one after the other.

    One pass over the input is faster than several narrow ones.
    """
    return Kernel(torch.cat([each.weight for each in kernels]), torch.cat([each.bias for each in kernels]))
