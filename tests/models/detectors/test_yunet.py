import numpy as np
import torch

from deepguard.models.detectors import yunet
from deepguard.models.graph import Graph
from deepguard.models.ssd import cell_major


def test_heads_equal_the_golden_ones(shared, stock):
    golden = np.load(shared / "models" / "golden" / "yunet-n.npz")
    network = yunet.Network(Graph(stock(yunet.WEIGHTS).path(yunet.WEIGHTS), yunet.HEADS))
    with torch.no_grad():
        # the golden pixels are BGR, as the file wants them; the network turns RGB into that
        heads = network.heads(torch.from_numpy(golden["input_u8"]).flip(1).float() / 255)
    names = [f"raw_{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    for name, head in zip(names, heads, strict=True):
        values = cell_major(head, golden[name].shape[-1])
        values = values.sigmoid() if "cls" in name or "obj" in name else values
        np.testing.assert_allclose(values, golden[name], atol=1e-4)


def test_the_logit_of_the_root_of_a_product_of_scores_is_exact_also_at_the_ends():
    values = torch.tensor([-200.0, -40.0, -3.0, 0.0, 2.0, 12.0])
    kind, thing = (each.flatten() for each in torch.meshgrid(values, values, indexing="ij"))
    scores = (kind.double().sigmoid() * thing.double().sigmoid()).sqrt()
    logits = yunet._mean_logit(kind, thing)
    assert torch.allclose(logits.double().sigmoid(), scores, atol=1e-6)
    moderate = (kind.abs() < 20) & (thing.abs() < 20)
    assert torch.allclose(logits[moderate].double(), torch.logit(scores[moderate]), atol=1e-4)
    leaves = kind.clone().requires_grad_(True), thing.clone().requires_grad_(True)
    gradients = torch.autograd.grad(yunet._mean_logit(*leaves).sum(), leaves)
    assert all(torch.isfinite(each).all() for each in gradients)
    assert (sum(gradients) > 0.4).all()
