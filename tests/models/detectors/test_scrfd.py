import numpy as np
import torch

from deepguard.models.detectors import scrfd
from deepguard.models.graph import Graph
from deepguard.models.roles import detectors
from deepguard.models.ssd import cell_major


def test_heads_equal_the_golden_ones(shared, stock):
    golden = np.load(shared / "models" / "golden" / "scrfd-500m.npz")
    network = scrfd.Network(Graph(stock(scrfd.WEIGHTS).path(scrfd.WEIGHTS), scrfd.HEADS))
    with torch.no_grad():
        heads = network.heads(torch.from_numpy(golden["input_u8"]).float() / 255)
    names = [f"raw_{kind}_{stride}" for kind in ("score", "bbox", "kps") for stride in (8, 16, 32)]
    for name, head in zip(names, heads, strict=True):
        values = cell_major(head, golden[name].shape[-1])
        values = values.sigmoid() if "score" in name else values
        np.testing.assert_allclose(values, golden[name], atol=1e-4)


def test_its_floor_is_higher_because_its_scores_are_compressed(stock):
    detector = detectors.create("scrfd", stock(scrfd.WEIGHTS), torch.device("cpu"))
    assert detector.floor == -2.8


def test_its_terms_are_shown_to_whoever_asks_for_it():
    assert "non-commercial" in scrfd.WEIGHTS.terms
