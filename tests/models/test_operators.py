from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from deepguard.errors import WeightsError
from deepguard.models.graph import Graph


@dataclass
class Case:
    """One operator on one input of shape `shape`; `constants` are its further inputs, None for one left out."""

    operator: str
    shape: tuple = (2, 4, 6, 5)
    constants: tuple = ()
    options: dict = field(default_factory=dict)
    opset: int = 17
    outputs: int = 1


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


def floats(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


WEIGHT = floats(8, 4, 3, 3)
CASES = [
    Case("Conv", constants=(WEIGHT,), options={"pads": [1, 1, 1, 1]}),
    Case("Conv", constants=(WEIGHT, floats(8)), options={"strides": [2, 1], "pads": [0, 1, 1, 0]}),
    Case("Conv", constants=(WEIGHT,), options={"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", constants=(WEIGHT,), options={"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    Case("Conv", constants=(WEIGHT,), options={"auto_pad": "VALID"}),
    Case("Conv", constants=(floats(4, 1, 3, 3),), options={"group": 4, "dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    Case("Conv", shape=(1, 4, 9), constants=(floats(3, 4, 3),), options={"strides": [2]}),
    Case("ConvTranspose", constants=(floats(4, 3, 3, 3), floats(3)), options={"strides": [2, 2]}),
    Case(
        "ConvTranspose",
        constants=(floats(4, 2, 4, 4),),
        options={"strides": [2, 2], "pads": [1, 0, 2, 1], "group": 2, "output_padding": [1, 0]},
    ),
    Case("ConvTranspose", constants=(floats(4, 3, 3, 3),), options={"strides": [2, 2], "output_shape": [12, 10]}),
    Case("ConvTranspose", constants=(floats(4, 3, 3, 3),), options={"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    Case("MaxPool", options={"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Case("MaxPool", options={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("MaxPool", options={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    Case("MaxPool", options={"kernel_shape": [2, 2], "strides": [1, 1], "auto_pad": "SAME_UPPER"}),
    Case("AveragePool", options={"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    Case("AveragePool", options={"kernel_shape": [3, 3], "pads": [1, 0, 0, 1], "count_include_pad": 1}),
    Case("AveragePool", options={"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case("GlobalAveragePool"),
    Case("GlobalMaxPool"),
    Case("Pad", constants=(ints(0, 1, 2, 0, 0, 0, 1, 3), np.float32(0.5)), options={"mode": "constant"}),
    Case("Pad", constants=(ints(0, 0, 2, 1, 0, 0, 1, 3),), options={"mode": "reflect"}),
    Case("Pad", constants=(ints(0, 0, 2, 1, 0, 0, 1, 3),), options={"mode": "edge"}),
    Case("Pad", constants=(ints(0, 0, -1, -1, 0, 0, 0, -2),)),
    Case("Pad", constants=(ints(2, 1), None, ints(2)), opset=18),
    Case("Pad", options={"pads": [0, 0, 1, 0, 0, 2, 0, 0], "value": 2.0}, opset=9),
    Case("Upsample", constants=(np.float32([1, 1, 2, 2]),), opset=9),
    Case("Upsample", constants=(np.float32([1, 1, 2, 2]),), options={"mode": "linear"}, opset=9),
    Case("Resize", constants=(np.float32([1, 1, 1.5, 2]),), opset=10),
    *(
        Case("Resize", constants=(None, np.float32([1, 1, *scale])), options=options, opset=13)
        for scale in ((2, 2), (1.5, 2.2), (0.5, 0.7))
        for options in (
            {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"},
            {"mode": "nearest", "coordinate_transformation_mode": "align_corners", "nearest_mode": "ceil"},
            {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
            {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
            {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
            {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
            {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
        )
    ),
    Case("Resize", constants=(None, None, ints(2, 4, 11, 7)), options={"mode": "linear"}, opset=13),
    Case("Resize", constants=(None, None, ints(2, 4, 11, 7)), options={"mode": "cubic"}, opset=13),
    Case("Resize", constants=(None, None, ints(2, 8, 6, 5)), options={"mode": "nearest"}, opset=13),
    Case("BatchNormalization", constants=(floats(4), floats(4), floats(4), abs(floats(4))), options={"epsilon": 1e-3}),
    Case("InstanceNormalization", constants=(floats(4), floats(4)), options={"epsilon": 1e-3}),
    Case("LayerNormalization", constants=(floats(6, 5), floats(6, 5)), options={"axis": -2}),
    Case("LayerNormalization", constants=(floats(5),)),
    *(
        Case(name)
        for name in [
            "Relu",
            "LeakyRelu",
            "Sigmoid",
            "Tanh",
            "HardSigmoid",
            "HardSwish",
            "Exp",
            "Abs",
            "Neg",
            "Floor",
            "Ceil",
            "Round",
            "Softplus",
        ]
    ),
    *(Case(name) for name in ["Elu", "Identity", "Sin", "Cos", "Reciprocal", "Dropout", "Erf"]),
    Case("Mish", opset=18),
    Case("Gelu", opset=20),
    Case("Gelu", options={"approximate": "tanh"}, opset=20),
    Case("LeakyRelu", options={"alpha": 0.3}),
    Case("HardSigmoid", options={"alpha": 0.5, "beta": 0.1}),
    Case("PRelu", constants=(floats(4, 1, 1),)),
    Case("PRelu", constants=(floats(1, 4, 6, 5),)),
    Case("PRelu", constants=(floats(1),)),
    Case("Clip", constants=(np.float32(-0.5), np.float32(0.5))),
    Case("Clip", constants=(None, np.float32(0.5))),
    Case("Clip", options={"min": 0.0, "max": 0.6}, opset=9),
    *(Case(name, constants=(floats(4, 1, 1),)) for name in ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum"]),
    Case("Pow", constants=(np.float32(2),)),
    Case("Pow", constants=(ints(2),)),
    Case("Mod", constants=(np.float32(0.7),), options={"fmod": 1}),
    *(
        Case(name, constants=(floats(4, 1, 1),), opset=16)
        for name in ["Greater", "Less", "GreaterOrEqual", "LessOrEqual"]
    ),
    Case("Softmax", opset=13),
    Case("Softmax", options={"axis": 1}, opset=13),
    Case("Softmax", options={"axis": 1}, opset=11),
    Case("LogSoftmax", options={"axis": -1}, opset=13),
    Case("Concat", constants=(floats(2, 3, 6, 5),), options={"axis": 1}),
    Case("Slice", constants=(ints(1, -4), ints(2**62, -1), ints(1, 2), ints(2, 1))),
    Case("Slice", constants=(ints(-1), ints(-(2**62)), ints(3), ints(-2))),
    Case("Slice", options={"starts": [1], "ends": [3], "axes": [-1]}, opset=9),
    Case("Split", options={"axis": 1}, outputs=2, opset=13),
    Case("Split", constants=(ints(1, 3),), options={"axis": 1}, outputs=2, opset=13),
    Case("Split", options={"axis": 2, "num_outputs": 4}, outputs=3, opset=18),
    Case("Split", options={"axis": 1, "split": [3, 1]}, outputs=2, opset=11),
    Case("Gather", constants=(ints(2, -1),), options={"axis": 1}),
    Case("Gather", constants=(np.array([[0, 1], [2, 0]], dtype=np.int64),), options={"axis": 2}),
    Case("Gather", constants=(np.int64(1),), options={"axis": 1}),
    Case("Squeeze", shape=(1, 3, 1, 2), constants=(ints(0, -2),), opset=13),
    Case("Squeeze", shape=(1, 3, 1, 2), options={"axes": [2]}, opset=11),
    Case("Squeeze", shape=(1, 3, 1, 2)),
    Case("Unsqueeze", shape=(3, 2), constants=(ints(0, -1),), opset=13),
    Case("Unsqueeze", shape=(3, 2), options={"axes": [1, 2]}, opset=11),
    Case("Reshape", constants=(ints(0, -1, 10),)),
    Case("Flatten", options={"axis": 2}),
    Case("Flatten", options={"axis": 0}),
    Case("Flatten"),
    Case("Transpose", options={"perm": [0, 2, 3, 1]}),
    Case("Transpose"),
    Case("Shape"),
    Case("Shape", options={"start": 1, "end": -1}),
    Case("Size"),
    Case("Cast", options={"to": TensorProto.INT64}),
    Case("Cast", options={"to": TensorProto.DOUBLE}),
    Case("Expand", shape=(3, 1, 2), constants=(ints(2, 1, 4, 1),)),
    Case("Tile", constants=(ints(1, 2, 1, 3),)),
    Case("ReduceMean", options={"axes": [2, 3], "keepdims": 0}),
    Case("ReduceMean", constants=(ints(-1),), opset=18),
    Case("ReduceMean"),
    Case("ReduceSum", constants=(ints(1),), options={"keepdims": 0}),
    Case("ReduceMax", options={"axes": [1]}),
    Case("ReduceMin", options={"axes": [1, 2]}),
    Case("ReduceProd", options={"axes": [1, 3]}),
    Case("ReduceL2", options={"axes": [1]}),
    Case("ReduceSum", options={"noop_with_empty_axes": 1}),
    Case("ArgMax", options={"axis": 1, "keepdims": 0}),
    Case("Gemm", shape=(3, 4), constants=(floats(5, 4), floats(5)), options={"transB": 1, "alpha": 0.5, "beta": 2.0}),
    Case("Gemm", shape=(4, 3), constants=(floats(4, 5),), options={"transA": 1}),
    Case("MatMul", constants=(floats(5, 3),)),
    Case("DepthToSpace", options={"blocksize": 2}),
    Case("DepthToSpace", options={"blocksize": 2, "mode": "CRD"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operator}-{case.opset}")
def test_each_operator_does_what_the_reference_runtime_does(case, written, same):
    constants = {f"c{place}": array for place, array in enumerate(case.constants) if array is not None}
    names = [f"c{place}" if array is not None else "" for place, array in enumerate(case.constants)]
    if case.operator == "Resize" and case.opset > 10:
        constants["roi"], names[0] = floats(0), "roi"
        if case.constants[1] is None:
            constants["scales"], names[1] = floats(0), "scales"
    outputs = [f"y{place}" for place in range(case.outputs)]
    node = helper.make_node(case.operator, ["x", *names], outputs, **case.options)
    data = torch.rand(case.shape, generator=torch.Generator().manual_seed(5)) * 3 - 1.5
    # free sides, so that a reshape means what it says
    shape = [None] * len(case.shape)
    file = written([node], shape, constants, outputs, case.opset)
    same(Graph(file), file, data)


@pytest.mark.parametrize("name", ["Sqrt", "Log"])
def test_roots_and_logarithms_of_positive_numbers_agree(name, written, same):
    file = written([helper.make_node(name, ["x"], ["y"])], [None, None])
    same(Graph(file), file, torch.rand(3, 4, generator=torch.Generator().manual_seed(5)) + 0.1)


def test_shapes_computed_from_the_input_agree(written, same):
    nodes = [
        helper.make_node("Shape", ["x"], ["sides"]),
        helper.make_node("Gather", ["sides", "two"], ["height"]),
        helper.make_node("Div", ["height", "three"], ["third"]),
        helper.make_node("Equal", ["third", "three"], ["equal"]),
        helper.make_node("Not", ["equal"], ["unequal"]),
        helper.make_node("Or", ["equal", "unequal"], ["either"]),
        helper.make_node("And", ["either", "unequal"], ["both"]),
        helper.make_node("Where", ["both", "third", "height"], ["chosen"]),
        helper.make_node("Range", ["zero", "chosen", "one"], ["steps"]),
        helper.make_node("ConstantOfShape", ["sides"], ["filled"], value=helper.make_tensor("v", 1, [1], [0.5])),
        helper.make_node("Cast", ["steps"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers"], ["total"]),
        helper.make_node("Mul", ["filled", "total"], ["scaled"]),
        helper.make_node("Add", ["x", "scaled"], ["y"]),
    ]
    numbers = {"zero": 0, "one": 1, "two": 2, "three": 3}
    file = written(nodes, [None] * 4, {name: np.array(value, dtype=np.int64) for name, value in numbers.items()})
    for side in (9, 14):
        same(Graph(file), file, torch.rand(1, 2, side, 3, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize(
    "option",
    [
        {"value_float": 0.5},
        {"value_floats": [0.5, 1.0, 2.0]},
        {"value": numpy_helper.from_array(np.float32([1, 2, 3]))},
        {"value": numpy_helper.from_array(np.float64([1, 2, 3]))},
    ],
    ids=["float", "floats", "tensor", "double"],
)
def test_constants_of_every_kind_are_read(option, written, same):
    nodes = [
        helper.make_node("Constant", [], ["c"], **option),
        helper.make_node("Cast", ["c"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    file = written(nodes, [None, 3])
    same(Graph(file), file, torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("operator", "options", "sentence"),
    [
        ("NonZero", {}, "uses the operator NonZero, which is not supported"),
        ("Resize", {"mode": "linear", "antialias": 1}, "resizes in a way that is not supported"),
        ("Cast", {"to": TensorProto.STRING}, "casts to type 8"),
    ],
)
def test_what_is_not_supported_is_named_in_one_sentence(operator, options, sentence, written):
    inputs = ["x", "", "scales"] if operator == "Resize" else ["x"]
    node = helper.make_node(operator, inputs, ["y"], **options)
    file = written([node], [None] * 4, {"scales": np.float32([1, 1, 2, 2])}, opset=18)
    with pytest.raises(WeightsError, match=sentence):
        Graph(file)(torch.zeros(1, 1, 4, 4))


def test_positions_of_the_greatest_pixels_are_refused(written):
    node = helper.make_node("MaxPool", ["x"], ["y", "positions"], kernel_shape=[2, 2])
    file = written([node], [None] * 4, outputs=("y", "positions"))
    with pytest.raises(WeightsError, match="positions"):
        Graph(file)(torch.zeros(1, 1, 4, 4))
