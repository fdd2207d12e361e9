"""One verdict from several classifiers and copies."""

from __future__ import annotations

import math

import pytest
from tests.forensics.toy_judges import bright, grainy

from deepguard.forensics.loading import leading
from deepguard.forensics.verdict import FaceVerdict, Word
from deepguard.forensics.weighing import loudest, weighed
from deepguard.types import Box, Face

FACE = Face(Box(0, 0, 80, 80), 1.0)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def said(**copies: float) -> dict[str, float]:
    return {name: logit(probability) for name, probability in copies.items()}


def test_the_probability_is_that_of_the_mean_of_the_copies_logits() -> None:
    found = weighed({"bright": {"plain": 1.0, "small": 4.0, "median": 1.0}}, [bright()])
    assert found.probability == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert found.word is Word.UNCERTAIN
    assert found.low == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert found.high == pytest.approx(1 / (1 + math.exp(-4.0)))
    assert found.spread == pytest.approx((found.high or 0) - (found.low or 0))


@pytest.mark.parametrize(
    ("probability", "word"), [(0.95, Word.LIKELY_FAKE), (0.6, Word.UNCERTAIN), (0.1, Word.LIKELY_REAL)]
)
def test_the_word_follows_from_the_calibrated_thresholds(probability: float, word: Word) -> None:
    found = weighed({"bright": said(plain=probability, small=probability)}, [bright()])
    assert found.word is word
    assert found.reasons == ()
    assert found.opinions[0].copies == pytest.approx({"plain": probability, "small": probability})


def test_copies_that_disagree_are_a_sign_of_tampering_and_take_the_word_real_away() -> None:
    found = weighed({"bright": said(plain=0.001, small=0.7)}, [bright()])
    assert found.probability is not None
    assert found.probability < 0.4
    assert found.word is Word.UNCERTAIN
    assert [note.code for note in found.reasons] == ["tampered"]
    assert "70%" in found.reasons[0].text


def test_tampering_does_not_take_the_word_fake_away() -> None:
    found = weighed({"bright": said(plain=0.4, small=0.9999)}, [bright()])
    assert found.word is Word.LIKELY_FAKE
    assert [note.code for note in found.reasons] == ["tampered"]


def test_the_first_calibrated_classifier_decides_and_the_others_widen_the_interval() -> None:
    logits = {"bright": said(plain=0.95, small=0.95), "grainy": said(plain=0.5, small=0.6)}
    found = weighed(logits, [bright(), grainy()])
    assert found.word is Word.LIKELY_FAKE
    assert found.probability == pytest.approx(0.95)
    assert found.low == pytest.approx(0.5)
    assert found.spread == pytest.approx(0.1)


def test_where_calibrated_classifiers_contradict_each_other_the_word_is_uncertain() -> None:
    logits = {"bright": said(plain=0.95), "grainy": said(plain=0.1)}
    found = weighed(logits, [bright(), grainy()])
    assert found.word is Word.UNCERTAIN
    assert [note.code for note in found.reasons] == ["disagreement"]


def test_a_classifier_without_calibration_says_its_own_and_decides_nothing() -> None:
    logits = {"grainy": said(plain=0.99), "bright": said(plain=0.1)}
    found = weighed(logits, [grainy(calibrated=False), bright()])
    assert found.word is Word.LIKELY_REAL
    assert found.probability == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert [opinion.classifier for opinion in found.opinions] == ["grainy", "bright"]


def test_without_any_calibration_there_is_a_figure_and_no_word() -> None:
    judges = [grainy(calibrated=False)]
    found = weighed({"grainy": said(plain=0.99)}, judges)
    assert leading(judges) is None
    assert found.word is Word.UNCERTAIN
    assert found.probability == pytest.approx(0.99)


def verdict(number: int, word: Word, probability: float | None = None) -> FaceVerdict:
    return FaceVerdict(number, FACE, word, probability)


def test_the_most_alarming_face_stands_for_the_whole() -> None:
    faces = [
        verdict(1, Word.CANNOT_JUDGE),
        verdict(2, Word.LIKELY_REAL, 0.2),
        verdict(3, Word.LIKELY_FAKE, 0.93),
        verdict(4, Word.LIKELY_FAKE, 0.97),
        verdict(5, Word.UNCERTAIN, 0.99),
    ]
    assert loudest(faces) is faces[3]
    assert loudest(faces[:2]) is faces[1]
    assert loudest(faces[:1]) is faces[0]
    assert loudest(()) is None
