from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from deepguard.models.roles import FaceDetector, detectors

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-detector.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, entered in the registry for one test."""
    detectors.names()
    monkeypatch.setattr(detectors, "_entries", dict(detectors._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "disc_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "disc_of_the_page", raising=False)
    return importlib.import_module("disc_of_the_page")


@pytest.fixture
def disc(example: ModuleType, tmp_path: Path) -> FaceDetector:
    # brighter than the ring around it: the middle counts, the edge counts against it
    weight = torch.full((1, 3, 16, 16), -0.05)
    weight[:, :, 4:12, 4:12] = 0.15
    torch.save({"weight": weight, "bias": torch.tensor([-2.0])}, tmp_path / "disc.pth")
    return detectors.entry("disc").factory([tmp_path / "disc.pth"], torch.device("cpu"))


def test_the_pages_example_finds_what_it_says(disc: FaceDetector) -> None:
    images = torch.zeros(2, 3, 160, 320)
    images[1, :, 52:60, 100:108] = 1
    assert disc.detect(images, scales=(1.0,))[0] == []
    (face,) = disc.detect(images, scales=(1.0,))[1]
    assert (face.box.left, face.box.top, face.box.right, face.box.bottom) == (96, 48, 112, 64)


def test_the_pages_example_has_a_gradient_at_any_size(disc: FaceDetector) -> None:
    images = torch.rand(1, 3, 33, 50, generator=torch.Generator().manual_seed(2)).requires_grad_()
    evidence = disc.evidence(images)
    assert evidence.logits.shape == (1, 3 * 4)
    assert evidence.boxes.shape == (1, 3 * 4, 4)
    evidence.logits.sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).any()


def test_the_pages_example_is_listed_with_its_sentence(example: ModuleType) -> None:
    assert "disc" in detectors.names()
    assert detectors.entry("disc").summary == "Disc, a toy that shows how a detector is added."
    assert detectors.entry("disc").weights == (example.WEIGHTS,)


def test_every_module_that_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", text):
        assert path.endswith("test_disc.py") or (root / path).is_file()
    for name in re.findall(r"`(deepguard[./][\w./]+)`", text):
        place = root / "src" / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file()
