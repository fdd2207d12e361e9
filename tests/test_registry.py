"""The registry: finds plug-ins in a package, refuses clashes, and says how to get what is missing."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from deepguard.errors import OptionError, WeightsCorrupt, WeightsMissing
from deepguard.registry import Extra, Registry
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
WEIGHTS = Weights("one.bin", 1, hashlib.sha256(b"1").hexdigest(), "MIT", "one byte", ("http://weights.example/one",))
ROLES = "from deepguard.registry import Registry\ntoys = Registry('toy', 'toybox.plugins')\n"
PLUGIN = '''
from toybox.roles import toys

@toys.register("{name}")
def make(files, device):
    """Make {name}.

    More words.
    """
    return "{name}"
'''


@pytest.fixture
def toybox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package with a registry and no plug-in."""
    plugins = tmp_path / "toybox" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "__init__.py").write_text("")
    (plugins.parent / "__init__.py").write_text("")
    (plugins.parent / "roles.py").write_text(ROLES)
    monkeypatch.syspath_prepend(tmp_path)
    yield plugins
    for name in [name for name in sys.modules if name.partition(".")[0] == "toybox"]:
        del sys.modules[name]


def toys() -> Registry[str]:
    registry: Registry[str] = importlib.import_module("toybox.roles").toys
    return registry


def with_one() -> Registry[bytes]:
    """Return a registry of one plug-in; its package has only modules that register nothing."""
    registry: Registry[bytes] = Registry("toy", "xml.parsers")

    @registry.register("one", WEIGHTS)
    def make(files: Sequence[Path], device: torch.device) -> bytes:
        return files[0].read_bytes()

    return registry


def test_each_module_of_the_package_is_a_plug_in(toybox: Path) -> None:
    (toybox / "b.py").write_text(PLUGIN.format(name="bear"))
    (toybox / "a.py").write_text(PLUGIN.format(name="ant"))
    assert toys().names() == ("ant", "bear")
    assert toys().entry("ant").summary == "Make ant."
    assert toys().create("bear", Shelf(toybox), CPU) == "bear"


def test_two_plug_ins_of_one_name_are_refused(toybox: Path) -> None:
    (toybox / "a.py").write_text(PLUGIN.format(name="ant"))
    (toybox / "b.py").write_text(PLUGIN.format(name="ant"))
    with pytest.raises(ValueError, match="two toys are called ant"):
        toys().names()


def test_an_unknown_name_is_answered_with_the_nearest(toybox: Path) -> None:
    (toybox / "a.py").write_text(PLUGIN.format(name="retinaface"))
    with pytest.raises(OptionError, match="no toy called retinafase; did you mean retinaface"):
        toys().entry("retinafase")
    with pytest.raises(OptionError, match="known are: retinaface"):
        toys().create("zzz", Shelf(toybox), CPU)


def test_a_missing_model_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as failure:
        with_one().create("one", Shelf(tmp_path), CPU)
    assert str(failure.value) == "one is not on the shelf; run: deepguard models pull one"


def test_a_damaged_model_is_never_handed_to_its_factory(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(b"2")
    with pytest.raises(WeightsCorrupt, match="deepguard models pull one"):
        with_one().create("one", Shelf(tmp_path), CPU)


def test_what_is_on_the_shelf_is_available(tmp_path: Path) -> None:
    registry, shelf = with_one(), Shelf(tmp_path / "shelf")
    assert registry.available(shelf) == ()
    (tmp_path / "mine").write_bytes(b"1")
    shelf.take(tmp_path / "mine", WEIGHTS)
    assert registry.available(shelf) == ("one",)
    assert registry.create("one", shelf, CPU) == b"1"


def test_a_plug_in_whose_packages_are_not_installed_is_unavailable_and_says_what_brings_them(tmp_path: Path) -> None:
    registry: Registry[str] = Registry("toy", "xml.parsers")

    @registry.register("there", extra=Extra("vit", "json"))
    def there(files: Sequence[Path], device: torch.device) -> str:
        return "there"

    @registry.register("absent", extra=Extra("vit", "no_such_module_at_all"))
    def absent(files: Sequence[Path], device: torch.device) -> str:
        raise AssertionError("its packages are not here")

    assert registry.available(Shelf(tmp_path)) == ("there",)
    assert registry.create("there", Shelf(tmp_path), CPU) == "there"
    with pytest.raises(WeightsMissing) as failure:
        registry.create("absent", Shelf(tmp_path), CPU)
    sentence = "absent needs Python packages that are not installed; run: pip install 'deepguard[vit]'"
    assert str(failure.value) == sentence
