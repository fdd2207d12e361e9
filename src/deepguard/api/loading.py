"""Models on one device, as protecting and proving need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from deepguard.defences.presets import NINE
from deepguard.errors import OptionError, WeightsMissing
from deepguard.measures.roles import Measure, measures
from deepguard.models.roles import Encoder, FaceDetector, detectors, encoders
from deepguard.weights.shelf import Shelf, remembered_digest


@dataclass(frozen=True)
class Models:
    """Loaded models on one device: those that are attacked or judge, what they were made of, and what is missing.

    `detectors` and `encoders` are by name; `files` are each one's files with their SHA-256; `missing` are the usual
    detectors whose weights are not here.
    """

    shelf: Shelf
    device: torch.device
    detectors: Mapping[str, FaceDetector]
    encoders: Mapping[str, Encoder]
    measures: Mapping[str, Measure]
    files: Mapping[str, Mapping[str, str]]
    missing: tuple[str, ...]


def device_named(name: str | None = None) -> torch.device:
    """Return the device: the named one, else a GPU where there is one, else the processor."""
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"this machine has no device {name}; use cpu, or leave --device out") from error
    return device


def load_models(
    shelf: Shelf, device: torch.device, chosen: tuple[str, ...] | None = None, known: tuple[str, ...] | None = None
) -> Models:
    """Load the nine usual detectors that are at hand and the chosen ones, all encoders at hand, and the measures.

    A chosen detector or an encoder that is to be `known` and is not at hand raises WeightsMissing; a usual detector is
    named as missing.
    """
    for name in chosen or ():
        detectors.entry(name)
    telling = tuple(dict.fromkeys((*encoders.available(shelf), *(known or ()))))
    wanted = tuple(dict.fromkeys((*NINE, *(chosen or ()))))
    ready = set(detectors.available(shelf))
    loaded = {name: detectors.create(name, shelf, device) for name in wanted if name in ready or name in (chosen or ())}
    if not loaded:
        raise WeightsMissing("no detector is at hand; run: deepguard models pull")
    vectors = {name: encoders.create(name, shelf, device) for name in telling}
    scales = {name: measures.create(name, shelf, device) for name in measures.available(shelf)}
    entries = [detectors.entry(name) for name in loaded] + [encoders.entry(name) for name in vectors]
    files = {
        each.name: {weights.file: remembered_digest(shelf.path(weights)) for weights in each.weights}
        for each in entries
    }
    return Models(shelf, device, loaded, vectors, scales, files, tuple(name for name in wanted if name not in loaded))
