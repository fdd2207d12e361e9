"""What a run leaves so that it can go on: written whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from deepguard.errors import OutputError, WeightsCorrupt

LAST, BEST, LOG = "last.pt", "best.safetensors", "log.csv"


@dataclass(frozen=True, slots=True)
class Progressed:
    """Where a run stands: steps done, the best score and how many validations ago, and all that goes on from there."""

    step: int
    best: float
    stale: int
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]


def save(folder: Path, progressed: Progressed) -> None:
    """Write the checkpoint; OutputError where there is no room, and the one before stays."""
    body = {name: getattr(progressed, name) for name in Progressed.__slots__}
    _placed(folder / LAST, lambda part: torch.save(body, part))


def resume(folder: Path) -> Progressed | None:
    """Return the checkpoint, None where there is none; WeightsCorrupt where it cannot be read."""
    file = folder / LAST
    if not file.is_file():
        return None
    try:
        return Progressed(**torch.load(file, map_location="cpu", weights_only=True))
    except (OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError, UnpicklingError) as error:
        raise WeightsCorrupt(
            f"{file} is damaged or of another version; delete it to begin anew, or name another --out"
        ) from error


def keep(folder: Path, weights: Mapping[str, Tensor]) -> Path:
    """Write the best weights in half precision, a third to a half of a checkpoint's size."""
    halved = {name: _half(value).contiguous() for name, value in weights.items()}
    file = folder / BEST
    _placed(file, lambda part: save_file(halved, part))
    return file


def note(folder: Path, row: Mapping[str, object]) -> None:
    """Add a line to the log in the place of those of its step and later ones, which a stopped run may have left."""
    file, written = folder / LOG, io.StringIO()
    writer = csv.DictWriter(written, list(row))
    writer.writeheader()
    writer.writerows(
        each for each in _rows(file) if list(each) == list(row) and int(each["step"]) < int(str(row["step"]))
    )
    writer.writerow(row)
    _placed(file, lambda part: part.write_bytes(written.getvalue().encode()))


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _placed(file: Path, write: Any) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        write(part)
        part.replace(file)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or "no space or no right to write"
        raise OutputError(
            f"{file} cannot be written ({why}); free space, then run the same command again: it goes on from the "
            "checkpoint before"
        ) from error
