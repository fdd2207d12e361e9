import numpy as np
import pytest
import torch

from deepguard.models.detectors import pyramidbox
from deepguard.weights.formats.paddle_lite import read_paddle_lite

CPU = torch.device("cpu")


@pytest.fixture
def network(stock):
    arrays = read_paddle_lite(stock(pyramidbox.WEIGHTS).path(pyramidbox.WEIGHTS))
    return pyramidbox.Network({name.removeprefix(pyramidbox.PREFIX): value for name, value in arrays.items()})


@pytest.fixture
def golden(shared):
    with np.load(shared / "models" / "golden" / "pyramidbox-lite.npz") as file:
        return dict(file)


def test_every_block_equals_the_golden_figures(network, golden):
    images = torch.from_numpy(golden["input_u8"]).flip(1).float() / 255
    with torch.no_grad():
        maps = network.body(pyramidbox._prepared(images))
    for index, each in enumerate(maps):
        figures = each.mean().item(), each.std().item()
        assert figures == pytest.approx(golden[f"tap_block{index + 1}_mean_std"], abs=1e-4), index


def test_priors_end_at_the_picture_as_in_the_golden_file(golden):
    priors = pyramidbox._clipped_priors(320, 320, CPU)
    corners = torch.cat((priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2), dim=1)
    ends = golden["priors_xyxy_first3_last3"]
    scale = 320 if ends.max() <= 1 else 1
    assert np.allclose(torch.cat((corners[:3], corners[-3:])), ends * scale, rtol=0, atol=1e-2)


def test_only_priors_at_the_border_are_clipped():
    priors = pyramidbox._clipped_priors(320, 200, CPU)
    plain = pyramidbox.picture_priors(320, 200, pyramidbox.LEVELS, CPU)
    halves = plain[:, 2:] / 2
    size = torch.tensor([200.0, 320.0])
    inside = ((plain[:, :2] - halves >= 0) & (plain[:, :2] + halves <= size)).all(dim=1)
    assert torch.equal(priors[inside], plain[inside])
    assert (priors[~inside] != plain[~inside]).any(dim=1).all()


@pytest.mark.parametrize(("height", "width"), [(129, 257), (1, 31)])
def test_maps_round_up_at_every_size_so_that_priors_fit(network, height, width):
    offsets, logits, marks = network(torch.zeros(1, 3, height, width))
    count = len(pyramidbox._clipped_priors(height, width, CPU))
    assert (offsets.shape[1], logits.shape[1], marks.shape[1]) == (count, count, count)
