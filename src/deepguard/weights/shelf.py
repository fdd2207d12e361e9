"""The folder of verified weight files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deepguard.errors import WeightsCorrupt, WeightsMissing
from deepguard.weights.catalogue import Weights


@dataclass(frozen=True, slots=True)
class Shelf:
    """Weight files in `directory`, each of them checked before anybody reads it."""

    directory: Path

    def holds(self, weights: Weights) -> bool:
        """Return whether the file is at hand; its content is checked by `path`."""
        return self._place(weights).is_file()

    def path(self, weights: Weights) -> Path:
        """Return the verified file, or raise WeightsMissing or WeightsCorrupt."""
        place = self._place(weights)
        if not place.is_file():
            raise WeightsMissing(f"{weights.file} is not on the shelf; run: deepguard models pull")
        if not _matches(place, weights):
            raise WeightsCorrupt(f"{place} is damaged; delete it and run: deepguard models pull")
        return place

    def take(self, file: Path, weights: Weights) -> Path:
        """Copy a file that is `weights` onto the shelf; WeightsCorrupt if it is something else."""
        if not _matches(file, weights):
            raise WeightsCorrupt(f"{file} is not {weights.file}: its content differs from what was pinned")
        self.directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.directory, prefix=".", suffix=".part")
        os.close(handle)
        shutil.copyfile(file, name)
        return Path(name).replace(self._place(weights))

    def _place(self, weights: Weights) -> Path:
        if weights.package:
            distribution, _, path = weights.package.partition(":")
            return Path(str(importlib.metadata.distribution(distribution).locate_file(path)))
        return self.directory / weights.file


def _matches(file: Path, weights: Weights) -> bool:
    if weights.size and file.stat().st_size != weights.size:
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().startswith(weights.sha256)
