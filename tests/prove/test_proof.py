from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.prove.proofs import proof, recognition

from deepguard.errors import InputError
from deepguard.prove.intervals import share_of
from deepguard.prove.proof import SCHEMA, Proof, Share

DESCRIBED = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "proof.schema.json").read_text())


def written() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(proof().as_json()))
    return body


def test_a_proof_read_back_is_the_same() -> None:
    assert Proof.from_json(written()) == proof()
    assert Proof.from_json({**written(), "job": {"id": "x"}}) == proof()


def test_the_schema_describes_it() -> None:
    jsonschema.Draft202012Validator.check_schema(DESCRIBED)
    jsonschema.validate(written(), DESCRIBED)
    jsonschema.validate({**written(), "job": {"id": "x"}, "statement": None}, DESCRIBED)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written(), "safe": True}, DESCRIBED)


@pytest.mark.parametrize("body", [None, [], {}, {"schema": "deepguard/protect-report/1"}, "text"])
def test_what_is_no_proof_is_refused(body: Any) -> None:
    with pytest.raises(InputError, match=f"nothing of the schema {SCHEMA}; give what deepguard prove --out wrote"):
        Proof.from_json(body)


@pytest.mark.parametrize(
    "change",
    [
        {"faces": 3},
        {"seed": "none"},
        {"statement": {"by": "somebody", "at": ""}},
        {"detections": [{"detector": "x"}]},
        {"columns": [1]},
        {"seconds": []},
        {"faces": [{"box": {"left": 0}, "score": 1.0, "landmarks": []}]},
    ],
)
def test_a_proof_that_was_changed_by_hand_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="damaged or was changed by hand"):
        Proof.from_json({**written(), **change})


def test_a_match_is_above_the_threshold_and_not_known_without_one() -> None:
    row = recognition(threshold=0.4, protected=0.45)
    assert row.matched("protected", "delivered") == (True,)
    assert row.matched("protected", "delivered", strict=True) == (False,)
    assert row.matched("protected", "half") == ()
    assert recognition(threshold=None).matched("original", "delivered") == (None,)


def test_a_share_counts_what_is_known_and_tells_its_interval() -> None:
    assert share_of([]) == Share(0, 0, 0.0, 1.0)
    assert share_of([]).share is None
    known = share_of([True, None, False, True, True])
    assert (known.count, known.of, known.share) == (3, 4, 0.75)
    assert known.low == pytest.approx(0.3006, abs=1e-4)
    assert known.high == pytest.approx(0.9544, abs=1e-4)
