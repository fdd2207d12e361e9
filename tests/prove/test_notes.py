from __future__ import annotations

import pytest

from deepguard.prove.notes import CLEAN, achieved
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
