from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn import functional

from deepguard import api
from deepguard.defences.roles import Defence, defences, options_of
from deepguard.errors import OptionError
from deepguard.models.anchors import AnchorDetector, cells
from deepguard.models.roles import Evidence
from deepguard.types import Box, Face, Images
from deepguard.weights.shelf import Shelf

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-defence.md"
FACE = Face(Box(48, 48, 96, 96), 0.9)
EPSILON = 8 / 255


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, entered in the registry for one test."""
    defences.names()
    monkeypatch.setattr(defences, "_entries", dict(defences._entries))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "nudge_of_the_page.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nudge_of_the_page", raising=False)
    return importlib.import_module("nudge_of_the_page")


@pytest.fixture
def make(example: ModuleType, empty_shelf: Shelf) -> Callable[..., Defence]:
    return defences.create("nudge", empty_shelf, torch.device("cpu"))


def brightness(images: Images) -> Evidence:
    """A detector of bright blocks: a logit of 0 at a brightness of a half."""
    corners = cells(functional.avg_pool2d(images, 16)) * 16.0
    boxes = torch.cat((corners, corners + 16), dim=-1).expand(len(images), -1, -1)
    return Evidence(100 * (functional.avg_pool2d(images.mean(1, keepdim=True), 16).flatten(1) - 0.5), boxes)


TOY = AnchorDetector(brightness, sides=(160,), threshold=0.5, overlap=0.3)


def picture() -> Images:
    return torch.full((1, 3, 160, 160), 0.51)


def protected(recipe: Defence, seed: int = 0) -> Images:
    return recipe.protect(picture(), [[FACE]], rng=torch.Generator().manual_seed(seed))


def loudest(images: Images) -> float:
    """The highest logit of the blocks inside the face."""
    return float(TOY.evidence(images[..., 48:96, 48:96]).logits.max())


def test_the_pages_example_silences_a_detector_within_its_budget(make: Callable[..., Defence]) -> None:
    changed = protected(make({"toy": TOY}))
    assert loudest(picture()) > 0.9
    assert loudest(changed) < -1
    assert float((changed - picture()).abs().max()) <= EPSILON + 1e-6


def test_the_pages_example_leaves_everything_else_as_it_was(make: Callable[..., Defence]) -> None:
    same = protected(make({"toy": TOY})) == picture()
    assert not same[..., 48:96, 48:96].all()
    reach = round(0.3 * 48) + 1
    same[..., 48 - reach : 96 + reach, 48 - reach : 96 + reach] = True
    assert same.all()


def test_the_pages_example_gives_the_same_picture_for_the_same_seed(make: Callable[..., Defence]) -> None:
    assert torch.equal(protected(make({"toy": TOY})), protected(make({"toy": TOY})))


def test_the_pages_example_refuses_what_makes_no_sense_and_can_be_stopped(make: Callable[..., Defence]) -> None:
    with pytest.raises(OptionError, match="epsilon"):
        make({"toy": TOY}, epsilon=0.0)

    def stop(progress: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        make({"toy": TOY}).protect(picture(), [[FACE]], rng=torch.Generator(), watch=stop)


def test_the_pages_example_is_offered_with_its_options_and_through_the_library(
    example: ModuleType, empty_shelf: Shelf, tmp_path: Path
) -> None:
    from skimage.io import imsave  # noqa: PLC0415 - slow to import

    from deepguard.media.read import read_picture  # noqa: PLC0415

    assert defences.entry("nudge").summary == "Nudge, a toy that shows how a defence is added."
    assert set(options_of(example.Nudge)) == {"epsilon", "steps"}
    noise = (torch.rand(96, 96, 3, generator=torch.Generator().manual_seed(1)) * 255).byte().numpy()
    imsave(tmp_path / "noise.png", noise)
    models = api.load_models(empty_shelf, torch.device("cpu"))
    options = api.Options(defence="nudge", box=Box(24, 24, 72, 72), extra={"steps": 2})
    report = api.protect(read_picture(tmp_path / "noise.png"), models, options).report
    assert (report.defence, report.options["steps"]) == ("nudge", 2)


def test_every_module_that_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    root = PAGE.parents[2]
    for path in re.findall(r"`((?:src|tests)/[\w/]+\.py)`", text):
        assert path.endswith("test_nudge.py") or (root / path).is_file(), path
    for name in re.findall(r"`(deepguard\.[\w.]+)`", text):
        place = root / "src" / name.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
