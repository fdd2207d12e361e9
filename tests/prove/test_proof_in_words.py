from __future__ import annotations

import dataclasses

from tests.prove.proofs import detection, proof, recognition, swap

from deepguard.prove.grids import grids
from deepguard.prove.markdown import markdown
from deepguard.prove.proof import Check, Proof
from deepguard.prove.words import fine_print, judged, summary


def twofold(each: Proof) -> Proof:
    """The same proof of two faces that fare alike."""

    def doubled(value: object) -> object:
        if isinstance(value, dict):
            return {name: doubled(inner) for name, inner in value.items()}
        return value + value if isinstance(value, tuple) else value

    rows = [
        tuple(
            dataclasses.replace(row, **{name: doubled(getattr(row, name)) for name in names})
            for row in getattr(each, field)
        )
        for field, names in (
            ("detections", ("found", "retried")),
            ("likenesses", ("cosines", "found")),
            ("swaps", ("failed_extraction", "cosines", "cidr")),
        )
    ]
    return dataclasses.replace(each, faces=each.faces * 2, detections=rows[0], likenesses=rows[1], swaps=rows[2])


def test_the_plain_answer_comes_first() -> None:
    first, *rest = summary(proof())
    assert first.startswith(
        "1 of 1 detectors find the face in the original, 0 in the protected picture, 1 when the attacker"
    )
    assert rest == [
        "After posting, at most 0 of 1 find it (jpeg75).",
        "Encoders that were attacked take it for the same person in 0 of 1 comparisons as delivered, at most in 0 "
        "after posting (jpeg75). Cut where the attacker's own detectors see the landmarks: 0 of 1.",
        "With random noise of the same size they do in 1 of 1 comparisons.",
        "Swaps by warp: of 1 that match the face when made from the original, 1 no longer do when made from the "
        "protected picture.",
    ]


def test_attacked_encoders_and_judges_are_never_counted_together() -> None:
    rows = (recognition(), recognition("judge", attacked=False, protected=0.8), recognition("third", attacked=None))
    told = "\n".join(summary(proof(likenesses=rows)))
    assert "Encoders that were attacked take it for the same person in 0 of 1" in told
    assert "Encoders that only judge take it for the same person in 1 of 1" in told
    assert "Encoders take it for the same person in 0 of 1" in told


def test_what_cannot_be_told_is_said() -> None:
    told = "\n".join(summary(proof(likenesses=(recognition(threshold=None),))))
    assert "its cosines are told, but no match" in told
    none = dataclasses.replace(swap(), failures={"protected": {"delivered": {"who": None}}})
    assert "none can fail" in "\n".join(summary(proof(swaps=(none,))))


def test_tables_have_a_row_for_each_face_and_column() -> None:
    faces, detectors, encoders, swapped = grids(proof())
    assert [row[0] for row in faces.rows] == ["1"]
    assert faces.rows[0][2:] == ("1 of 1", "0 of 1", "1 of 1", "1 of 1", "0 of 1", "0 of 1")
    assert detectors.head == ("", "one", "any")
    assert detectors.rows == (
        ("= original", "1", "1"),
        ("= noise", "1", "1"),
        ("delivered", "0", "0"),
        ("tried again", "1", "1"),
        ("jpeg75", "0", "0"),
    )
    assert encoders.rows[0] == ("= original", "0.90 same")
    assert encoders.rows[2:] == (("delivered", "0.10 other"), ("jpeg75", "0.10 other"))
    assert swapped.rows == (
        ("original, delivered", "0.60"),
        ("protected, delivered", "0.60 (0.50)"),
        ("noise, delivered", "0.60 (0.00)"),
    )


def test_several_faces_have_a_row_each_and_the_worst_one_stands_for_all() -> None:
    faces, detectors, encoders, _ = grids(twofold(proof()))
    assert [row[0] for row in faces.rows] == ["1", "2"]
    assert detectors.rows[0] == ("= original", "2", "2")
    assert encoders.rows[0] == ("= original", "0.90 2/2")
    assert "how many are matched" in encoders.title


def test_judges_are_marked_and_empty_tables_left_out() -> None:
    bare = proof(detections=(detection(attacked=False),), likenesses=(), swaps=())
    shown = list(grids(bare))
    assert len(shown) == 2
    assert shown[1].head == ("", "one (judge)")


def test_checks_and_the_small_print_are_sentences() -> None:
    assert judged(Check("x", True, "fine")) == "passed: fine"
    assert judged(Check("x", False, "not fine")) == "FAILED: not fine"
    assert judged(Check("x", None, "not known")) == "open: not known"
    told = "\n".join(fine_print(proof()))
    assert "3.0 s on cpu, seed 0; protected by shield with preset balanced" in told
    assert "Not asked, since their weights are not here: other" in told
    assert "does not make the picture safe" in told
    assert "how it was protected is not known" in "\n".join(fine_print(proof(defence=None)))


def test_the_page_holds_everything_and_no_name_breaks_its_tables() -> None:
    odd = dataclasses.replace(proof().protected, name="a|b\n.jpg")
    page = markdown(proof(protected=odd))
    assert page.startswith("# Proof: a\\|b?.jpg\n")
    for part in ("| delivered | 0 | 0 |", "## Can this be trusted?", "- open: nobody knows", "something to know"):
        assert part in page
    assert "random noise" in page
