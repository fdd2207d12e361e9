import torch
from torch import nn

from deepguard.models.folding import Kernel, folded, joined, stored


def taught(layer, rng):
    """Give a BatchNorm statistics that are not those of its start."""
    layer.running_mean.copy_(torch.randn(layer.num_features, generator=rng))
    layer.running_var.copy_(torch.rand(layer.num_features, generator=rng) + 0.1)
    layer.weight.data.copy_(torch.randn(layer.num_features, generator=rng))
    layer.bias.data.copy_(torch.randn(layer.num_features, generator=rng))
    return layer.eval()


def test_a_folded_convolution_equals_convolution_and_batch_norm(rng):
    for bias in (True, False):
        pair = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1, bias=bias), taught(nn.BatchNorm2d(5, eps=1e-3), rng))
        layer = folded(pair.state_dict(), "0", "1", epsilon=1e-3).convolution(stride=2)
        images = torch.rand(2, 3, 9, 8, generator=rng)
        assert torch.allclose(layer(images), pair(images), atol=1e-5)
        assert not any(parameter.requires_grad for parameter in layer.parameters())


def test_one_input_per_output_means_depthwise(rng):
    layer = Kernel(torch.rand(6, 1, 3, 3, generator=rng), torch.zeros(6)).convolution()
    assert (layer.in_channels, layer.out_channels, layer.groups) == (6, 6, 6)
    images = torch.rand(1, 6, 4, 4, generator=rng)
    images[:, 1:] = 0
    assert layer(images)[:, 1:].abs().max() == 0


def test_joined_kernels_give_their_outputs_one_after_the_other(rng):
    parts = [Kernel(torch.rand(out, 4, 3, 3, generator=rng), torch.rand(out, generator=rng)) for out in (2, 3)]
    images = torch.rand(1, 4, 6, 6, generator=rng)
    apart = torch.cat([part.convolution()(images) for part in parts], dim=1)
    assert torch.allclose(joined(*parts).convolution()(images), apart, atol=1e-6)


def test_a_stored_convolution_without_bias_adds_nothing(rng):
    kernel = stored({"a.weight": torch.rand(2, 3, 1, 1, generator=rng)}, "a")
    assert torch.equal(kernel.bias, torch.zeros(2))
    assert kernel.convolution()(torch.zeros(1, 3, 2, 2)).abs().max() == 0


def test_making_a_layer_draws_nothing_from_the_global_generator():
    state = torch.get_rng_state()
    Kernel(torch.ones(2, 3, 3, 3), torch.ones(2)).convolution()
    assert torch.equal(state, torch.get_rng_state())
