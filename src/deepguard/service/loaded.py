"""The models that a worker keeps in memory between jobs, and what is missing of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from deepguard import api
from deepguard.defences.presets import NINE
from deepguard.measures.roles import measures
from deepguard.models.roles import classifiers, detectors, encoders
from deepguard.registry import Entry, Registry
from deepguard.weights import shelf as shelves
from deepguard.weights.shelf import Shelf


def models(shelf: Shelf, device: torch.device, chosen: tuple[str, ...] = ()) -> api.Models:
    """Return the usual detectors, those that are chosen beside them, and the measures, loaded on the device.

    What was loaded is used again as long as the same weights are here. A chosen detector that is not here raises
    WeightsMissing.
    """
    here = detectors.available(shelf)
    for name in chosen:
        if name not in here:
            # says what is missing and how to get it
            detectors.create(name, shelf, device)
    extra = tuple(sorted(set(chosen) - set(NINE)))
    return _loaded(shelf, device, (here, measures.available(shelf), encoders.available(shelf)), extra)


def judges(shelf: Shelf, device: torch.device, chosen: tuple[str, ...] = ()) -> api.Judges:
    """Return the usual classifiers or the chosen ones, and the detectors that find faces for them, as `models` does."""
    return _judging(shelf, device, (detectors.available(shelf), classifiers.available(shelf)), chosen)


def missing_of(registry: Registry[Any], shelf: Shelf) -> dict[str, str]:
    """Return the models of a registry that are not here, each with the command that brings it."""
    here = registry.available(shelf)
    return {name: command(registry.entry(name), shelf) for name in registry.names() if name not in here}


def missing(shelf: Shelf) -> dict[str, str]:
    """Return the usual detectors that are not here, each with the command that brings it."""
    here = detectors.available(shelf)
    return {name: command(detectors.entry(name), shelf) for name in NINE if name not in here}


def command(entry: Entry[Any], shelf: Shelf) -> str:
    """Return the command that brings what a model lacks."""
    lacking = [weights for weights in entry.weights if not shelf.holds(weights)]
    # first what no other command brings
    first = min(lacking, key=lambda weights: (not weights.package, bool(weights.urls)))
    return shelves.command(first, entry.name)


@lru_cache(maxsize=2)
def _loaded(
    shelf: Shelf, device: torch.device, here: tuple[tuple[str, ...], ...], extra: tuple[str, ...]
) -> api.Models:
    return api.load_models(shelf, device, extra)


@lru_cache(maxsize=2)
def _judging(
    shelf: Shelf, device: torch.device, here: tuple[tuple[str, ...], ...], chosen: tuple[str, ...]
) -> api.Judges:
    return api.load_classifiers(shelf, device, chosen or None)
