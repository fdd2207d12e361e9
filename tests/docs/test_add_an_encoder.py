from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.models.roles import Encoder, encoders

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-encoder.md"
CPU = torch.device("cpu")


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, entered in the registry for one test."""
    encoders.names()
    monkeypatch.setattr(encoders, "_entries", dict(encoders._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "tint_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tint_of_the_page", raising=False)
    return importlib.import_module("tint_of_the_page")


@pytest.fixture
def tint(example: ModuleType, tmp_path: Path) -> Encoder:
    torch.save({"mix": torch.eye(27, 32)}, tmp_path / "tint.pth")
    return encoders.entry("tint").factory([tmp_path / "tint.pth"], CPU)


def test_the_pages_example_tells_two_faces_apart_with_a_gradient(tint: Encoder, rng: torch.Generator) -> None:
    parts = torch.rand(2, 3, 3, 3, generator=rng)
    faces = torch.nn.functional.interpolate(parts, (tint.template.height, tint.template.width))
    noisy = (faces + 0.05 * torch.randn(faces.shape, generator=rng)).requires_grad_()
    same = (tint.embed(faces) * tint.embed(noisy)).sum(dim=1)
    assert (same > 0.99).all()
    assert tint.embed(faces)[0] @ tint.embed(faces)[1] < 0.9
    (gradient,) = torch.autograd.grad(same.sum(), noisy)
    assert (gradient != 0).any()


def test_the_pages_example_refuses_another_file(example: ModuleType, tmp_path: Path) -> None:
    torch.save({"mix": torch.eye(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsCorrupt, match="another network than Tint"):
        encoders.entry("tint").factory([tmp_path / "other.pth"], CPU)


def test_the_pages_example_is_listed_with_its_sentence(example: ModuleType) -> None:
    assert encoders.entry("tint").summary == "Tint, a toy that shows how an encoder is added."
    assert encoders.entry("tint").weights == (example.WEIGHTS,)


def test_every_module_that_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", text):
        assert (root / path).is_file(), path
    for name in re.findall(r"`(deepguard\.[\w.]+)`", text):
        place = root / "src" / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
