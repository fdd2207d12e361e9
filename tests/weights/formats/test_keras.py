from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.keras import read_keras

KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file with one layer, as Keras lays it out."""
    path = tmp_path / "toy.h5"
    with h5py.File(path, "w") as file:
        layer = file.create_group("conv_1/conv_1")
        layer["kernel:0"], layer["bias:0"] = KERNEL, np.float32([5, 6])
        file.create_group("flatten_1")
        file["conv_1"].attrs["weight_names"] = [b"conv_1/kernel:0", b"conv_1/bias:0"]
    return path


def test_parameters_come_back_by_layer_and_name(written: Path) -> None:
    found = read_keras(written)
    assert set(found) == {"conv_1/kernel", "conv_1/bias"}
    assert torch.equal(found["conv_1/kernel"], torch.from_numpy(KERNEL))
    assert found["conv_1/bias"].tolist() == [5, 6]


def test_links_are_not_followed(written: Path, tmp_path: Path) -> None:
    with h5py.File(written, "a") as file:
        file["dense_1/dense_1/kernel:0"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/kernel")
        file["dense_2/dense_2/kernel:0"] = h5py.SoftLink("/conv_1/conv_1/bias:0")
    assert set(read_keras(written)) == {"conv_1/kernel", "conv_1/bias"}


def test_values_that_another_file_holds_are_refused(written: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    with h5py.File(written, "a") as file:
        file.create_dataset("x/x/kernel:0", (2,), "f4", external=[(str(tmp_path / "secret.bin"), 0, 8)])
    with pytest.raises(WeightsCorrupt, match="does not lie in the file"):
        read_keras(written)


@pytest.mark.parametrize("packed", [{"compression": "gzip"}, {"chunks": (1,)}])
def test_packed_values_are_refused_so_that_no_filter_is_loaded(written: Path, packed: dict[str, object]) -> None:
    with h5py.File(written, "a") as file:
        file.create_dataset("x/x/kernel:0", data=np.float32([1, 2]), **packed)
    with pytest.raises(WeightsCorrupt, match="does not lie in the file"):
        read_keras(written)


def test_a_size_that_the_file_does_not_hold_takes_no_memory(written: Path) -> None:
    with h5py.File(written, "a") as file:
        # nothing is written, so nothing is stored, whatever shape is stated
        file.create_dataset("x/x/kernel:0", (1 << 40,), "f4")
    with pytest.raises(WeightsCorrupt, match="has 0 bytes for the shape"):
        read_keras(written)


@pytest.mark.parametrize("values", [np.float64([1]), np.int32([1]), np.bytes_(b"code")])
def test_anything_but_float32_is_refused(written: Path, values: object) -> None:
    with h5py.File(written, "a") as file:
        file["x/x/kernel:0"] = values
    with pytest.raises(WeightsCorrupt, match="not float32"):
        read_keras(written)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_with_one_sentence(written: Path, share: float) -> None:
    written.write_bytes(written.read_bytes()[: int(written.stat().st_size * share)])
    with pytest.raises(WeightsCorrupt, match=r"toy\.h5 cannot be read as Keras weights .*; fetch it again"):
        read_keras(written)


def test_an_empty_file_of_the_format_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    h5py.File(tmp_path / "empty.h5", "w").close()
    for name in ("empty.h5", "missing.h5"):
        with pytest.raises(WeightsCorrupt):
            read_keras(tmp_path / name)


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.h5").write_bytes(np.random.default_rng(3).bytes(5000))
    with pytest.raises(WeightsCorrupt):
        read_keras(tmp_path / "noise.h5")
