"""Import of a folder: finds what the shelf needs by content, whatever the files are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepguard.errors import WeightsCorrupt, WeightsMissing
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of an import.

    Attributes:
        taken: each file that was copied onto the shelf, and what it is.
        present: what was offered, but lay on the shelf already.
        wrong: each file that was not taken although its name says that it should be, and why, in one sentence.
        missing: what the shelf still lacks.
    """

    taken: tuple[tuple[Path, Weights], ...]
    present: tuple[Weights, ...]
    wrong: tuple[tuple[Path, str], ...]
    missing: tuple[Weights, ...]


def intake(shelf: Shelf, folders: Iterable[Path], known: Sequence[Weights]) -> Intake:
    """Copy everything that is one of `known` from the folders and all below them onto the shelf.

    A file counts by its content where a hash is published, else by its name here or at its source; at its source many
    files may have that name, so one of another content is passed over in silence. A wrong file does not stop the
    rest; OutputError, where the shelf cannot be written, does.
    """
    wanted = tuple(weights for weights in known if not weights.package)
    taken: dict[Weights, Path] = {}
    present: list[Weights] = []
    wrong: list[tuple[Path, str]] = []
    for file, weights in _offers(folders, wanted):
        fault = shelf.fault(file, weights)
        if fault and file.name == weights.file:
            wrong.append((file, f"{file} is not the file that its name says: it {fault}"))
        elif not fault and _ready(shelf, weights):
            present.append(weights)
        elif not fault:
            shelf.take(file, weights)
            taken[weights] = file
    return Intake(
        tuple((file, weights) for weights, file in taken.items()),
        tuple(dict.fromkeys(weights for weights in present if weights not in taken)),
        tuple(wrong),
        tuple(weights for weights in wanted if not _ready(shelf, weights)),
    )


def _offers(folders: Iterable[Path], wanted: Sequence[Weights]) -> Iterator[tuple[Path, Weights]]:
    """Yield each file beside each of `wanted` that it could be, by its name or its size."""
    for folder in folders:
        for file in sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names):
            # pipes and dead links have nothing to read
            if not file.is_file():
                continue
            size = file.stat().st_size
            for weights in wanted:
                if file.name in {weights.file, weights.published} or (weights.sha256 and 0 < weights.size == size):
                    yield file, weights


def _ready(shelf: Shelf, weights: Weights) -> bool:
    try:
        return shelf.path(weights).is_file()
    except (WeightsMissing, WeightsCorrupt):
        return False
