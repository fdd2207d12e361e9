"""Plug-ins of one role: found in one package, made by name."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from deepguard.errors import WeightsMissing, unknown
from deepguard.weights.catalogue import Weights

if TYPE_CHECKING:
    import torch

    from deepguard.weights.shelf import Shelf

T = TypeVar("T")

Factory: TypeAlias = Callable[[Sequence[Path], "torch.device"], T]
"""Makes the plug-in from its verified weight files, in the order of registration, on a device."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Python packages that come only on demand: the extra's name in this package, and a module that it brings."""

    name: str
    module: str

    @property
    def installed(self) -> bool:
        """Whether the module is there; it is not imported."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def command(self) -> str:
        """The command that brings it."""
        return f"pip install 'deepguard[{self.name}]'"


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One plug-in: its name, what it needs and how it is made. `summary` is its factory's first line."""

    name: str
    weights: tuple[Weights, ...]
    factory: Factory[T]
    summary: str
    extra: Extra | None = None

    @property
    def installed(self) -> bool:
        """Whether the Python packages that it needs are there."""
        return self.extra is None or self.extra.installed


class Registry(Generic[T]):
    """All plug-ins of one kind. The modules of `package` register themselves when they are imported."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, Entry[T]] = {}
        self._discovered = False

    def register(self, name: str, *weights: Weights, extra: Extra | None = None) -> Callable[[Factory[T]], Factory[T]]:
        """Return the decorator that enters a factory under `name`; a name that is taken raises ValueError.

        The module of a plug-in with an `extra` imports its packages in the factory only, as they may not be there.
        """

        def enter(factory: Factory[T]) -> Factory[T]:
            if name in self._entries:
                raise ValueError(f"two {self.kind}s are called {name}")
            summary = (factory.__doc__ or "").strip().split("\n", 1)[0]
            self._entries[name] = Entry(name, weights, factory, summary, extra)
            return factory

        return enter

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        self._discover()
        return tuple(sorted(self._entries))

    def entry(self, name: str) -> Entry[T]:
        """Return the plug-in called `name`, or raise OptionError with the nearest name."""
        self._discover()
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def create(self, name: str, shelf: Shelf, device: torch.device) -> T:
        """Make the plug-in with verified weights, or raise WeightsError saying how to get what is missing."""
        entry = self.entry(name)
        if entry.extra and not entry.installed:
            raise WeightsMissing(f"{name} needs Python packages that are not installed; run: {entry.extra.command}")
        return entry.factory([shelf.path(weights, model=name) for weights in entry.weights], device)

    def available(self, shelf: Shelf) -> tuple[str, ...]:
        """Return the names of the plug-ins whose weights and Python packages are at hand."""
        entries = [self.entry(name) for name in self.names()]
        return tuple(
            entry.name for entry in entries if entry.installed and all(shelf.holds(each) for each in entry.weights)
        )

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        self._discovered = True
