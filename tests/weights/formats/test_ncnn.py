import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.measures.lpips import GRAPH, NUMBERS
from deepguard.weights.formats.ncnn import HALF, read_ncnn
from deepguard.weights.formats.state import load_state
from deepguard.weights.shelf import Shelf

PARAM = """7767517
4 4
Input input 0 1 a
Convolution first 1 1 a b 0=3 1=1 11=1 3=2 13=2 4=0 5=1 6=9 9=1
Pooling pool 1 1 b c 0=0 1=2
Convolution second 1 1 c d 0=2 1=3 6=54 4=1
"""
FIRST, BIASES, SECOND = np.arange(9) / 8, np.array([0.5, -1, 2]), np.linspace(-1, 1, 54)
BIN = b"".join(
    (
        struct.pack("<I", HALF) + FIRST.astype("<f2").tobytes() + b"\0\0",
        BIASES.astype("<f4").tobytes(),
        struct.pack("<I", 0) + SECOND.astype("<f4").tobytes(),
    )
)


def written(folder: Path, graph: str = PARAM, numbers: bytes = BIN) -> tuple[Path, Path]:
    (folder / "net.param").write_text(graph)
    (folder / "net.bin").write_bytes(numbers)
    return folder / "net.param", folder / "net.bin"


def test_half_and_single_precision_are_read_in_the_order_of_the_lines(tmp_path: Path) -> None:
    first, second = read_ncnn(*written(tmp_path))
    assert (first.name, first.stride, first.padding, first.rectified) == ("first", 2, 0, True)
    assert (second.name, second.stride, second.padding, second.rectified) == ("second", 1, 1, False)
    assert torch.equal(first.weight, torch.from_numpy(FIRST).float().reshape(3, 3, 1, 1))
    assert first.bias is not None
    assert torch.equal(first.bias, torch.tensor([0.5, -1, 2]))
    assert torch.allclose(second.weight, torch.from_numpy(SECOND).float().reshape(2, 3, 3, 3))
    assert second.bias is None


@pytest.mark.parametrize(
    ("graph", "numbers"),
    [
        ("", BIN),
        ("7767518" + PARAM[7:], BIN),
        (PARAM.rsplit("\n", 2)[0], BIN),
        (PARAM.replace("6=54", "6=53"), BIN),
        (PARAM.replace("13=2", "13=1"), BIN),
        (PARAM, BIN[:-1]),
        (PARAM, BIN[:30]),
        (PARAM, BIN + b"\0\0\0\0"),
        (PARAM, b"\1" + BIN[1:]),
    ],
    ids=["empty", "magic", "lines", "count", "strides", "cut", "cut early", "longer", "tag"],
)
def test_damage_is_refused_with_one_sentence(tmp_path: Path, graph: str, numbers: bytes) -> None:
    with pytest.raises(WeightsCorrupt, match="fetch both again"):
        read_ncnn(*written(tmp_path, graph, numbers))


def test_a_missing_file_is_refused_as_well(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt):
        read_ncnn(tmp_path / "no.param", tmp_path / "no.bin")


def test_the_real_network_equals_its_state_dict(shared: Path, stock: Callable[..., Shelf]) -> None:
    shelf = stock(GRAPH, NUMBERS)
    convolutions = read_ncnn(shelf.path(GRAPH), shelf.path(NUMBERS))
    file = next((shared / "models").rglob("squeezenet1_1_torchvision_fp16.pth"), None)
    if file is None:
        pytest.skip("squeezenet1_1_torchvision_fp16.pth is not here")
    state = load_state(file)
    weights = [name for name in state if name.endswith("weight")]
    assert len(convolutions) == len(weights) == 26
    for convolution, name in zip(convolutions, weights, strict=True):
        assert torch.equal(convolution.weight, state[name].float())
        assert convolution.bias is not None
        assert torch.equal(convolution.bias, state[name.replace("weight", "bias")].float())
