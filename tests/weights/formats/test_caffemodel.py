import random
import struct
import time
from pathlib import Path

import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.caffemodel import read_caffemodel


def number(value):
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*coded, value])


def field(tag, content):
    """A field that holds bytes, or a varint for an int."""
    if isinstance(content, int):
        return number(tag << 3) + number(content)
    return number(tag << 3 | 2) + number(len(content)) + content


def shape(*sizes):
    return field(7, field(1, b"".join(number(size) for size in sizes)))


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def layer(name, *blobs):
    return field(100, field(1, name.encode()) + field(2, b"Convolution") + b"".join(field(7, blob) for blob in blobs))


def net(*layers):
    return field(1, b"toy") + b"".join(layers)


TOY = net(
    layer("data"),
    layer("conv", shape(2, 1, 1, 2) + field(5, floats(1, 2, 3, 4)), shape(2) + field(5, floats(5, 6))),
    layer("scale", shape(1) + field(5, floats(0.5))),
)


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "toy.caffemodel"
        path.write_bytes(content)
        return path

    return save


def test_blobs_are_read_by_layer_in_order_and_shape(saved):
    layers = read_caffemodel(saved(TOY))
    assert list(layers) == ["conv", "scale"]
    weight, bias = layers["conv"]
    assert torch.equal(weight, torch.tensor([1.0, 2, 3, 4]).reshape(2, 1, 1, 2))
    assert torch.equal(bias, torch.tensor([5.0, 6]))
    assert all(blob.dtype == torch.float32 for blobs in layers.values() for blob in blobs)


def test_values_that_are_not_packed_are_read(saved):
    loose = b"".join(number(5 << 3 | 5) + floats(value) for value in (1, 2, 3))
    sizes = field(7, field(1, 3))
    (blob,) = read_caffemodel(saved(net(layer("conv", sizes + loose))))["conv"]
    assert blob.tolist() == [1, 2, 3]


def test_the_old_four_sizes_are_read(saved):
    sizes = field(1, 1) + field(2, 1) + field(3, 2) + field(4, 3)
    (blob,) = read_caffemodel(saved(net(layer("conv", sizes + field(5, floats(*range(6)))))))["conv"]
    assert blob.shape == (1, 1, 2, 3)


@pytest.mark.parametrize(("kind", "code"), [(0, "d"), (1, "f"), (2, "e")])
def test_raw_blobs_of_nvcaffe_are_read(saved, kind, code):
    raw = struct.pack(f"<3{code}", 0.5, -1.25, 2)
    (blob,) = read_caffemodel(saved(net(layer("conv", shape(3) + field(10, kind) + field(12, raw)))))["conv"]
    assert blob.dtype == torch.float32
    assert blob.tolist() == [0.5, -1.25, 2]


def test_a_raw_type_that_nobody_knows_is_refused(saved):
    with pytest.raises(WeightsCorrupt, match="raw type 9"):
        read_caffemodel(saved(net(layer("conv", shape(1) + field(10, 9) + field(12, b"1234")))))


@pytest.mark.parametrize(
    "blob",
    [
        shape(3) + field(5, floats(1, 2)),
        shape(0, 2**62) + field(5, b""),
        shape(2**63, 2**63) + field(5, floats(1)),
        shape(2) + field(5, floats(1, 2)[:-1]),
        shape(1) + field(5, 7),
        field(1, floats(1)) + field(5, floats(1)),
    ],
)
def test_a_blob_whose_values_and_shape_disagree_is_refused(saved, blob):
    with pytest.raises(WeightsCorrupt, match="cannot be read as a caffemodel"):
        read_caffemodel(saved(net(layer("conv", blob))))


def test_two_layers_of_one_name_are_refused(saved):
    twice = layer("conv", shape(1) + field(5, floats(1)))
    with pytest.raises(WeightsCorrupt, match="two layers are called conv"):
        read_caffemodel(saved(net(twice, twice)))


def test_a_file_cut_off_anywhere_is_refused_or_holds_only_whole_layers(saved):
    whole = read_caffemodel(saved(TOY))
    refused = 0
    for length in range(len(TOY)):
        try:
            part = read_caffemodel(saved(TOY[:length]))
        except WeightsCorrupt:
            refused += 1
        else:
            assert all(torch.equal(blob, whole[name][0]) for name, (blob, *_) in part.items())
    assert refused >= len(TOY) - 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no protobuf", b"\xff" * 64, field(1, b"a net of no layers")])
def test_a_foreign_file_is_refused_with_one_sentence(saved, content):
    with pytest.raises(WeightsCorrupt, match=r"^\S+ cannot be read as a caffemodel \(.+\); fetch it again$"):
        read_caffemodel(saved(content))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        read_caffemodel(tmp_path / "absent.caffemodel")


def test_damage_never_ends_in_another_error(saved):
    chance, refused = random.Random(7), 0
    for _ in range(400):
        damaged = bytearray(TOY)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            read_caffemodel(saved(bytes(damaged)))
        except WeightsCorrupt:
            refused += 1
    assert refused > 100


def test_half_a_megabyte_of_noise_is_refused_quickly(saved):
    start = time.monotonic()
    with pytest.raises(WeightsCorrupt):
        read_caffemodel(saved(field(100, b"\x08\x00" * 250_000) + random.Random(7).randbytes(10_000)))
    assert time.monotonic() - start < 5


def test_the_real_file_holds_what_was_counted(shared: Path):
    layers = read_caffemodel(next((shared / "models" / "s3fd").glob("*.caffemodel")))
    blobs = [blob for each in layers.values() for blob in each]
    assert (len(layers), len(blobs), sum(blob.numel() for blob in blobs)) == (196, 392, 917_026)
    assert layers["conv_1/expand_"][0].shape == (48, 24, 1, 1)


def test_the_real_file_cut_off_is_refused(shared: Path, saved):
    content = next((shared / "models" / "s3fd").glob("*.caffemodel")).read_bytes()
    for length in (10, 1_000, 100_001, len(content) // 2, len(content) - 1):
        with pytest.raises(WeightsCorrupt):
            read_caffemodel(saved(content[:length]))
