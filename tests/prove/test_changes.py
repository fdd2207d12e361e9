from __future__ import annotations

import dataclasses
import json

from tests.prove.proofs import detection, proof, recognition

from deepguard.prove.changes import changes


def test_nothing_changed_is_said() -> None:
    same = changes(proof(), proof(created="2026-02-01T00:00:00+00:00"))
    assert (same.new, same.gone, same.replaced, same.moves) == ((), (), (), ())
    assert list(same.sentences()) == [
        "Held against the proof of 2026-01-01T00:00:00+00:00 by version 1:",
        "nothing changed: the same models say the same",
    ]


def test_models_that_came_went_or_have_other_files_are_named() -> None:
    before = proof()
    now = proof(models={"one": {"one.onnx": "d" * 64}, "late": {}})
    found = changes(before, now)
    assert (found.new, found.gone, found.replaced) == (("late",), ("who",), ("one",))
    assert "no figure of the models that both have moved" in list(found.sentences())


def test_figures_that_moved_are_told_from_and_to() -> None:
    before = proof()
    now = proof(detections=(detection(protected=True),), likenesses=(recognition(protected=0.45),))
    told = list(changes(before, now).sentences())[1:]
    assert told == [
        "one, delivered, face 1: not found -> found",
        "one, jpeg75, face 1: not found -> found",
        "who, delivered, face 1: 0.10 -> 0.45",
        "who, jpeg75, face 1: 0.10 -> 0.45",
    ]


def test_a_codec_of_another_version_is_no_move_and_a_lost_figure_is_one() -> None:
    assert changes(proof(), proof(likenesses=(recognition(protected=0.11),))).moves == ()
    row = recognition()
    bare = dataclasses.replace(row, cosines={**row.cosines, "protected": {"delivered": (None,)}})
    (move,) = changes(proof(), proof(likenesses=(bare,))).moves
    assert move.text == "who, delivered, face 1: 0.10 -> not measured"


def test_changes_are_json_values_with_the_new_proof() -> None:
    body = json.loads(json.dumps(changes(proof(), proof(likenesses=(recognition(protected=0.5),))).as_json()))
    assert body["moves"][0] == {"model": "who", "column": "delivered", "face": 1, "before": 0.1, "now": 0.5}
    assert body["proof"]["schema"] == "deepguard/prove-report/1"
