import numpy as np
import pytest
import torch

from deepguard.models.detectors import ultralight
from deepguard.models.graph import Graph
from deepguard.models.ssd import cell_major


@pytest.fixture
def file(stock):
    return stock(ultralight.WEIGHTS).path(ultralight.WEIGHTS)


def test_heads_equal_the_golden_ones(shared, file):
    golden = np.load(shared / "models" / "golden" / "ultralight-rfb640.npz")
    network = ultralight.Network(Graph(file, ultralight.HEADS))
    with torch.no_grad():
        heads = network.heads(torch.from_numpy(golden["input_u8"]).float() / 255)
    for name, levels, values in (("conf", heads[0], 2), ("loc", heads[1], 4)):
        raw = torch.cat([cell_major(level, values) for level in levels], dim=1)[0]
        np.testing.assert_allclose(raw[::3], golden[f"raw_{name}_s3"], atol=2e-4)
        np.testing.assert_allclose(raw.mean(dim=0), golden[f"raw_{name}_mean"], atol=1e-4)


def test_at_the_files_own_size_scores_and_boxes_are_those_that_the_file_decodes(file, reference):
    images = torch.rand(1, 3, 480, 640, generator=torch.Generator().manual_seed(5))
    scores, boxes = reference(file, (images * 255 - 127) / 128)
    with torch.no_grad():
        evidence = ultralight.Network(Graph(file, ultralight.HEADS))(images)
    np.testing.assert_allclose(evidence.logits.sigmoid(), scores[..., 1], atol=1e-5)
    np.testing.assert_allclose(evidence.boxes / torch.tensor([640, 480, 640, 480]), boxes, atol=1e-4)


def test_centres_are_spread_over_the_picture_and_priors_are_no_larger_than_it():
    prior = ultralight._priors(torch.zeros(1, 6, 3, 4), (16.0, 192.0, 256.0), 200, 150)
    assert len(prior) == 3 * 4 * 3
    assert prior[:3].tolist() == [[25, 25, 16, 16], [25, 25, 192, 150], [25, 25, 200, 150]]
    assert prior[-1].tolist() == [175, 125, 200, 150]
