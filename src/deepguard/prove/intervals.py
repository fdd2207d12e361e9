"""Shares with the interval that so few trials leave open."""

from __future__ import annotations

from collections.abc import Iterable

from deepguard.prove.board.figures import wilson
from deepguard.prove.proof import Share


def share_of(answers: Iterable[bool | None]) -> Share:
    """Return how many of the answers are yes, of those that are known, with Wilson's 95 % interval."""
    known = [answer for answer in answers if answer is not None]
    count = sum(known)
    return Share(count, len(known), *wilson(count / len(known) if known else 0.0, len(known)))
