import numpy as np
import pytest
import torch

from deepguard.models.detectors import dsfd
from deepguard.models.ssd import picture_priors
from deepguard.weights.formats.state import load_state


@pytest.fixture
def network(stock):
    return dsfd.Network(load_state(stock(dsfd.WEIGHTS).path(dsfd.WEIGHTS)))


@pytest.fixture
def golden(shared):
    with np.load(shared / "models" / "golden" / "dsfd-light.npz") as file:
        return dict(file)


def test_every_layer_equals_the_golden_figures(network, golden):
    images = torch.from_numpy(golden["input_u8"]).flip(1).float() / 255
    with torch.no_grad():
        body = network.body(dsfd._prepared(images))
        fused = network.enhanced(body)
        context = [module(each) for module, each in zip(network.context, fused, strict=True)]
    for index in range(6):
        for place, each in (("c", body), ("fpn", fused), ("cpm", context)):
            figures = each[index].mean().item(), each[index].std().item()
            assert figures == pytest.approx(golden[f"tap_{place}{index + 1}_mean_std"], abs=1e-4), (place, index)


def test_priors_are_higher_than_wide_as_in_the_golden_file(golden):
    priors = picture_priors(320, 320, dsfd.LEVELS, torch.device("cpu"))
    ends = torch.cat((priors[:3], priors[-3:]))
    assert np.allclose(ends, golden["priors_cxcywh_first3_last3"], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(129, 257), (1, 31)])
def test_maps_round_up_at_every_size_so_that_priors_fit(network, height, width):
    maps = network.body(torch.zeros(1, 3, height, width))
    steps = [step for step, _ in dsfd.LEVELS]
    assert [tuple(each.shape[-2:]) for each in maps] == [(-(-height // step), -(-width // step)) for step in steps]


def test_small_pictures_are_also_looked_at_twofold_and_large_ones_reduced(stock):
    detector = dsfd.dsfd([stock(dsfd.WEIGHTS).path(dsfd.WEIGHTS)], torch.device("cpu"))
    assert detector.scales(480, 640) == (0.5, 2.0)
    assert detector.scales(2400, 3200) == (0.1, 0.5)
    assert detector.scales(64, 32) == (2.0,)
