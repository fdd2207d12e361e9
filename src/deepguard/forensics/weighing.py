"""From the logits of several classifiers and copies to one verdict, and from several verdicts to that of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from deepguard.forensics.calibration import sigmoid
from deepguard.forensics.loading import Judge, leading
from deepguard.forensics.verdict import FaceVerdict, Opinion, TrackVerdict, Word
from deepguard.types import Note

Said: TypeAlias = Mapping[str, Mapping[str, float]]
"""The logits of one face: by the judge's name, then by the copy's."""

Verdict = TypeVar("Verdict", FaceVerdict, TrackVerdict)

UNSURE = Note(
    "disagreement", "the classifiers contradict each other, so that neither is followed; see what each of them says"
)
_ALARMING = (Word.CANNOT_JUDGE, Word.LIKELY_REAL, Word.UNCERTAIN, Word.LIKELY_FAKE)


@dataclass(frozen=True, slots=True)
class Figures:
    """What follows for one face or person; fields as in `FaceVerdict`."""

    word: Word = Word.CANNOT_JUDGE
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    opinions: tuple[Opinion, ...] = ()
    reasons: tuple[Note, ...] = ()


def weighed(logits: Said, judges: Sequence[Judge]) -> Figures:
    """Return what follows from each judge's logits by the names of the copies; `judges` are at least one.

    The first calibrated judge decides: for it alone the rates beside the threshold hold. Where another calibrated one
    says the contrary, or where real was said of pixels that look tampered with, the word is uncertain. Judges that
    are not calibrated say what they say and decide nothing; where there are no others, no word follows.
    """
    chief = leading(judges)
    opinions = tuple(Opinion(judge.name, _read(logits[judge.name], judge)) for judge in judges)
    counted = [
        opinion.copies
        for opinion, judge in zip(opinions, judges, strict=True)
        if judge.calibration is not None or chief is None
    ]
    every = [value for copies in counted for value in copies.values()]
    spread = max(max(copies.values()) - min(copies.values()) for copies in counted)
    word, reasons = _word(logits, judges, spread)
    leader = chief or judges[0]
    return Figures(word, _whole(logits[leader.name], leader), min(every), max(every), spread, opinions, reasons)


def loudest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the verdict that stands for the whole: the most alarming word, among these the highest probability."""
    return max(verdicts, key=lambda each: (_ALARMING.index(each.word), each.probability or 0.0), default=None)


def _word(logits: Said, judges: Sequence[Judge], spread: float) -> tuple[Word, tuple[Note, ...]]:
    words = [
        judge.calibration.word_of(_whole(logits[judge.name], judge))
        for judge in judges
        if judge.calibration is not None
    ]
    chief = leading(judges)
    if chief is None or chief.calibration is None:
        return Word.UNCERTAIN, ()
    reasons = []
    word = words[0]
    if {Word.LIKELY_REAL, Word.LIKELY_FAKE} <= set(words):
        reasons.append(UNSURE)
        word = Word.UNCERTAIN
    if spread >= chief.calibration.spread_from:
        reasons.append(_tampered(spread))
        word = Word.UNCERTAIN if word is Word.LIKELY_REAL else word
    return word, tuple(reasons)


def _tampered(spread: float) -> Note:
    text = (
        f"copies of the face with and without its finest detail differ by {spread:.0%}: somebody may have tampered "
        "with the pixels so that a classifier errs"
    )
    return Note("tampered", text)


def _read(logits: Mapping[str, float], judge: Judge) -> dict[str, float]:
    return {name: _probability(logit, judge) for name, logit in logits.items()}


def _whole(logits: Mapping[str, float], judge: Judge) -> float:
    """Return the probability of the mean of the copies' logits, as calibrated."""
    return _probability(sum(logits.values()) / len(logits), judge)


def _probability(logit: float, judge: Judge) -> float:
    return sigmoid(logit) if judge.calibration is None else judge.calibration.probability(logit)
