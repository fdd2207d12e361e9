from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.forensics.exporting_toys import SPEC, Toy, toy
from torch import Tensor

from deepguard.errors import OutputError
from deepguard.forensics.exporting.graph import INPUT, OPSET, OUTPUT, onnx_of, padded_in_place, run, session_of
from deepguard.models.classifiers import meso4
from deepguard.weights.shelf import Shelf


@pytest.fixture
def crops(rng: torch.Generator) -> Tensor:
    return torch.rand(5, 3, SPEC.side, SPEC.side, generator=rng)


def test_the_graph_says_what_torch_says_of_any_number_of_crops(crops: Tensor) -> None:
    session = session_of(onnx_of(toy()).SerializeToString())
    for count in (1, 2, 5):
        expected = toy().fakeness(crops[:count])
        assert torch.allclose(run(session, crops[:count]), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_the_graph_is_plain_onnx_whose_convolutions_pad_by_themselves() -> None:
    model = onnx_of(toy())
    onnx.checker.check_model(model, full_check=True)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Conv"] == 2
    assert "Pad" not in kinds
    assert "BatchNormalization" not in kinds
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    assert [each.name for each in model.graph.input] == [INPUT]
    assert [each.name for each in model.graph.output] == [OUTPUT]


def test_exporting_leaves_the_classifier_and_chance_alone(crops: Tensor) -> None:
    classifier = toy()
    before, state = classifier.fakeness(crops), torch.get_rng_state()
    onnx_of(classifier)
    assert torch.equal(classifier.fakeness(crops), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert not classifier.network.training


def test_a_network_with_operations_that_onnx_has_not_is_refused_in_a_sentence() -> None:
    class Odd(torch.nn.Module):
        def forward(self, crops: Tensor) -> Tensor:
            return torch.linalg.matrix_exp(crops[:, 0]).mean(dim=(1, 2))

    with pytest.raises(OutputError, match=r"cannot be written as ONNX \(.*\); choose another"):
        onnx_of(Toy(Odd()))


def test_meso4_is_exported_too(stock: Callable[..., Shelf], rng: torch.Generator) -> None:
    classifier = meso4.meso4([stock(meso4.WEIGHTS).path(meso4.WEIGHTS)], torch.device("cpu"))
    crops = torch.rand(2, 3, 256, 256, generator=rng)
    session = session_of(onnx_of(classifier).SerializeToString())
    assert torch.allclose(run(session, crops), classifier.fakeness(crops), atol=1e-4)


def graph(pads: Sequence[int], mode: str = "constant", value: float = 0.0, readers: int = 1) -> onnx.ModelProto:
    """A Pad before convolutions that pad by 1 themselves."""
    stored = {
        "pads": np.int64(pads),
        "value": np.float32(value),
        "weight": np.random.default_rng(1).random((2, 3, 3, 3), dtype=np.float32),
    }
    nodes = [helper.make_node("Pad", ["crops", "pads", "value"], ["padded"], mode=mode)]
    names = [f"maps{index}" for index in range(readers)]
    nodes += [helper.make_node("Conv", ["padded", "weight"], [name], pads=[1, 1, 1, 1]) for name in names]
    nodes.append(helper.make_node("Sum", names, ["logits"]))
    given = helper.make_tensor_value_info("crops", TensorProto.FLOAT, [1, 3, 6, 6])
    made = [helper.make_empty_tensor_value_info("logits")]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(
        helper.make_graph(nodes, "test", [given], made, constants), opset_imports=opset, ir_version=8
    )


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (graph([0, 0, 0, 1, 0, 0, 2, 3]), 0),
        (graph([0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"), 1),
        (graph([0, 0, 1, 1, 0, 0, 1, 1], value=0.5), 1),
        (graph([0, 0, 1, 1, 0, 0, 1, 1], readers=2), 1),
    ],
)
def test_only_zeros_before_one_convolution_become_part_of_it(model: onnx.ModelProto, left: int, crops: Tensor) -> None:
    images = crops[:1, :, :6, :6]
    before = run(session_of(model.SerializeToString()), images)
    changed = padded_in_place(model)
    assert [node.op_type for node in changed.graph.node].count("Pad") == left
    assert torch.allclose(run(session_of(changed.SerializeToString()), images), before, atol=1e-6)
