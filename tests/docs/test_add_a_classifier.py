from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from deepguard.models.roles import Classifier, classifiers

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-classifier.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, entered in the registry for one test."""
    classifiers.names()
    monkeypatch.setattr(classifiers, "_entries", dict(classifiers._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "grain_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "grain_of_the_page", raising=False)
    return importlib.import_module("grain_of_the_page")


@pytest.fixture
def grain(example: ModuleType, tmp_path: Path) -> Classifier:
    torch.save({"gain": torch.tensor(100.0), "level": torch.tensor(0.01)}, tmp_path / "grain.pth")
    return classifiers.entry("grain").factory([tmp_path / "grain.pth"], torch.device("cpu"))


def test_the_pages_example_says_what_it_promises(grain: Classifier, rng: torch.Generator) -> None:
    plain, grainy = torch.full((1, 3, 64, 64), 0.5), torch.rand(1, 3, 64, 64, generator=rng)
    crops = torch.cat((plain, grainy)).requires_grad_()
    real, fake = grain.fakeness(crops)
    assert real < 0 < fake
    (gradient,) = torch.autograd.grad(fake, crops)
    assert (gradient != 0).any()


def test_the_pages_example_is_listed_with_its_sentence(example: ModuleType) -> None:
    assert classifiers.entry("grain").summary == "Grain, a toy that shows how a classifier is added."
    assert classifiers.entry("grain").weights == (example.WEIGHTS,)


def test_every_module_that_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", text):
        assert (root / path).is_file(), path
    for name in re.findall(r"`(deepguard\.[\w.]+)`", text):
        place = root / "src" / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
