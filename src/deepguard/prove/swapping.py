"""What face swappers make of each face, arm by arm."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from deepguard.models.swappers.roles import Swapper
from deepguard.models.thresholds import thresholds
from deepguard.prove.bench import Attempt, Bench, Show, Vector, attempt
from deepguard.prove.intervals import share_of
from deepguard.prove.proof import DELIVERED, ORIGINAL, PROTECTED, Share, Swap
from deepguard.prove.scenario import Scenario, Version
from deepguard.types import Face, Progress, Watch

Figures: TypeAlias = dict[str, dict[str, dict[str, tuple[float | None, ...]]]]

Shown: TypeAlias = Mapping[str, Mapping[str, tuple[Attempt, ...]]]
"""Arm -> column -> what came of each face."""


class Swapping:
    """The attempts of all swappers; `shown` holds them by swapper, with what may be seen of them."""

    def __init__(self, scenario: Scenario, owners: Sequence[Mapping[str, Vector]]) -> None:
        self.scenario = scenario
        self.owners = owners
        self.shown: dict[str, dict[str, dict[str, tuple[Attempt, ...]]]] = {}
        self._found: dict[str, dict[str, tuple[bool, ...]]] = {}

    def attempt(self, version: Version, attackers: Sequence[Face | None], watch: Watch) -> None:
        """Let every swapper have each face of one arm in one column.

        An attacker whose detectors find no face marks it by hand, so that what is said of identity does not rest on
        the detectors; that they found none is counted apart. A swapper that is trained works on the delivered
        pictures only: its training takes minutes.
        """
        faces = [found or by_hand for found, by_hand in zip(attackers, version.faces, strict=True)]
        self._found.setdefault(version.arm, {})[version.column] = tuple(face is not None for face in attackers)
        for name, swapper in self.scenario.swappers.items():
            if swapper.steps and version.column != DELIVERED:
                continue
            tell = _telling(watch, f"swapping ({name}, {version.arm})")
            made = tuple(
                attempt(self._bench(swapper, owner), version.images, face, show=self._show(version, index), watch=tell)
                for index, (face, owner) in enumerate(zip(faces, self.owners, strict=True))
            )
            self.shown.setdefault(name, {}).setdefault(version.arm, {})[version.column] = made

    def swaps(self) -> tuple[Swap, ...]:
        """Return each swapper's row."""
        return tuple(self._swap(name) for name in self.shown)

    def _show(self, version: Version, index: int) -> Show:
        """Return what may be seen of an attempt: only the largest face, as delivered, of the arms that people see."""
        seen = version.arm in {ORIGINAL, PROTECTED} and version.column == DELIVERED
        return self.scenario.show if seen and index == self.scenario.largest else "nothing"

    def _bench(self, swapper: Swapper, owner: Mapping[str, Vector]) -> Bench:
        scenario = self.scenario
        steps = scenario.steps if swapper.steps else None
        return Bench(swapper, scenario.counterpart, scenario.encoders, owner, steps, scenario.seed)

    def _swap(self, name: str) -> Swap:
        swapper, attempts = self.scenario.swappers[name], self.shown[name]
        cosines: Figures = {
            arm: {
                column: {
                    judge: tuple(_rounded(each.cosines[judge]) for each in made) for judge in self.scenario.encoders
                }
                for column, made in columns.items()
            }
            for arm, columns in attempts.items()
        }
        steps = self.scenario.steps or swapper.steps if swapper.steps else 0
        missed = {
            arm: {column: tuple(not each for each in self._found[arm][column]) for column in columns}
            for arm, columns in attempts.items()
        }
        return Swap(name, self.scenario.counterpart, steps, missed, cosines, lost(cosines), failures(cosines))


def lost(cosines: Mapping[str, Mapping[str, Mapping[str, tuple[float | None, ...]]]]) -> Figures:
    """Return CIDR of every arm but the original, against the original in the same column."""
    return {
        arm: {
            column: {
                judge: tuple(
                    cidr(before, after) for before, after in zip(cosines[ORIGINAL][column][judge], values, strict=True)
                )
                for judge, values in judges.items()
            }
            for column, judges in columns.items()
            if column in cosines[ORIGINAL]
        }
        for arm, columns in cosines.items()
        if arm != ORIGINAL
    }


def cidr(before: float | None, after: float | None) -> float | None:
    """Return 1 - ID(x, swap(x)) / ID(x, swap(x')), at least 0, of two cosines (Proactive Defense Benchmark, 2026)."""
    if before is None or after is None:
        return None
    # a swap that is the victim to the last bit has lost nothing
    return 0.0 if after >= 1 else round(max(0.0, 1 - (1 - before) / (1 - after)), 4)


def failures(
    cosines: Mapping[str, Mapping[str, Mapping[str, tuple[float | None, ...]]]],
) -> dict[str, dict[str, dict[str, Share | None]]]:
    """Return of every arm but the original how many swaps fail where the original's, in the same column, matched."""
    return {
        arm: {
            column: {
                judge: _failed(judge, cosines[ORIGINAL][column][judge], values) for judge, values in judges.items()
            }
            for column, judges in columns.items()
            if column in cosines[ORIGINAL]
        }
        for arm, columns in cosines.items()
        if arm != ORIGINAL
    }


def _failed(judge: str, before: Sequence[float | None], after: Sequence[float | None]) -> Share | None:
    known = thresholds(judge)
    if known is None:
        return None
    pairs = zip(before, after, strict=True)
    limit = known.far_1e3
    return share_of(now is None or now <= limit for first, now in pairs if first is not None and first > limit)


def _rounded(cosine: float | None) -> float | None:
    return None if cosine is None else round(cosine, 4)


def _telling(watch: Watch, stage: str) -> Watch:
    """Return a watch that says of which swap a training's progress is."""

    def tell(progress: Progress) -> None:
        watch(dataclasses.replace(progress, stage=stage))

    return tell
