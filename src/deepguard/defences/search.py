"""The search for the least visible change that hides as much."""

from __future__ import annotations

from collections.abc import Callable, Sequence

STRONGEST = 4.0
"""Largest strength that may be asked for: four times the ceilings of visibility is plain to see."""

WARM = 0.5
"""Share of the steps before the size begins to follow what is found: until then too little is hidden to judge by."""

SHRINK, GROW = 0.94, 1.03
"""By how much the size changes with a step after which every detector is silent, and with one after which it is not."""

FAINTEST = 0.35
"""Share of the strength under which nobody sees the change, so that the climb may end."""

ROUNDS = 3
"""Halvings of the range in which the last factor is searched."""


class Search:
    """Leads the size of a change while it is climbed: smaller while all are silent, up to `strength` while not.

    Attributes:
        target: the share of the ceilings of visibility that the change may use now.
    """

    def __init__(self, strength: float, steps: int) -> None:
        self.target = self.strength = strength
        self.steps = steps

    def ended(self, step: int, *, silent: bool) -> bool:
        """Heed a step, from 1, after which every detector was silent or not; True where more steps add nothing."""
        if step < WARM * self.steps:
            return False
        self.target = min(self.strength, self.target * (SHRINK if silent else GROW))
        return silent and self.target <= FAINTEST * self.strength


def least(passes: Callable[[float], Sequence[bool]]) -> float:
    """Return the smallest factor found in [FAINTEST, 1] at which everything passes that passes at 1.

    `passes` tells for a factor what passes. By halving the range: what passes at a factor need not pass at every larger
    one, so this is a good factor rather than the least of all.
    """
    needed = passes(1.0)
    low, high = FAINTEST, 1.0
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if all(now or not before for now, before in zip(passes(middle), needed, strict=True)):
            high = middle
        else:
            low = middle
    return high
