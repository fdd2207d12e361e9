from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from deepguard.models.swappers.roles import swappers
from deepguard.prove.bench import Bench, attempt
from deepguard.types import Box, Face

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-swapper.md"
MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, entered in the registry for one test."""
    swappers.names()
    monkeypatch.setattr(swappers, "_entries", dict(swappers._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "stamp_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "stamp_of_the_page", raising=False)
    return importlib.import_module("stamp_of_the_page")


@pytest.mark.usefixtures("example")
def test_the_pages_example_can_be_tried_by_the_proof(astronaut: Tensor) -> None:
    stamp = swappers.entry("stamp").factory([], torch.device("cpu"))
    result = attempt(Bench(stamp, "hopper", {}, {}), astronaut, Face(Box(178, 62, 269, 177), 1.0, MARKS), show="tile")
    assert result.extracted
    assert result.tile is not None
    assert result.tile.shape == (1, 3, 512, 512)


@pytest.mark.usefixtures("example")
def test_the_pages_example_is_listed_with_its_sentence() -> None:
    assert swappers.entry("stamp").summary == "Stamp, a toy that shows how a swapper is added."
    assert swappers.entry("stamp").weights == ()


def test_every_file_that_the_page_names_exists() -> None:
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+(?:\.py|/))`", PAGE.read_text(encoding="utf-8")):
        assert (root / path).exists(), path
