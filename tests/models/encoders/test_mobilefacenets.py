import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.models.encoders import mobilefacenet_casia, mobilefacenet_ms1m
from deepguard.models.roles import encoders

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "golden", "module"),
    [
        ("mobilefacenet-ms1m", "mobilefacenet-foamliu", mobilefacenet_ms1m),
        ("mobilefacenet-casia", "mobilefacenet-xiaoccer", mobilefacenet_casia),
    ],
)
def test_vectors_equal_the_golden_ones(name, golden, module, shared, stock):
    known = np.load(shared / "models" / "golden" / f"{golden}.npz")
    encoder = encoders.create(name, stock(module.WEIGHTS), CPU)
    with torch.no_grad():
        vectors = encoder.embed(torch.from_numpy(known["input_u8"]).float() / 255)
    np.testing.assert_allclose(vectors, known["embedding_l2"], atol=1e-5)
    assert float(vectors[0] @ vectors[1]) == pytest.approx(float(known["cosine_0_1"]), abs=1e-5)


def test_another_networks_checkpoint_is_refused(tmp_path):
    torch.save({"net_state_dict": {"conv1.conv.weight": torch.zeros(64, 3, 3, 3)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsCorrupt, match="another network than MobileFaceNet"):
        mobilefacenet_casia.mobilefacenet_casia([tmp_path / "other.ckpt"], CPU)


def test_a_file_without_a_network_inside_is_refused(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "empty.ckpt")
    with pytest.raises(WeightsCorrupt, match="something else than one dict of tensors"):
        mobilefacenet_casia.mobilefacenet_casia([tmp_path / "empty.ckpt"], CPU)
