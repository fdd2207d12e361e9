"""A proof in words and figures, for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from deepguard.cli.tables import say
from deepguard.prove.changes import Changes
from deepguard.prove.grids import Grid, grids
from deepguard.prove.proof import Proof
from deepguard.prove.words import fine_print, judged, summary

WIDTH = 80
"""Columns of a terminal into which every table fits that has no more rows of models than there are here."""


def show(console: Console, proof: Proof) -> None:
    """Print what was achieved, the tables, whether to trust them, and what the reader should know."""
    for sentence in summary(proof):
        say(console, sentence)
    for grid in grids(proof):
        console.print()
        say(console, grid.title)
        console.print(table(grid))
    console.print()
    say(console, "can this be trusted?")
    for check in proof.checks:
        say(console, f"  {judged(check)}")
    console.print()
    for sentence in fine_print(proof):
        say(console, sentence)


def show_changes(console: Console, changes: Changes) -> None:
    """Print what another shelf or version makes of an earlier proof."""
    for sentence in changes.sentences():
        say(console, sentence)


def table(grid: Grid) -> Table:
    """Return a table whose headings are folded so that it fits."""
    first = max(len(row[0]) for row in (grid.head, *grid.rows))
    others = len(grid.head) - 1
    least = max(len(cell) for row in grid.rows for cell in row[1:])
    room = max(least, (WIDTH - first - 1) // others - 1)
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    drawn.add_column(grid.head[0], no_wrap=True)
    for heading in grid.head[1:]:
        drawn.add_column("\n".join(folded(heading, room)), justify="right", no_wrap=True)
    for row in grid.rows:
        drawn.add_row(*row)
    return drawn


def folded(text: str, width: int) -> Iterator[str]:
    """Yield lines of at most `width` letters, broken after spaces and hyphens where that is possible."""
    line = ""
    for part in re.findall(r"[^\s-]+-?\s?", text):
        pieces = [part[start : start + width] for start in range(0, len(part.rstrip()), width)]
        for piece in pieces:
            if line and len(line) + len(piece.rstrip()) > width:
                yield line.rstrip()
                line = ""
            line += piece
    if line:
        yield line.rstrip()
