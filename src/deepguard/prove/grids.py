"""A proof's tables as text, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deepguard.prove.proof import COMBINED, DELIVERED, ORIGINAL, PROTECTED, Proof, Recognition, Swap

RETRIED = "tried again"
CONTROL = "= {}"
"""How the rows of the other arms are named: a posting chain may be called as they are."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One table: what it shows, its headings (the first above the rows' names) and its rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grids(proof: Proof) -> Iterator[Grid]:
    """Yield the tables: each face, detectors, encoders, swaps; those without rows are left out."""
    made = (_faces(proof), _detectors(proof), _encoders(proof), *(_swaps(proof, swap) for swap in proof.swaps))
    yield from (grid for grid in made if len(grid.head) > 1 and grid.rows)


def _faces(proof: Proof) -> Grid:
    """Tell of each face by how many it is found and recognised, as delivered."""
    head = ("face", "size", "found before", "now", RETRIED, "same person: before", "now", "at most after posting")
    rows = []
    singles = [row for row in proof.detections if row.detector != COMBINED]
    for index, face in enumerate(proof.faces):
        found = [sum(row.found[arm][DELIVERED][index] for row in singles) for arm in (ORIGINAL, PROTECTED)]
        again = sum(row.retried[PROTECTED][index] for row in singles)
        posted = max((_same(proof, PROTECTED, column, index) for column in proof.columns), key=lambda each: each[0])
        cells = [
            *(f"{count} of {len(singles)}" for count in (*found, again)),
            *(_of(_same(proof, arm, DELIVERED, index)) for arm in (ORIGINAL, PROTECTED)),
            _of(posted),
        ]
        rows.append((str(index + 1), f"{face.box.width:.0f} x {face.box.height:.0f}", *cells))
    return Grid(
        "each face: how many detectors find it, how many encoders take it for the same person", head, tuple(rows)
    )


def _same(proof: Proof, arm: str, column: str, index: int) -> tuple[int, int]:
    """Return how many encoders take one face for the original's person, and how many can tell."""
    answers = [row.matched(arm, column) for row in proof.likenesses]
    known = [each[index] for each in answers if each and each[index] is not None]
    return sum(bool(each) for each in known), len(known)


def _of(counted: tuple[int, int]) -> str:
    return "{} of {}".format(*counted) if counted[1] else "not known"


def _detectors(proof: Proof) -> Grid:
    names = [row.detector for row in proof.detections]
    judges = {row.detector for row in proof.detections if row.attacked is False}

    def counts(arm: str, column: str) -> list[str]:
        found = [row.found.get(arm, {}).get(column) for row in proof.detections]
        return ["" if each is None else str(sum(each)) for each in found]

    rows = [(CONTROL.format(arm), *counts(arm, DELIVERED)) for arm in proof.arms if arm != PROTECTED]
    rows.append((DELIVERED, *counts(PROTECTED, DELIVERED)))
    rows.append((RETRIED, *(str(sum(row.retried[PROTECTED])) for row in proof.detections)))
    rows += [(column, *counts(PROTECTED, column)) for column in proof.columns if column != DELIVERED]
    heads = tuple("any" if name == COMBINED else _headed(name, name in judges) for name in names)
    return Grid(
        f"faces found, of {len(proof.faces)}, in the protected picture after posting", ("", *heads), tuple(rows)
    )


def _encoders(proof: Proof) -> Grid:
    def cells(arm: str, column: str) -> list[str]:
        return [_likeness(row, arm, column) for row in proof.likenesses]

    rows = [(CONTROL.format(arm), *cells(arm, DELIVERED)) for arm in proof.arms if arm != PROTECTED]
    rows += [(column, *cells(PROTECTED, column)) for column in proof.columns]
    heads = tuple(_headed(row.encoder, row.attacked is False) for row in proof.likenesses)
    most = "" if len(proof.faces) == 1 else "; the most alike face, and how many are matched"
    return Grid(f"cosine with the original's face{most}", ("", *heads), tuple(rows))


def _likeness(row: Recognition, arm: str, column: str) -> str:
    cosines = [each for each in row.cosines.get(arm, {}).get(column, ()) if each is not None]
    if not cosines:
        return ""
    known = [each for each in row.matched(arm, column) if each is not None]
    if not known:
        return f"{max(cosines):.2f}"
    if len(known) == 1:
        return f"{max(cosines):.2f} {'same' if known[0] else 'other'}"
    return f"{max(cosines):.2f} {sum(known)}/{len(known)}"


def _swaps(proof: Proof, swap: Swap) -> Grid:
    names = [row.encoder for row in proof.likenesses]
    judges = {row.encoder for row in proof.likenesses if row.attacked is False}
    rows = [
        (f"{arm}, {column}", *(_swapped(swap, arm, column, name) for name in names))
        for column in swap.cosines.get(ORIGINAL, {})
        for arm in swap.cosines
        if column in swap.cosines[arm]
    ]
    trained = f", trained for {swap.steps} steps" if swap.steps else ""
    title = f"{swap.swapper}{trained}: cosine of the swap with the victim, the most alike face (in brackets CIDR)"
    return Grid(title, ("", *(_headed(name, name in judges) for name in names)), tuple(rows))


def _swapped(swap: Swap, arm: str, column: str, name: str) -> str:
    pairs = list(zip(swap.cosines[arm][column][name], _lost(swap, arm, column, name), strict=True))
    known = [(cosine, lost) for cosine, lost in pairs if cosine is not None]
    if not known:
        return ""
    cosine, lost = max(known, key=lambda each: each[0])
    return f"{cosine:.2f}" if lost is None else f"{cosine:.2f} ({lost:.2f})"


def _lost(swap: Swap, arm: str, column: str, name: str) -> Sequence[float | None]:
    cosines = swap.cosines[arm][column][name]
    return swap.cidr.get(arm, {}).get(column, {}).get(name, (None,) * len(cosines))


def _headed(name: str, judge: bool) -> str:
    return f"{name} (judge)" if judge else name
