from __future__ import annotations

import dataclasses
import json

import pytest
from tests.prove.proofs import proof, recognition, swap

from deepguard.errors import InputError
from deepguard.prove.board.records import Absent
from deepguard.prove.board.swap_tables import markdown
from deepguard.prove.board.swaps import (
    Outcome,
    SwapBoard,
    Swapped,
    board_from,
    failed,
    matched,
    mean_cidr,
    outcomes,
    robustness,
    unextracted,
)
from deepguard.prove.proof import Proof


def made(original: float, protected: float, lost: float, *, after: float = 0.0) -> Proof:
    """A proof whose swap, and CIDR after one probe, are as told."""
    row = swap(original=original, protected=protected)
    cidr = {
        "protected": {"delivered": {"who": (lost,)}, "jpeg90": {"who": (after,)}},
        "noise": {"delivered": {"who": (0.0,)}},
    }
    cosines = {arm: {**columns, "jpeg90": columns["delivered"]} for arm, columns in row.cosines.items()}
    return proof(swaps=(dataclasses.replace(row, cidr=cidr, cosines=cosines),), columns=("delivered", "jpeg90"))


FOUR = [made(0.8, 0.1, 0.5, after=0.25), made(0.8, 0.6, 0.1), made(0.3, 0.1, 0.2), made(0.7, 0.2, 0.6, after=0.9)]


def board(*proofs: Proof) -> SwapBoard:
    photos = tuple(Swapped(f"{place}.jpg", "a" * 64, {"shield balanced": each}) for place, each in enumerate(proofs))
    left_out = (Absent("z.jpg", "no face"),)
    return SwapBoard("1", "2026-01-01T00:00:00+00:00", True, "cpu", {"limit": None}, photos, left_out, ())


def test_only_swaps_whose_original_matched_can_fail() -> None:
    found = outcomes(FOUR, "warp", "protected", "delivered", "who")
    assert found[0] == Outcome(0.8, 0.1, 0.5)
    assert (matched(found, 0.4).count, matched(found, 0.4).of) == (3, 4)
    assert (failed(found, 0.4).count, failed(found, 0.4).of) == (2, 3)
    assert mean_cidr(found) == pytest.approx(0.35)


def test_what_was_not_tried_is_nothing() -> None:
    assert outcomes(FOUR, "warp", "protected", "half", "who") == []
    assert outcomes(FOUR, "other", "protected", "delivered", "who") == []
    assert mean_cidr([]) is None
    assert failed([], 0.4).share is None


def test_extraction_that_failed_is_counted_apart() -> None:
    assert unextracted(FOUR, "warp", "protected").share == 1.0
    assert unextracted(FOUR, "warp", "original").share == 0.0


def test_robustness_is_the_share_of_cidr_that_a_probe_leaves() -> None:
    # 0.25 / 0.5, 0 / 0.1, 0 / 0.2, and at most 1
    assert robustness(FOUR, "warp", "who", ("jpeg90", "absent")) == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert robustness([made(0.8, 0.7, 0.01)], "warp", "who", ("jpeg90",)) is None


def test_the_page_has_a_row_for_each_encoder_and_chain() -> None:
    page = markdown(board(*FOUR))
    assert "## shield balanced, warp: 4 photos, 4 faces" in page
    assert "FDFR: original 0/4, 0 % [0 %, 49 %]; protected 4/4, 100 % [51 %, 100 %]; noise 0/4" in page
    row = next(line for line in page.splitlines() if line.startswith("| who (toy, attacked) |"))
    assert row.split(" | ")[1:4] == ["3/4, 75 % [30 %, 95 %]", "2/3, 67 % [21 %, 94 %]", "0/3, 0 % [0 %, 56 %]"]
    assert row.endswith("| 0.35 | 0.00 | 0.38 |")
    assert "| jpeg90 | 2/3, 67 % [21 %, 94 %]; CIDR 0.29 |" in page
    assert "- z.jpg: no face" in page


def test_an_encoder_without_a_threshold_tells_cidr_only() -> None:
    bare = [dataclasses.replace(each, likenesses=(recognition(threshold=None),)) for each in FOUR]
    row = next(line for line in markdown(board(*bare)).splitlines() if line.startswith("| who (toy, attacked) |"))
    assert row.split(" | ")[1:4] == ["-", "-", "-"]


def test_a_board_read_back_is_the_same_and_anything_else_is_refused() -> None:
    assert board_from(json.loads(json.dumps(board(*FOUR).as_json()))) == board(*FOUR)
    with pytest.raises(InputError, match="give what deepguard bench swap wrote"):
        board_from([])
