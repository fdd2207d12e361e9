"""The search for the least visible change that hides as much."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

STRONGEST = 4.0
"""Largest strength that may be asked for: four times the ceilings of visibility is plain to see."""

WARM = 0.5
"""Share of the steps before the size begins to follow what is found: until then too little is hidden to judge by."""

SHRINK, GROW = 0.94, 1.03
"""By how much the size changes with a step after which every detector is silent, and with one after which it is not."""

FAINTEST = 0.35
"""Share of the strength under which nobody sees the change, so that the climb may end."""

MARGIN = 0.8
"""Share of a threshold up to which a score counts as silent in that search; the rest is for what posting adds."""

SLACK = 0.02
"""By which share what is graded may get louder: less is noise."""

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


def least(scores: Callable[[float, Container[int] | None], Mapping[int, float]], graded: Container[int] = ()) -> float:
    """Return the smallest factor found in [FAINTEST, 1] at which all stay silent that are silent at 1.

    `scores` tells for a factor how loud those that are asked are (None: all), by number, in shares of their thresholds.
    The `graded` ones must not get louder by more than `SLACK`, silent or not. Where there is nothing to keep the
    factor is 1. By halving the range: what is silent at a factor need not be so at every larger one, so this is a good
    factor rather than the least of all.
    """
    bounds = {
        index: max(MARGIN, score * (1 + SLACK if index in graded else 1))
        for index, score in scores(1.0, None).items()
        if score < 1 or index in graded
    }
    if not bounds:
        return 1.0
    low, high = FAINTEST, 1.0
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if all(score <= bounds[index] for index, score in scores(middle, bounds).items()):
            high = middle
        else:
            low = middle
    return high
