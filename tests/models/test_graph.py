import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from deepguard.errors import WeightsError
from deepguard.models.graph import Graph

FILES = {
    "yolo5face/yolov5n-0.5.onnx": (1, 3, 640, 640),
    "scrfd/scrfd_500m_bnkps.onnx": (1, 3, 256, 320),
    "yunet/yunet_n_dynamic.onnx": (2, 3, 320, 256),
    "ultralight/version-RFB-640.onnx": (1, 3, 480, 640),
    "identity/mobilefacenet_foamliu.onnx": (1, 3, 112, 112),
    "landmarks/FaceMesh.onnx": (1, 192, 192, 3),
}


def floats(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def chance(*shape, seed=5):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[1, None], ids=["one-image", "free-batch"])
def small(request, written):
    """Convolution, normalisation, SiLU and a channel shuffle frozen at 8x6, as exporters write them."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["n"], epsilon=1e-3),
        helper.make_node("Sigmoid", ["n"], ["s"]),
        helper.make_node("Mul", ["s", "n"], ["swish"]),
        helper.make_node("Reshape", ["swish", "split"], ["groups"]),
        helper.make_node("Transpose", ["groups"], ["swapped"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["swapped", "join"], ["shuffled"]),
        helper.make_node("Tanh", ["shuffled"], ["y"]),
    ]
    constants = {"w": floats(4, 3, 3, 3), "g": floats(4), "b": floats(4), "m": floats(4), "v": abs(floats(4))}
    constants |= {"split": np.array([1, 2, 2, 8, 6]), "join": np.array([1, -1, 8, 6])}
    return written(nodes, [request.param, 3, 8, 6], constants)


@pytest.mark.parametrize("file", FILES)
def test_every_file_on_the_shelf_gives_what_the_reference_runtime_gives(file, shared, reference):
    path = shared / "models" / file
    # a picture's values as the networks want them lie between a standard normal's and 0..255
    data = chance(*FILES[file]) * (255 if "yunet" in file else 2) - (0 if "yunet" in file else 1)
    with torch.no_grad():
        results = Graph(path)(data)
    for result, expected in zip(results, reference(path, data), strict=True):
        assert np.abs(result.numpy() - expected).max() <= 1e-4


def test_normalisation_and_gates_are_merged_without_changing_the_result(small, reference):
    graph = Graph(small)
    assert [node.operator for node in graph._nodes] == ["Conv", "SiLU", "Thawed", "Transpose", "Thawed", "Tanh"]
    data = chance(1, 3, 8, 6)
    np.testing.assert_allclose(graph(data)[0].numpy(), reference(small, data)[0], atol=1e-6)


def test_a_tensor_asked_for_when_the_file_is_read_survives_the_merging(small):
    normalised, gate = Graph(small, ("n", "s"))(chance(1, 3, 8, 6))
    assert torch.equal(normalised.sigmoid(), gate)
    before, after = Graph(small, ("a", "n"))(chance(1, 3, 8, 6))
    assert torch.allclose(after, normalised, atol=1e-6)
    assert not torch.allclose(before, after)


def test_inner_tensors_are_given_by_name_in_the_order_asked(small):
    data = chance(1, 3, 8, 6)
    graph = Graph(small)
    y, swish = graph(data, outputs=("y", "swish"))
    assert torch.equal(y, graph(data)[0])
    assert swish.shape == (1, 4, 8, 6)
    assert not torch.equal(y, swish)


@pytest.mark.parametrize("name", ["nothing", "a"])
def test_a_tensor_that_does_not_exist_is_named_in_the_error(name, small):
    with pytest.raises(WeightsError, match=f"no tensor called {name}"):
        Graph(small)(chance(1, 3, 8, 6), outputs=(name,))


def test_nodes_that_the_outputs_do_not_need_are_neither_run_nor_refused(written):
    nodes = [helper.make_node("Relu", ["x"], ["inner"]), helper.make_node("NonMaxSuppression", ["inner"], ["y"])]
    file = written(nodes, [None, 3])
    assert torch.equal(Graph(file, ("inner",))(torch.tensor([[-1.0, 0.0, 2.0]]))[0], torch.tensor([[0.0, 0.0, 2.0]]))
    with pytest.raises(WeightsError, match="NonMaxSuppression"):
        Graph(file)


def test_reshapes_frozen_at_one_size_follow_other_sizes_and_batches(small):
    graph = Graph(small)
    data = chance(2, 3, 12, 10)
    shuffled, swish = graph(data, outputs=("shuffled", "swish"))
    assert torch.equal(shuffled, swish[:, [0, 2, 1, 3]])
    alone = graph(data[1:], outputs=("shuffled",))[0]
    assert torch.allclose(alone, shuffled[1:], atol=1e-6)


def test_a_frozen_reshape_that_does_not_tell_how_to_grow_is_refused(written):
    nodes = [helper.make_node("Flatten", ["x"], ["f"], axis=2), helper.make_node("Reshape", ["f", "to"], ["y"])]
    # flattening 4 x 6 and cutting it up again as 3 x 8: another size could be cut in several ways
    file = written(nodes, [1, 2, 4, 6], {"to": np.array([2, 3, 8])})
    graph = Graph(file)
    assert graph(chance(1, 2, 4, 6))[0].shape == (2, 3, 8)
    with pytest.raises(WeightsError, match="frozen at one input size"):
        graph(chance(1, 2, 5, 6))


def test_an_axis_that_the_file_leaves_open_takes_what_is_left(written):
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["t", "to"], ["y"]),
    ]
    file = written(nodes, [1, 8, 3, 5], {"to": np.array([1, -1, 4])})
    data = chance(2, 8, 7, 2)
    assert torch.equal(Graph(file)(data)[0], data.permute(0, 2, 3, 1).reshape(2, -1, 4))


def test_the_gradient_agrees_with_finite_differences(small):
    graph = Graph(small).double()
    data = chance(1, 3, 4, 3).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda images: graph(images)[0], (data,))


def test_weights_are_buffers_without_gradient_and_move_with_the_module(small):
    graph = Graph(small)
    assert not list(graph.parameters())
    assert graph.inputs == ("x",)
    assert all(not buffer.requires_grad for buffer in graph.buffers())
    moved = graph.to("meta")
    assert {buffer.device.type for buffer in moved.buffers()} == {"meta"}


@pytest.mark.parametrize("file", FILES)
def test_on_another_device_shapes_are_still_computed_and_nothing_is_left_behind(file, shared):
    # the meta device computes shapes only, and refuses to work on tensors of another device
    results = Graph(shared / "models" / file).to("meta")(torch.zeros(FILES[file], device="meta"))
    assert {result.device.type for result in results} == {"meta"}
    assert all(result.numel() > 0 for result in results)


def test_half_precision_weights_and_casts_are_computed_in_single(written):
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["h", "w"], ["y"]),
    ]
    weight = floats(3).astype(np.float16)
    data = chance(2, 3)
    result = Graph(written(nodes, [None, 3], {"w": weight}))(data)[0]
    assert result.dtype == torch.float32
    assert torch.equal(result, data * torch.from_numpy(weight.astype(np.float32)))


def test_the_same_input_gives_the_same_output_to_the_last_bit(small):
    graph = Graph(small)
    data = chance(2, 3, 9, 7)
    assert torch.equal(graph(data)[0], graph(data)[0])
