"""A proof as a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from deepguard.prove.board.parts import printable, table
from deepguard.prove.grids import Grid, grids
from deepguard.prove.proof import Proof
from deepguard.prove.words import fine_print, judged, summary

LEGEND = """\
Detectors: how many of the faces they find at their own threshold; "tried again" is an attacker with threshold 0.3, half
and twofold size, and the picture turned by 15, 30 and 90 degrees. Encoders: the cosine with the same face in the
original, cut where the original's landmarks lie; "same" is above the encoder's threshold at a false-accept rate of
1e-3. CIDR is how much of the identity a swap loses beyond what the swapper loses by itself, from 0. The noise is random
and of the size of the protection's change: it must not hide anything. "(judge)" marks models that the protection was
not made against."""


def markdown(proof: Proof) -> str:
    """Return the whole proof in Markdown."""
    parts = [
        f"# Proof: {_cell(proof.protected.name or proof.original.name)}",
        f"{proof.created}; deepguard {proof.version}; {proof.device}; SHA-256 of the original {proof.original.sha256}, "
        f"of the protected picture {proof.protected.sha256}.",
        *_listed(summary(proof)),
        *(part for grid in grids(proof) for part in _table(grid)),
        LEGEND,
        "## Can this be trusted?",
        *_listed(judged(check) for check in proof.checks),
        "## To know",
        *_listed(fine_print(proof)),
    ]
    return "\n\n".join(parts) + "\n"


def _listed(sentences: Iterator[str]) -> Iterator[str]:
    yield "\n".join(f"- {sentence}" for sentence in sentences)


def _table(grid: Grid) -> Iterator[str]:
    yield f"## {grid.title[0].upper()}{grid.title[1:]}"
    yield table(grid.head, [[_cell(cell) for cell in row] for row in grid.rows])


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
