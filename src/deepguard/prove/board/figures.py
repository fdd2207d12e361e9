"""Counts, shares and their intervals over many photos."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from deepguard.prove.board.records import Arm, Photo

NORMAL_95 = 1.959964
"""Standard deviations within which 95 % of a normal distribution lie."""

RETRY = "retry"
"""The version that stands for the delivered picture under an attacker who tries again."""


@dataclass(frozen=True, slots=True)
class Group:
    """The changes that make one column: its title, and whether a change counts for a detector."""

    title: str
    counts: Callable[[Arm, str], bool]


@dataclass(frozen=True, slots=True)
class Count:
    """Faces still found, of those that the same detector found before."""

    found: int
    before: int

    @property
    def share(self) -> float | None:
        """The share still found in [0, 1]; None where none was found before."""
        return self.found / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over detectors of the share still found, and its 95 % interval; all in [0, 1]."""

    share: float
    low: float
    high: float


def seen_before(photos: Iterable[Photo], detector: str) -> tuple[int, int]:
    """Return how many faces a detector finds in the untouched photos, and how many there are."""
    found = total = 0
    for photo in photos:
        for judgement in (judgement for arm in photo.arms[:1] for judgement in arm.judgements):
            if judgement.detector == detector:
                found += sum(judgement.before)
                total += len(judgement.before)
    return found, total


def count(photos: Iterable[Photo], group: Group, detector: str, version: str) -> Count | None:
    """Return how many faces a detector still finds in a version; None where that was not measured.

    A face counts where the detector found it before; in several changes of one photo it counts several times.
    """
    pairs = [
        pair
        for photo in photos
        for arm in photo.arms
        if group.counts(arm, detector)
        for pair in _pairs(arm, detector, version)
    ]
    known = [after for before, after in pairs if before]
    return Count(sum(known), len(known)) if pairs else None


def _pairs(arm: Arm, detector: str, version: str) -> Iterable[tuple[bool, bool]]:
    """Yield for each face whether it was found before and is found now."""
    for judgement in arm.judgements:
        sighting = judgement.after.get("delivered" if version == RETRY else version)
        if judgement.detector != detector or sighting is None:
            continue
        after = sighting.retry if version == RETRY else sighting.found
        if after is not None:
            yield from zip(judgement.before, after, strict=True)


def mean(photos: Sequence[Photo], group: Group, detectors: Sequence[str], version: str) -> Mean | None:
    """Return the mean over detectors of the share still found; None where nothing was measured.

    Its interval is Wilson's for as many trials as there are faces: detectors that look at the same faces are not
    independent, and counting each look would promise too much.
    """
    counts = [count(photos, group, detector, version) for detector in detectors]
    shares = [each.share for each in counts if each is not None and each.share is not None]
    if not shares:
        return None
    faces = sum(
        len(photo.faces) for photo in photos if any(group.counts(arm, name) for arm in photo.arms for name in detectors)
    )
    share = statistics.fmean(shares)
    return Mean(share, *wilson(share, faces))


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209)."""
    if not trials:
        return 0.0, 1.0
    square = NORMAL_95**2 / trials
    centre = (share + square / 2) / (1 + square)
    half = NORMAL_95 / (1 + square) * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
