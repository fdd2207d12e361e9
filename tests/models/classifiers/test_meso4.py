from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.models.classifiers.meso4 import WEIGHTS, Meso4, meso4
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


@pytest.fixture
def classifier(stock: Callable[..., Shelf]) -> Meso4:
    return meso4([stock(WEIGHTS).path(WEIGHTS)], CPU)


@pytest.fixture
def golden(shared: Path) -> dict[str, Any]:
    with np.load(shared / "models" / "golden" / "meso4-df.npz") as file:
        return dict(file)


def test_the_golden_crop_has_the_golden_figures(classifier: Meso4, golden: dict[str, Any]) -> None:
    crops = torch.from_numpy(golden["input_u8"]).float() / 255
    maps = classifier.maps(crops)
    figures = maps.mean().item(), maps.std().item()
    assert figures == pytest.approx(golden["tap_block4_mean_std"], abs=1e-4)
    flat = maps.permute(0, 2, 3, 1).flatten(1).numpy()
    np.testing.assert_allclose(flat, golden["flatten_hwc"], atol=1e-4)


def test_its_logit_of_real_is_turned_about(classifier: Meso4, golden: dict[str, Any]) -> None:
    crops = torch.from_numpy(golden["input_u8"]).float() / 255
    fakeness = classifier.fakeness(crops)
    assert fakeness.numpy() == pytest.approx(-golden["logit"][:, 0], abs=1e-4)
    assert golden["score"][0, 0] > 0.9, "the authors' 1 is real"
    assert fakeness[0] < 0, "a real face lies on our real side"


def test_another_network_in_the_same_format_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["dense_1/dense_1/kernel:0"] = np.ones((2, 2), np.float32)
    with pytest.raises(WeightsCorrupt, match="another network than Meso4"):
        meso4([tmp_path / "other.h5"], CPU)
