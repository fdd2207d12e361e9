"""Small ONNX files, and what the reference runtime makes of them."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, save


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a graph whose input `x` has the shape given; None is a free side."""

    def write(nodes, shape, constants=(), outputs=("y",), opset=17):
        argument = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        results = [helper.make_empty_tensor_value_info(name) for name in outputs]
        stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(constants).items()]
        graph = helper.make_graph(nodes, "test", [argument], results, stored)
        file = tmp_path / "graph.onnx"
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), file)
        return file

    return write


@pytest.fixture
def reference():
    """Return a function that runs a file with onnxruntime."""

    def run(file, data):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: data.numpy()})

    return run


@pytest.fixture
def same(reference):
    """Return a function that holds a module's outputs to those of onnxruntime for the file that it was read from."""

    def check(module, file, data, tolerance=1e-4):
        for result, expected in zip(module(data), reference(file, data), strict=True):
            assert tuple(result.shape) == expected.shape
            np.testing.assert_allclose(result.numpy(), expected, atol=tolerance, rtol=tolerance)

    return check
