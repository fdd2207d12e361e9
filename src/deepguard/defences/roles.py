"""What a defence is, and the registry of defences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from deepguard.errors import OptionError
from deepguard.models.roles import FaceDetector
from deepguard.registry import Registry
from deepguard.types import Face, Images, Rng, Watch, ignore


class Defence(Protocol):
    """A named recipe: a frozen dataclass whose plain fields are the options that a user may set."""

    @property
    def surrogates(self) -> Mapping[str, FaceDetector]:
        """The detectors that it attacks, by name."""

    def protect(self, images: Images, faces: list[list[Face]], *, rng: Rng, watch: Watch = ignore) -> Images:
        """Return the images with the given faces of each protected; size and range stay, the rest is untouched."""


Recipe: TypeAlias = Callable[..., Defence]
"""The defence's class: (surrogates by name, through or None, **options) -> defence."""


def settings_of(defence: Defence) -> dict[str, float | int | bool]:
    """Return a defence's options as set: its fields that a user may set, by name."""
    return {name: getattr(defence, name) for name in options_of(type(defence))}


def options_of(recipe: Recipe) -> dict[str, str]:
    """Return the help text of each option that a user may set, by name."""
    return {each.name: each.metadata["help"] for each in _settable(recipe)}


def defaults_of(recipe: Recipe) -> dict[str, Any]:
    """Return the default of each option that a user may set, by name."""
    return {each.name: each.default for each in _settable(recipe)}


def attacked_by(defence: object) -> tuple[str, ...]:
    """Return the names of all models that a defence attacks: its `surrogates`, and its `encoders` if it has any."""
    return tuple(name for role in ("surrogates", "encoders") for name in getattr(defence, role, {}))


def check_least(values: object, **least: float) -> None:
    """Raise OptionError where one of the named fields is below this number, or not finite."""
    for name, lowest in least.items():
        if not lowest <= getattr(values, name) < math.inf:
            raise OptionError(f"{name} is {getattr(values, name)}; it must be at least {lowest}, and finite")


def equipped(recipe: Recipe, tools: Mapping[str, Any]) -> dict[str, Any]:
    """Return those tools, such as measures, that a recipe has a field for."""
    fields = {each.name for each in dataclasses.fields(recipe)}  # type: ignore[arg-type]
    return {name: tool for name, tool in tools.items() if name in fields}


def _settable(recipe: Recipe) -> list[dataclasses.Field[Any]]:
    return [each for each in dataclasses.fields(recipe) if "help" in each.metadata]  # type: ignore[arg-type]


defences: Registry[Recipe] = Registry("defence", "deepguard.defences")
