"""The encoders whose files the user brings, on tiny files of the same contract."""

import numpy as np
import pytest
import torch
from onnx import helper

from deepguard.errors import WeightsCorrupt
from deepguard.models.embedding import ARCFACE
from deepguard.models.encoders import arcface_w600k_mbf, arcface_w600k_r50, mobilefacenet_litert
from deepguard.models.roles import encoders

CPU = torch.device("cpu")


@pytest.mark.parametrize("module", [arcface_w600k_r50, arcface_w600k_mbf])
@pytest.mark.parametrize("batch", [None, 1])
def test_arcface_sees_rgb_from_minus_one_to_one(module, batch, written, reference, rng):
    numbers = np.random.default_rng(0)
    constants = {
        "w": numbers.normal(0, 0.1, (8, 3, 16, 16)).astype(np.float32),
        "p": np.full((8, 1, 1), 0.25, np.float32),
        "l": numbers.normal(0, 0.1, (392, 512)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], strides=[16, 16]),
        helper.make_node("PRelu", ["a", "p"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "l"], ["y"]),
    ]
    file = written(nodes, [batch, 3, 112, 112], constants)
    factory = encoders.entry(module.__name__.rpartition(".")[2].replace("_", "-")).factory
    encoder = factory([file], CPU)
    crops = torch.randint(0, 256, (2, 3, 112, 112), generator=rng).float().requires_grad_()
    vectors = encoder.embed(crops / 255)
    for vector, crop in zip(vectors, crops.detach(), strict=True):
        (expected,) = reference(file, (crop[None] - 127.5) / 127.5)
        np.testing.assert_allclose(vector.detach(), expected[0] / np.linalg.norm(expected[0]), atol=1e-5)
    vectors[:, 0].sum().backward()
    assert (crops.grad != 0).any()
    assert encoder.template == ARCFACE


@pytest.mark.parametrize("module", [arcface_w600k_r50, arcface_w600k_mbf])
def test_arcface_has_no_source_and_says_its_terms(module):
    assert not module.WEIGHTS.urls
    assert "non-commercial research" in module.WEIGHTS.terms


def test_arcfaces_families_tell_the_networks_apart(written):
    node = helper.make_node("Flatten", ["x"], ["y"])
    file = written([node], [None, 3, 112, 112])
    assert arcface_w600k_r50.arcface_w600k_r50([file], CPU).family == "iresnet"
    assert arcface_w600k_mbf.arcface_w600k_mbf([file], CPU).family == "mobilefacenet"


def test_litert_gives_the_golden_vectors_and_no_gradient(shared, stock):
    pytest.importorskip("ai_edge_litert")
    known = np.load(shared / "models" / "golden" / "mobilefacenet-zye1996.npz")
    encoder = encoders.create("mobilefacenet-litert", stock(mobilefacenet_litert.WEIGHTS), CPU)
    crops = (torch.from_numpy(known["input_u8"]).float() / 255).requires_grad_()
    vectors = encoder.embed(crops)
    np.testing.assert_allclose(vectors, known["embedding_l2"], atol=2e-5)
    assert not encoder.gradient
    assert not vectors.requires_grad


def test_a_file_that_litert_cannot_read_is_refused(tmp_path):
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "torn.tflite").write_bytes(b"TFL3 and no more")
    with pytest.raises(WeightsCorrupt, match="cannot be read by LiteRT"):
        mobilefacenet_litert.mobilefacenet_litert([tmp_path / "torn.tflite"], CPU)
