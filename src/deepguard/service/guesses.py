"""The first guess at how long a job takes, from what workers publish of its kind (`kinds.roles.Ability`, as JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Size:
    """How large a file is: a picture in megapixels, a clip in megabytes."""

    amount: float
    clip: bool = False


def first_guess(ability: Mapping[str, Any], options: Mapping[str, Any], size: Size) -> float:
    """Return the seconds of work on a file of this size, as far as the user's own options tell."""
    variant = variant_of(ability, options)
    seconds: Mapping[str, Sequence[float]] = ability["seconds"]
    fixed, each = _of(seconds, variant) or next(iter(seconds.values()), (0.0, 0.0))
    if size.clip and ability.get("clips"):
        fixed, each = ability["clips"]
    return (float(fixed) + float(each) * size.amount) * _load(ability, options, variant)


def variant_of(ability: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Return the preset that options stand on, "" where the kind has none."""
    preset = ability["schema"].get("properties", {}).get("preset", {})
    return str(options.get("preset") or preset.get("default") or "")


def _load(ability: Mapping[str, Any], options: Mapping[str, Any], variant: str) -> float:
    """Return how much work the options are, where the preset as it stands is 1."""
    # workers of an earlier version say nothing of it
    grows: Mapping[str, Mapping[str, float]] = ability.get("grows", {})
    factor = 1.0
    for name, measured in grows.items():
        amount, usual = options.get(name), _of(measured, variant)
        if amount is not None and usual:
            factor *= _amount(amount) / float(usual)
    still = float(ability.get("still", 1.0))
    return still + (1 - still) * factor


def _of(values: Mapping[str, Any], variant: str) -> Any:
    return values.get(variant) or values.get("")


def _amount(value: Any) -> float:
    return float(value if isinstance(value, int | float) else len(value))
