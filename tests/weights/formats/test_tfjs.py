import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.weights.formats.tfjs import read_tfjs

PLAIN = {"name": "a/b", "shape": [2, 2], "dtype": "float32"}
EIGHT = {
    "name": "c",
    "shape": [3],
    "dtype": "float32",
    "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
}
CONTENT = np.arange(4, dtype="<f4").tobytes() + bytes([0, 2, 255])


def written(folder: Path, manifest: object, content: bytes = CONTENT) -> tuple[Path, Path]:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "data.bin").write_bytes(content)
    return folder / "manifest.json", folder / "data.bin"


def test_plain_and_quantised_tensors_are_read_one_after_the_other(tmp_path: Path) -> None:
    tensors = read_tfjs(*written(tmp_path, [{"paths": ["x"], "weights": [PLAIN]}, {"weights": [EIGHT]}]))
    assert torch.equal(tensors["a/b"], torch.arange(4.0).reshape(2, 2))
    assert torch.equal(tensors["c"], torch.tensor([-1.0, 0.0, 126.5]))


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        [],
        [1],
        [{"weights": [PLAIN]}],
        [{"weights": [{**PLAIN, "dtype": "string"}]}],
        [{"weights": [{**PLAIN, "shape": [2, -3]}]}],
        [{"weights": [{**PLAIN, "shape": [200, 200]}]}],
    ],
    ids=["an object", "empty", "numbers", "too little", "text", "a negative side", "too much"],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, manifest: object) -> None:
    with pytest.raises(WeightsCorrupt, match="fetch both again"):
        read_tfjs(*written(tmp_path, manifest))


def test_a_missing_or_torn_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="fetch both again"):
        read_tfjs(tmp_path / "none.json", tmp_path / "none.bin")
    manifest, data = written(tmp_path, [])
    manifest.write_bytes(b"[{\xff")
    with pytest.raises(WeightsCorrupt, match="fetch both again"):
        read_tfjs(manifest, data)
