"""What the pages of all boards are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from deepguard.prove.board.records import Absent
from deepguard.prove.proof import Share


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are aligned to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def words(value: object) -> str:
    """Return an option's value in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "all" if value is None else str(value)


def percent(share: float, low: float, high: float) -> str:
    """Return a share with its interval."""
    return f"{share:.0%} [{low:.0%}, {high:.0%}]".replace("%", " %")


def cell(found: Share | None) -> str:
    """Return so many of so many, with the interval."""
    if found is None:
        return "-"
    return "0/0" if found.share is None else f"{found.count}/{found.of}, {percent(found.share, found.low, found.high)}"


def absences(left_out: Sequence[Absent], failed: Sequence[Absent]) -> Iterator[str]:
    """Yield the sections of what is not counted, and why."""
    for title, absent in (("Left out", left_out), ("Failed", failed)):
        if absent:
            yield f"## {title}"
            yield "\n".join(f"- {printable(each.name)}: {printable(each.reason)}" for each in absent)


def printable(text: str) -> str:
    """Return a name in one line: file names can hold line breaks and stray bytes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
