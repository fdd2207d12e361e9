import numpy as np
import pytest
import torch

from deepguard.models.detectors import retinaface
from deepguard.models.ssd import picture_priors
from deepguard.weights.formats.state import load_state


@pytest.fixture
def network(stock):
    return retinaface.Network(load_state(stock(retinaface.WEIGHTS).path(retinaface.WEIGHTS)))


def test_every_layer_equals_the_golden_figures(network, shared):
    golden = np.load(shared / "models" / "golden" / "retinaface-mobilenet0.25.npz")
    images = torch.from_numpy(golden["input_u8"]).flip(1).float() / 255
    with torch.no_grad():
        body = network.body(retinaface._prepared(images))
        merged = network.pyramid(body)
        context = [module(each) for module, each in zip(network.context, merged, strict=True)]
    for index in range(3):
        for place, each in (("stage", body), ("fpn", merged), ("ssh", context)):
            figures = each[index].mean().item(), each[index].std().item()
            assert figures == pytest.approx(golden[f"tap_{place}{index + 1}_mean_std"], abs=1e-4), (place, index)


def test_priors_are_squares_of_two_sizes_in_the_middle_of_cells_whose_count_rounds_up():
    priors = picture_priors(33, 40, retinaface.LEVELS, torch.device("cpu"))
    assert len(priors) == 2 * (5 * 5 + 3 * 3 + 2 * 2)
    assert priors[:3].tolist() == [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]]
    assert priors[-1].tolist() == [48, 48, 512, 512]
