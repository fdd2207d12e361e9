"""A board of swaps as a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deepguard.prove.board.identity_tables import PROBES
from deepguard.prove.board.parts import absences, cell, table, words
from deepguard.prove.board.swaps import SwapBoard, failed, matched, mean_cidr, outcomes, robustness, unextracted
from deepguard.prove.board.tables import counted
from deepguard.prove.proof import DELIVERED, NOISE, ORIGINAL, PROTECTED, Proof, Recognition

LEGEND = """\
A swapper puts each photo's face on a bundled one, from the original, from the protected photo, and from the photo with
random noise of that size; encoders say whether the result is still the person. **Original matches**: swaps of the
original that an encoder takes for the person at a false-accept rate of 1e-3. **Fails**: of these, the swaps of the
protected photo that it does not (the conditional swap-failure rate); a cell such as 3/41, 7 % [3 %, 19 %] has Wilson's
95 % interval. **CIDR**: the share of identity lost beyond what the swapper loses by itself. **ROB**: the mean over the
probes of the Proactive Defense Benchmark (ICML 2026) of min(1, CIDR after / CIDR before). **FDFR**: faces that none of
the detectors at hand finds; the rest is of an attacker who then marks the face by hand. Attacked encoders and judges
are never added up."""


def markdown(board: SwapBoard) -> str:
    """Return the whole board in Markdown."""
    parts = ["# Swaps, measured", *_about(board), LEGEND]
    for change in board.changes():
        proofs = board.proofs(change)
        for swapper in dict.fromkeys(swap.swapper for proof in proofs for swap in proof.swaps):
            parts += _section(change, swapper, proofs)
    parts += absences(board.left_out, board.failed)
    return "\n\n".join(parts) + "\n"


def _about(board: SwapBoard) -> Iterator[str]:
    options = "; ".join(f"{name} {words(value)}" for name, value in board.options.items())
    yield f"{board.created}; deepguard {board.version}; {board.machine}."
    left = f", {len(board.left_out)} left out, {len(board.failed)} failed"
    yield f"{counted(len(board.photos), 'photo')}{left}. {options}."
    if not board.complete:
        yield "The run was stopped before its end; the same command goes on."


def _section(change: str, swapper: str, proofs: Sequence[Proof]) -> Iterator[str]:
    faces = sum(len(proof.faces) for proof in proofs)
    rows = list(dict.fromkeys((row.encoder, row.family) for proof in proofs for row in proof.likenesses))
    known = [next(row for proof in proofs for row in proof.likenesses if row.encoder == name) for name, _ in rows]
    yield f"## {change}, {swapper}: {counted(len(proofs), 'photo')}, {counted(faces, 'face')}"
    yield "FDFR: " + "; ".join(
        f"{arm} {cell(unextracted(proofs, swapper, arm))}" for arm in (ORIGINAL, PROTECTED, NOISE)
    )
    heads = ["encoder", "original matches", "protected fails", "noise fails", "CIDR protected", "CIDR noise", "ROB"]
    yield table(heads, (_encoder(row, swapper, proofs) for row in known))
    columns = [name for name in proofs[0].columns if name != DELIVERED and _tried(name, swapper, proofs)]
    if columns and known:
        yield f"### Fails after posting: {change}, {swapper}"
        rows_after = (_posted(name, known, swapper, proofs) for name in columns)
        yield table(["", *(_titled(row) for row in known)], rows_after)


def _tried(column: str, swapper: str, proofs: Sequence[Proof]) -> bool:
    """Tell whether swaps were made in a column: a swapper that is trained works on delivered files only."""
    swaps = [swap for proof in proofs for swap in proof.swaps if swap.swapper == swapper]
    return any(column in swap.cosines.get(PROTECTED, {}) for swap in swaps)


def _encoder(row: Recognition, swapper: str, proofs: Sequence[Proof]) -> list[str]:
    ours, control = (outcomes(proofs, swapper, arm, DELIVERED, row.encoder) for arm in (PROTECTED, NOISE))
    shares = ["-"] * 3
    if row.threshold is not None:
        found = matched(ours, row.threshold), failed(ours, row.threshold), failed(control, row.threshold)
        shares = [cell(each) for each in found]
    robust = robustness(proofs, swapper, row.encoder, PROBES)
    return [_titled(row), *shares, *(_figure(mean_cidr(each)) for each in (ours, control)), _figure(robust)]


def _posted(column: str, known: Sequence[Recognition], swapper: str, proofs: Sequence[Proof]) -> list[str]:
    cells = []
    for row in known:
        found = outcomes(proofs, swapper, PROTECTED, column, row.encoder)
        share = "-" if row.threshold is None else cell(failed(found, row.threshold))
        cells.append(f"{share}; CIDR {_figure(mean_cidr(found))}")
    return [column, *cells]


def _titled(row: Recognition) -> str:
    part = {True: "attacked", False: "judge", None: "not known"}[row.attacked]
    return f"{row.encoder} ({row.family}, {part})"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
