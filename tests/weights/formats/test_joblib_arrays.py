from __future__ import annotations

import importlib.metadata
import pickle
from pathlib import Path

import joblib
import lz4.frame
import numpy as np
import pytest

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.joblib_arrays import read_arrays


def written(file: Path, content: object) -> Path:
    joblib.dump(content, file, compress=("lz4", 3))
    return file


def test_arrays_come_back_as_joblib_wrote_them(tmp_path: Path) -> None:
    arrays = [np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.float32([0.5]), np.zeros((1, 1, 7), np.float32)]
    found = read_arrays(written(tmp_path / "three.lz4", arrays))
    assert [each.shape for each in found] == [(2, 3, 4), (1,), (1, 1, 7)]
    assert all(np.array_equal(one, other) for one, other in zip(arrays, found, strict=True))


@pytest.mark.parametrize("stage", ["pnet", "rnet", "onet"])
def test_the_packaged_networks_read_as_joblib_reads_them(stage: str) -> None:
    file = Path(str(importlib.metadata.distribution("mtcnn").locate_file(f"mtcnn/assets/weights/{stage}.lz4")))
    expected = joblib.load(file)
    assert all(np.array_equal(one, other) for one, other in zip(expected, read_arrays(file), strict=True))


def test_a_pickle_that_calls_a_function_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)

    file = tmp_path / "trap.lz4"
    file.write_bytes(lz4.frame.compress(pickle.dumps([Trap()])))
    with pytest.raises(WeightsCorrupt, match="not a list of arrays"):
        read_arrays(file)
    assert not (tmp_path / "sprung").exists()


def test_no_name_of_the_machine_is_reachable_through_a_known_module(tmp_path: Path) -> None:
    file = tmp_path / "load.lz4"
    file.write_bytes(lz4.frame.compress(b"cnumpy\nload\n(S'elsewhere'\ntR."))
    with pytest.raises(WeightsCorrupt):
        read_arrays(file)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused_with_one_sentence(tmp_path: Path, share: float) -> None:
    file = written(tmp_path / "whole.lz4", [np.random.default_rng(1).random((8, 8), dtype=np.float32)])
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(WeightsCorrupt, match="delete it and install its package again"):
        read_arrays(file)


def test_numbers_cut_short_inside_an_intact_frame_are_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "whole.lz4", [np.ones((8, 8), np.float32)])
    file.write_bytes(lz4.frame.compress(lz4.frame.decompress(file.read_bytes())[:-40]))
    with pytest.raises(WeightsCorrupt):
        read_arrays(file)


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        [1, 2],
        "text",
        None,
        [np.ones(3, np.float64)],
        [np.ones(3, ">f4")],
        [np.array(["text"], dtype=object)],
        [np.asfortranarray(np.ones((2, 3), np.float32))],
    ],
)
def test_anything_but_a_list_of_float32_arrays_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(WeightsCorrupt):
        read_arrays(written(tmp_path / "other.lz4", content))


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "noise.lz4"
    file.write_bytes(np.random.default_rng(3).bytes(500))
    with pytest.raises(WeightsCorrupt):
        read_arrays(file)
