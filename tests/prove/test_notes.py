from __future__ import annotations

import pytest

from deepguard.prove.likeness import Likeness
from deepguard.prove.notes import CLEAN, achieved, recognised_still
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Note


def judged(detector: str, before: tuple[bool, ...], after: tuple[bool, ...], posted: bool = False) -> Judgement:
    """A judgement in which the attacker who tries again always finds what was there."""
    versions = {"delivered": Sighting(after, before), "kakaotalk": Sighting((posted,) * len(after), before)}
    return Judgement(detector, before, versions)


def notes(*judgements: Judgement, excess: float = 0.9, attacked: tuple[str, ...] = ("one", "two")) -> dict[str, Note]:
    return {note.code: note for note in achieved(judgements, attacked, excess)}


def test_where_all_was_achieved_there_is_nothing_to_tell() -> None:
    assert notes(judged("one", (True,), (False,)), judged("two", (True,), (False,)), excess=1.0) == {}
    assert notes() == {}


def test_who_finds_the_face_after_posting_or_by_trying_again_is_told_elsewhere() -> None:
    assert notes(judged("one", (True,), (False,), posted=True)) == {}


def test_who_still_finds_a_face_is_named_with_what_goes_further() -> None:
    told = notes(judged("one", (True, True), (False, True)), judged("two", (True, True), (False, False)))
    assert set(told) == {"not_clean"}
    assert told["not_clean"].count == 1
    text = told["not_clean"].text
    assert text.startswith("this one cannot be hidden cleanly: one still finds a face")
    assert "two" not in text
    assert "--preset strong" in text
    assert "a larger strength" in text


def test_several_who_find_a_face_are_named_in_one_sentence() -> None:
    told = notes(judged("one", (True,), (True,)), judged("two", (True,), (True,)))
    assert told["not_clean"].count == 2
    assert "one, two still find a face" in told["not_clean"].text


def test_a_detector_that_only_judges_was_promised_to_nobody() -> None:
    assert notes(judged("three", (True,), (True,)), judged("four", (False,), (False,))) == {}


def test_whoever_saw_nothing_before_is_named_with_the_likely_reason() -> None:
    told = notes(judged("one", (False, False), (False, False)), judged("two", (True, False), (False, False)))
    assert set(told) == {"unseen_before"}
    assert told["unseen_before"].count == 1
    assert told["unseen_before"].text.endswith("even before: one; was this photo protected already?")


def test_a_face_that_is_only_found_afterwards_is_told_both_ways() -> None:
    assert set(notes(judged("one", (False,), (True,)))) == {"unseen_before", "not_clean"}


@pytest.mark.parametrize(("excess", "seen"), [(0.0, False), (1.0, False), (CLEAN, False), (1.06, True), (3.97, True)])
def test_a_change_that_may_be_seen_says_by_how_much_and_what_is_fainter(excess: float, seen: bool) -> None:
    told = notes(judged("one", (True,), (False,)), excess=excess)
    assert ("visible" in told) == seen
    if seen:
        assert f"{excess:.1f} times what is hardly seen" in told["visible"].text
        assert "a smaller strength" in told["visible"].text


def test_each_note_is_one_sentence() -> None:
    told = notes(judged("one", (False,), (True,)), judged("two", (True,), (True,)), excess=2.0)
    assert len(told) == 3
    for note in told.values():
        assert "\n" not in note.text
        assert ". " not in note.text
        assert not note.text.endswith(".")
        assert note.text[0].islower()


def known(encoder: str, *cosines: float | None, threshold: float | None = 0.3) -> Likeness:
    """What an encoder says of each face: hidden after posting, whatever it says of the delivered picture."""
    return Likeness(encoder, "toy", threshold, {"delivered": cosines, "kakaotalk": (-0.1,) * len(cosines)})


def told_of(*likenesses: Likeness, attacked: tuple[str, ...] = ("one", "two")) -> dict[str, Note]:
    return {note.code: note for note in recognised_still(likenesses, attacked)}


def test_where_every_face_became_a_stranger_there_is_nothing_to_tell() -> None:
    assert told_of(known("one", 0.1, 0.3), known("two", -0.2, 0.0)) == {}
    assert told_of() == {}


def test_an_encoder_that_still_knows_a_face_is_named_with_what_goes_further() -> None:
    told = told_of(known("one", 0.1, 0.31), known("two", 0.1, 0.1))
    assert set(told) == {"recognised"}
    assert told["recognised"].count == 1
    assert told["recognised"].text == "one still takes a face for the same person; --preset strong goes further"


def test_several_encoders_that_know_a_face_are_named_in_one_sentence() -> None:
    told = told_of(known("one", 0.9), known("two", 0.9))
    assert told["recognised"].count == 2
    assert told["recognised"].text.startswith("one, two still take a face")


def test_an_encoder_that_only_judges_or_was_never_calibrated_is_no_promise_broken() -> None:
    assert told_of(known("three", 0.9), known("one", 0.9, threshold=None)) == {}


def test_that_a_face_without_landmarks_was_not_measured_is_told_once() -> None:
    told = told_of(known("one", 0.1, None), known("two", None, 0.9), known("three", None, None))
    assert set(told) == {"recognised", "no_landmarks"}
    assert "not measured where no landmarks are known" in told["no_landmarks"].text
    assert len(list(recognised_still([known("one", None), known("two", None)], ["one"]))) == 1


def test_each_note_about_encoders_is_one_sentence() -> None:
    for note in told_of(known("one", 0.9, None)).values():
        assert "\n" not in note.text
        assert ". " not in note.text
        assert not note.text.endswith(".")
