"""From which cosine on an encoder takes two crops for one person: measured once, kept with the run that measured it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deepguard.errors import WeightsCorrupt
from deepguard.settings import Settings

FILE = "thresholds.json"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is known of one encoder's cosines.

    Attributes:
        far_1e3, far_1e4: the cosine above which one of 1,000 or of 10,000 pairs of different people lies.
        match_1e3, match_1e4: the share of pairs of one person that lie above it.
        groups: of each group of people, the share of its pairs of different people that lie above `far_1e3`.
        run: what measured it: command, date, commit, pictures, pairs, detector, pictures without a face.
    """

    far_1e3: float
    far_1e4: float
    match_1e3: float
    match_1e4: float
    groups: Mapping[str, float]
    run: Mapping[str, str]


def thresholds(encoder: str) -> Thresholds | None:
    """Return what was measured of the encoder of that name; None where nobody did: then no cosine is a match.

    What comes with the installation counts before what the user measured, which is `own_file`. WeightsCorrupt where
    that is something else.
    """
    return _packaged().get(encoder) or _own().get(encoder)


def own_file() -> Path:
    """Return where a user's own measurements lie: beside the weights that they brought."""
    return Settings.from_environment().models / FILE


def read(file: Path) -> dict[str, Thresholds]:
    """Return the thresholds in a file, by encoder; WeightsCorrupt where it is something else."""
    try:
        return parsed(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsCorrupt(
            f"{file} is not what deepguard evaluate encoders wrote; remove it and measure again"
        ) from error


def written(known: Mapping[str, Thresholds]) -> str:
    """Return the text from which `parsed` reads the same."""
    body = {
        name: {field.name: _plain(getattr(each, field.name)) for field in fields(each)} for name, each in known.items()
    }
    return json.dumps(body, indent=1, sort_keys=True) + "\n"


def parsed(text: str) -> dict[str, Thresholds]:
    """Return the thresholds in a file's text, by encoder: each object holds the attributes of `Thresholds`."""
    return {name: _threshold(entry) for name, entry in json.loads(text).items()}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _own() -> Mapping[str, Thresholds]:
    file = own_file()
    return _remembered(file, file.stat().st_mtime_ns) if file.is_file() else {}


@lru_cache(maxsize=4)
def _remembered(file: Path, time: int) -> Mapping[str, Thresholds]:
    return read(file)


@cache
def _packaged() -> Mapping[str, Thresholds]:
    place = files("deepguard.models.encoders") / FILE
    return MappingProxyType(parsed(place.read_text(encoding="utf-8")))


def _threshold(entry: Mapping[str, Any]) -> Thresholds:
    groups, run = (MappingProxyType(dict(entry[name])) for name in ("groups", "run"))
    return Thresholds(
        entry["far_1e3"], entry["far_1e4"], entry["match_1e3"], entry["match_1e4"], groups=groups, run=run
    )
