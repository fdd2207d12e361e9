import numpy as np
import pytest
import torch

from deepguard.models.anchors import cells, product_logit
from deepguard.models.detectors import yolo5face
from deepguard.models.graph import Graph
from deepguard.models.roles import detectors

BLOCKS = {"model.0": "402", "model.2": "514", "model.4": "746", "model.6": "858"}


@pytest.fixture
def golden(shared):
    return np.load(shared / "models" / "golden" / "yolo5face-n0.5.npz")


@pytest.fixture
def graph(stock):
    return Graph(stock(yolo5face.WEIGHTS).path(yolo5face.WEIGHTS), yolo5face.HEADS)


def test_heads_and_blocks_equal_the_golden_ones(golden, graph):
    images = torch.from_numpy(golden["input_u8"]).float() / 255
    with torch.no_grad():
        heads = yolo5face.Network(graph).heads(images)
        blocks = graph(images, outputs=tuple(BLOCKS.values()))
    for stride, head in zip((8, 16, 32), heads, strict=True):
        np.testing.assert_allclose(head, golden[f"raw_stride{stride}"], atol=1e-4)
    for block, output in zip(BLOCKS, blocks, strict=True):
        figures = [output.mean().item(), output.std().item()]
        np.testing.assert_allclose(figures, golden[f"tap_{block}_mean_std"], atol=1e-4)


def test_features_are_the_three_downsampling_blocks_and_carry_a_gradient(stock, graph):
    detector = detectors.create("yolo5face", stock(yolo5face.WEIGHTS), torch.device("cpu"))
    images = torch.rand(1, 3, 60, 90, generator=torch.Generator().manual_seed(5)).requires_grad_(True)
    features = detector.features(images)
    assert [tuple(each.shape) for each in features] == [(1, 64, 8, 12), (1, 128, 4, 6), (1, 256, 2, 3)]
    for each in features:
        (gradient,) = torch.autograd.grad(each.square().mean(), images, retain_graph=True)
        assert gradient.abs().sum() > 0
    # each downsampling block's output goes into the first block of the next stage: nothing lies between them
    steps = {name: node for node in graph._nodes for name in node.outputs}
    for name in yolo5face.FEATURES:
        followers = {node.operator for node in graph._nodes if name in node.inputs}
        assert followers == {"Shape", "Slice"}
        branch = steps[steps[steps[steps[name].inputs[0]].inputs[0]].inputs[0]]
        assert branch.operator == "Concat"
        strides = {tuple(node.options["strides"]) for node in _before(branch, steps)}
        assert (2, 2) in strides


def _before(node, steps):
    """The convolutions within six steps before a node."""
    reached, found = [node], []
    for _ in range(6):
        reached = [steps[name] for each in reached for name in each.inputs if name in steps]
        found += [each for each in reached if each.operator == "Conv"]
    return found


def test_the_border_is_the_letterbox_grey_that_its_users_fill_with(stock):
    detector = detectors.create("yolo5face", stock(yolo5face.WEIGHTS), torch.device("cpu"))
    images = torch.rand(1, 3, 40, 64, generator=torch.Generator().manual_seed(5))
    framed = torch.full((1, 3, 64, 64), 114 / 255)
    framed[:, :, :40] = images
    with torch.no_grad():
        assert torch.equal(detector.evidence(images).logits, detector.evidence(framed).logits)


def test_the_logit_of_a_product_of_scores_is_exact_also_at_the_ends():
    values = torch.tensor([-200.0, -40.0, -3.0, 0.0, 2.0, 12.0])
    left, right = (each.flatten() for each in torch.meshgrid(values, values, indexing="ij"))
    product = product_logit(left, right)
    scores = left.double().sigmoid() * right.double().sigmoid()
    assert torch.allclose(product.double().sigmoid(), scores, atol=1e-7)
    moderate = (left.abs() < 20) & (right.abs() < 20)
    assert torch.allclose(product[moderate].double(), torch.logit(scores[moderate]), atol=1e-4)
    leaves = left.clone().requires_grad_(True), right.clone().requires_grad_(True)
    gradients = torch.autograd.grad(product_logit(*leaves).sum(), leaves)
    assert all(torch.isfinite(each).all() for each in gradients)
    assert (sum(gradients) > 0.5).all()


def test_cells_name_columns_before_rows_and_run_along_the_rows():
    assert cells(torch.zeros(1, 4, 2, 3)).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
