import random
import struct
from pathlib import Path

import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.paddle_lite import read_paddle_lite


def table(fields, size):
    """A flatbuffer's table and, before it, its vtable; `fields` are offsets inside the table by slot."""
    vtable = struct.pack(f"<{2 + len(fields)}H", 4 + 2 * len(fields), size, *fields)
    return vtable, struct.pack("<i", len(vtable))


def parameter(name, dims, data, *, kind=1, data_type=5):
    """A parameter's flatbuffer: root offset, vtable and table of the parameter, then of the tensor, then vectors."""
    outer_vtable, outer_start = table([0, 4, 12, 8], 13)
    inner_vtable, inner_start = table([0, 0, 4, 8, 12], 16)
    outer = 4 + len(outer_vtable)
    inner = outer + 13 + len(inner_vtable)
    name_at = inner + 16
    dims_at = name_at + 4 + len(name)
    data_at = dims_at + 4 + 8 * len(dims)
    outer_table = outer_start + struct.pack("<IIB", name_at - outer - 4, inner - outer - 8, kind)
    inner_table = inner_start + struct.pack("<IiI", dims_at - inner - 4, data_type, data_at - inner - 12)
    vectors = struct.pack("<I", len(name)) + name + struct.pack(f"<I{len(dims)}q", len(dims), *dims)
    return (
        struct.pack("<I", outer)
        + outer_vtable
        + outer_table
        + inner_vtable
        + inner_table
        + vectors
        + struct.pack("<I", len(data))
        + data
    )


def model(*parameters, version=2, topology=b"topology", header=6):
    records = b"".join(struct.pack("<II", 4 + len(each), 4) + each for each in parameters)
    start = struct.pack("<H16sQ", version, b"v2.10", len(topology)) + topology
    return start + struct.pack("<IHHI", 0, header, len(parameters), 64) + records


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


TOY = model(parameter(b"conv.w", [2, 1, 1, 2], floats(1, 2, 3, 4)), parameter(b"conv.b", [2], floats(5, 6)))


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "toy.nb"
        path.write_bytes(content)
        return path

    return save


def test_parameters_are_read_by_name_and_shape(saved):
    arrays = read_paddle_lite(saved(TOY))
    assert list(arrays) == ["conv.w", "conv.b"]
    assert torch.equal(arrays["conv.w"], torch.tensor([1.0, 2, 3, 4]).reshape(2, 1, 1, 2))
    assert arrays["conv.b"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (model(version=1), "meta version is 1"),
        (model(header=8), "no list of parameters"),
        (TOY + b"x", "something follows"),
        (model(parameter(b"w", [1], floats(1), data_type=2)), "w is not float32"),
        (model(parameter(b"w", [1], floats(1), kind=2)), "w is no tensor"),
        (model(parameter(b"w", [3], floats(1, 2))), "w has 8 bytes for the shape"),
        (model(parameter(b"w", [-1, -2], floats(1, 2))), "w has 8 bytes for the shape"),
        (model(parameter(b"w", [0, 2**62], b"")), "w has 0 bytes for the shape"),
        (b"", "breaks off"),
        (b"PK\x03\x04", "meta version"),
        (struct.pack("<H16sQ", 2, b"v2.10", 2**64 - 1), "breaks off"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_one_sentence(saved, content, reason):
    with pytest.raises(WeightsCorrupt, match=rf"^\S+ cannot be read as a Paddle-Lite model \(.*{reason}.*again$"):
        read_paddle_lite(saved(content))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        read_paddle_lite(tmp_path / "absent.nb")


def test_a_file_cut_off_anywhere_is_refused(saved):
    for length in range(len(TOY)):
        with pytest.raises(WeightsCorrupt):
            read_paddle_lite(saved(TOY[:length]))


def test_damage_never_ends_in_another_error(saved):
    chance, refused = random.Random(7), 0
    for _ in range(400):
        damaged = bytearray(TOY)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read_paddle_lite(saved(bytes(damaged)))
        except WeightsCorrupt:
            refused += 1
    assert refused > 100


def test_the_real_file_holds_what_was_counted(shared: Path):
    arrays = read_paddle_lite(next((shared / "models" / "pyramidbox").glob("*.nb")))
    assert (len(arrays), sum(array.numel() for array in arrays.values())) == (74, 740_656)
    assert arrays["@HUB_pyramidbox_lite_mobile@conv2d_1.w_0"].shape == (48, 32, 3, 3)


def test_the_real_file_cut_off_is_refused(shared: Path, saved):
    content = next((shared / "models" / "pyramidbox").glob("*.nb")).read_bytes()
    for length in (10, 1_000, 168_700, len(content) // 2, len(content) - 1):
        with pytest.raises(WeightsCorrupt):
            read_paddle_lite(saved(content[:length]))
