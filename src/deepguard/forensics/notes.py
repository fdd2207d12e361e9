"""What a reader of the whole verdict should know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deepguard.forensics.loading import Judge, leading
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict, Word
from deepguard.types import Note

MANY = 5
"""Faces or persons from which it is said how their number raises the chance of a false alarm."""

MADE_BY_AI = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia")
"""IPTC digital source types, the last part of their addresses, by which a file says itself that it is synthetic."""


def on_verdicts(verdicts: Sequence[FaceVerdict] | Sequence[TrackVerdict], judges: Sequence[Judge]) -> Iterator[Note]:
    """Yield notes on how many faces or persons there are, and how many could not be judged."""
    if not verdicts:
        yield Note("no_face", "no face was found, so that there is nothing to judge")
        return
    silent = sum(each.word is Word.CANNOT_JUDGE for each in verdicts)
    if silent:
        yield Note("not_judged", f"faces that could not be judged, which says nothing about them: {silent}", silent)
    judged = len(verdicts) - silent
    chief = leading(judges)
    if judged >= MANY and chief is not None and chief.calibration is not None:
        rate = chief.calibration.threshold.false_positive_rate
        text = (
            f"the verdict is that of the most suspicious of {judged} faces; were all of them real, the chance that at "
            f"least one is called fake would be about {1 - (1 - rate) ** judged:.0%}"
        )
        yield Note("several_faces", text, judged)


def on_brief(tracks: Sequence[TrackVerdict], lasting: Sequence[TrackVerdict]) -> Iterator[Note]:
    """Yield a note where persons are called fake who do not speak for the whole clip; `lasting` are those who do."""
    brief = [each for each in tracks if each.word is Word.LIKELY_FAKE and each not in lasting]
    if brief:
        numbers = ", ".join(str(each.number) for each in brief)
        text = (
            "called fake in the only frame in which they could be judged, which does not decide for the whole clip: "
            f"{'person' if len(brief) == 1 else 'persons'} {numbers}; look at these frames, or at more of them"
        )
        yield Note("seen_once", text, len(brief))


def on_limit(count: int, limit: int) -> Iterator[Note]:
    """Yield a note where there are more faces than are looked at."""
    if count > limit:
        yield Note("many_faces", f"there are {count} faces; the {limit} largest of them were judged", count)


def on_judges(judges: Sequence[Judge]) -> Iterator[Note]:
    """Yield a note where a classifier's figures are no probabilities."""
    names = [judge.name for judge in judges if judge.calibration is None]
    if names:
        text = (
            f"not calibrated, so that its figures are no probabilities and decide nothing: {', '.join(names)}; "
            "they are shown for comparison"
        )
        yield Note("uncalibrated", text, len(names))


def on_origin(source_type: str | None) -> Iterator[Note]:
    """Yield a note where the file itself says that it was made by a machine; the verdict is of its pixels alone."""
    stated = (source_type or "").rpartition("/")[2]
    if stated in MADE_BY_AI:
        text = f"the file says of itself that it was made or changed by AI (IPTC digital source type {stated})"
        yield Note("states_ai", text)
