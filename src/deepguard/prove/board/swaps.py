"""What face swappers make of a folder of photos: the figures of many proofs together."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepguard.prove.board.records import Absent
from deepguard.prove.intervals import share_of
from deepguard.prove.proof import DELIVERED, ORIGINAL, PROTECTED, Proof, Share, Swap
from deepguard.prove.reading import read

SCHEMA = "deepguard/swap-board/1"

LEAST = 0.05
"""CIDR that a change must cost as delivered for its robustness to be told: less is chance."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """One photo: its name and SHA-256, and a proof for each change of it, by the change's name."""

    name: str
    sha256: str
    proofs: Mapping[str, Proof]


@dataclass(frozen=True)
class SwapBoard:
    """Everything that one run measured, enough to draw its tables; see `records.Board` for what is alike."""

    version: str
    created: str
    complete: bool
    machine: str
    options: Mapping[str, Any]
    photos: tuple[Swapped, ...]
    left_out: tuple[Absent, ...]
    failed: tuple[Absent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the board as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

    def changes(self) -> tuple[str, ...]:
        """Return the names of all changes."""
        return tuple(dict.fromkeys(name for photo in self.photos for name in photo.proofs))

    def proofs(self, change: str) -> list[Proof]:
        """Return the proofs of one change."""
        return [photo.proofs[change] for photo in self.photos if change in photo.proofs]


def board_from(body: Any) -> SwapBoard:
    """Return the board of its JSON values; InputError for anything else."""
    return read(SwapBoard, body, SCHEMA, "deepguard bench swap")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One face's swap in one arm and column: cosines of the original's and of this one, and CIDR."""

    before: float | None
    after: float | None
    cidr: float | None


def outcomes(proofs: Iterable[Proof], swapper: str, arm: str, column: str, encoder: str) -> list[Outcome]:
    """Return what came of every face; nothing where that was not tried."""
    return [
        Outcome(before, after, lost)
        for swap in _swaps(proofs, swapper)
        for before, after, lost in zip(*_rows(swap, arm, column, encoder), strict=True)
    ]


def _rows(swap: Swap, arm: str, column: str, encoder: str) -> Iterator[Sequence[float | None]]:
    for kept, of in ((swap.cosines, ORIGINAL), (swap.cosines, arm), (swap.cidr, arm)):
        yield kept.get(of, {}).get(column, {}).get(encoder, ())


def _swaps(proofs: Iterable[Proof], swapper: str) -> Iterator[Swap]:
    return (swap for proof in proofs for swap in proof.swaps if swap.swapper == swapper)


def matched(found: Sequence[Outcome], threshold: float) -> Share:
    """Return how many of the original's swaps are taken for the victim."""
    return share_of(None if each.before is None else each.before > threshold for each in found)


def failed(found: Sequence[Outcome], threshold: float) -> Share:
    """Return how many swaps fail of those whose original's matched: the conditional swap-failure rate."""
    return share_of(
        each.after is None or each.after <= threshold
        for each in found
        if each.before is not None and each.before > threshold
    )


def mean_cidr(found: Sequence[Outcome]) -> float | None:
    """Return the mean CIDR; None where none was measured."""
    known = [each.cidr for each in found if each.cidr is not None]
    return statistics.fmean(known) if known else None


def unextracted(proofs: Iterable[Proof], swapper: str, arm: str, column: str = DELIVERED) -> Share:
    """Return how many faces none of the attacker's detectors finds (FDFR)."""
    return share_of(
        each for swap in _swaps(proofs, swapper) for each in swap.failed_extraction.get(arm, {}).get(column, ())
    )


def robustness(proofs: Sequence[Proof], swapper: str, encoder: str, probes: Sequence[str]) -> float | None:
    """Return ROB: the mean over faces and probes of min(1, CIDR after the probe / CIDR before), in [0, 1]."""
    kept = []
    for proof in proofs:
        before = outcomes([proof], swapper, PROTECTED, DELIVERED, encoder)
        after = [outcomes([proof], swapper, PROTECTED, probe, encoder) for probe in probes]
        for place, first in enumerate(before):
            then = [each[place].cidr for each in after if each]
            known = [each for each in then if each is not None]
            if first.cidr is not None and first.cidr >= LEAST and known:
                kept.append(statistics.fmean(min(1.0, each / first.cidr) for each in known))
    return statistics.fmean(kept) if kept else None
