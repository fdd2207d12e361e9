"""The contract of inswapper_128 (insightface), on a tiny graph that has it: its real file is the user's to bring."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save

from deepguard.errors import WeightsCorrupt, WeightsMissing
from deepguard.models.swappers.inswapper import SOURCE, WEIGHTS
from deepguard.models.swappers.roles import crops_at, swappers
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))


def saved(file, nodes, inputs, output, constants):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    stored = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    result = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])
    graph = helper.make_graph(nodes, "tiny", values, [result], stored)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), file)
    return file


@pytest.fixture
def emap():
    return np.random.default_rng(1).normal(size=(512, 512))


@pytest.fixture
def tiny(tmp_path, emap):
    """A graph that tints the target by the source; as in the real file, no node reads the last initializer."""
    chance = np.random.default_rng(2)
    nodes = [
        helper.make_node("Conv", ["target", "kernel"], ["seen"], pads=[1, 1, 1, 1]),
        helper.make_node("Gemm", ["source", "tint"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["colour"]),
        helper.make_node("Add", ["seen", "colour"], ["both"]),
        helper.make_node("Sigmoid", ["both"], ["output"]),
    ]
    file = saved(
        tmp_path / "tiny.onnx",
        nodes,
        [("target", (1, 3, 128, 128)), ("source", (1, 512))],
        ("output", (1, 3, 128, 128)),
        {"kernel": chance.normal(size=(3, 3, 3, 3)), "tint": chance.normal(size=(512, 3)), "emap": emap},
    )
    return with_shape(file)


def with_shape(file):
    import onnx  # noqa: PLC0415

    model = onnx.load(file)
    model.graph.initializer.insert(0, numpy_helper.from_array(np.array([1, 3, 1, 1], dtype=np.int64), "shape"))
    onnx.save(model, file)
    return file


@pytest.fixture
def arcface(tmp_path):
    """A graph of w600k_r50's shape: a mean colour, spread over 512 values."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["crops"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "spread"], ["vector"]),
    ]
    spread = np.random.default_rng(3).normal(size=(3, 512))
    inputs = [("crops", (1, 3, 112, 112))]
    return saved(tmp_path / "arcface.onnx", nodes, inputs, ("vector", (1, 512)), {"spread": spread})


@pytest.fixture
def made(tiny, arcface):
    return swappers.entry("inswapper").factory([tiny, arcface], CPU)


def test_its_weights_and_those_of_its_encoder_are_pinned_and_brought_by_the_user():
    entry = swappers.entry("inswapper")
    assert entry.weights == (WEIGHTS, *SOURCE.weights)
    assert len(WEIGHTS.sha256) == 64
    assert all(not weights.urls and weights.terms for weights in entry.weights)


def test_the_latent_is_the_unit_vector_times_the_last_initializer_brought_back_to_length_one(made, emap, rng):
    vectors = torch.randn(3, 512, generator=rng)
    unit = vectors.numpy() / np.linalg.norm(vectors.numpy(), axis=1, keepdims=True)
    expected = unit @ emap.astype(np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(made.latent(vectors).numpy(), expected, atol=1e-5)


def test_the_target_lies_on_arcfaces_template_eight_pixels_to_the_right(made):
    assert made.target.points[0] == pytest.approx((46.29, 51.70), abs=0.01)
    assert (made.target.height, made.target.width) == (128, 128)
    assert (made.source.height, made.source.width) == (112, 112)


def test_a_swap_is_what_onnxruntime_makes_of_target_and_latent(made, tiny, astronaut, rng):
    source, _ = crops_at(astronaut, MARKS, made.source)
    target, _ = crops_at(astronaut.flip(1), MARKS, made.target)
    swapped = made.learn(source, target, steps=0, rng=rng).swap(target)
    session = onnxruntime.InferenceSession(tiny, providers=["CPUExecutionProvider"])
    latent = made.latent(made.encoder.embed(source.images))
    (expected,) = session.run(None, {"target": target.images.numpy(), "source": latent.numpy()})
    np.testing.assert_allclose(swapped.numpy(), expected, atol=1e-5)


def test_the_gradient_goes_through_graph_and_latent_back_to_the_photo(made, astronaut):
    source, _ = crops_at(astronaut, MARKS, made.source)
    photo = source.images.clone().requires_grad_()
    (drawn,) = made.graph(torch.rand(1, 3, 128, 128), made.latent(made.encoder.embed(photo)))
    (gradient,) = torch.autograd.grad(drawn.square().sum(), photo)
    assert gradient.abs().sum() > 0


def test_the_mask_ends_before_the_crop_does(made, astronaut, rng):
    crops, _ = crops_at(astronaut, MARKS, made.source)
    mask = made.learn(crops, crops, steps=0, rng=rng).mask
    assert mask.shape == (128, 128)
    assert mask[0].max() == mask[:, -1].max() == 0
    assert mask[64, 64] == 1


def test_without_its_file_one_sentence_says_what_to_do(empty_shelf):
    with pytest.raises(WeightsMissing) as caught:
        swappers.create("inswapper", empty_shelf, CPU)
    assert str(caught.value) == (
        "inswapper is not on the shelf; there is no source for inswapper_128.onnx, so get it yourself and run: "
        "deepguard models import DIR"
    )


def test_a_file_with_another_hash_is_refused_in_one_sentence(tmp_path):
    (tmp_path / WEIGHTS.file).write_bytes(b"something else")
    with pytest.raises(WeightsCorrupt, match=r"is damaged: it has 14 bytes instead of 554,253,681; .* import DIR"):
        swappers.create("inswapper", Shelf(tmp_path), CPU)


def test_a_graph_without_the_matrix_or_with_other_inputs_is_refused(tmp_path, arcface, emap):
    factory = swappers.entry("inswapper").factory
    with pytest.raises(WeightsCorrupt, match="its last initializer is not 512 x 512"):
        factory([arcface, arcface], CPU)
    nodes = [helper.make_node("Gemm", ["crops", "emap"], ["vector"])]
    other = saved(tmp_path / "other.onnx", nodes, [("crops", (1, 512))], ("vector", (1, 512)), {"emap": emap})
    with pytest.raises(WeightsCorrupt, match="its inputs are not target and source"):
        factory([other, arcface], CPU)
