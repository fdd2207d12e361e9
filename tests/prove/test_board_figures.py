from __future__ import annotations

import dataclasses
import itertools
import json

import pytest
import torch
from tests.prove.boards import LARGE, SMALL, arm, board, judgement, photo

from deepguard.prove.board.controls import fitting_factor, noise
from deepguard.prove.board.figures import RETRY, Count, Group, count, mean, seen_before, wilson
from deepguard.prove.board.records import Absent, board_of
from deepguard.prove.board.spread import spread

OURS = Group("ours", lambda each, _: each.kind == "ours")
OTHERS = Group("others", lambda each, name: each.kind == "paper" and name not in each.attacked)


@pytest.mark.parametrize(
    ("found", "trials", "low", "high"),
    # Brown, Cai and DasGupta, Stat. Sci. 16 (2001), and by hand from the formula
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(found: int, trials: int, low: float, high: float) -> None:
    assert wilson(found / trials, trials) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_nothing_tried_is_known_of_nothing() -> None:
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_faces_that_a_detector_did_not_find_before_do_not_count_for_it() -> None:
    photos = [photo(arm("a", judgement("one", 2, delivered=3))), photo(arm("a", judgement("one", 3, delivered=1)))]
    assert count(photos, OURS, "one", "delivered") == Count(3, 5)
    assert seen_before(photos, "one") == (5, 6)


def test_what_was_not_measured_is_not_nought() -> None:
    photos = [photo(arm("a", judgement("one", 2, delivered=0, x=1)))]
    assert count(photos, OURS, "one", RETRY) is None
    assert count(photos, OURS, "two", "delivered") is None
    assert count(photos, OURS, "one", "facebook") is None
    assert mean(photos, OTHERS, ["one", "two"], "delivered") is None


def test_a_retry_is_counted_where_it_was_made() -> None:
    photos = [photo(arm("a", judgement("one", 3, delivered=0, retry=2)))]
    assert count(photos, OURS, "one", RETRY) == Count(2, 3)


def test_a_change_counts_for_the_detectors_that_its_column_names() -> None:
    made = [
        arm(
            "p one", judgement("one", 3, delivered=0), judgement("two", 3, delivered=3), kind="paper", attacked=("one",)
        ),
        arm(
            "p two", judgement("one", 3, delivered=2), judgement("two", 3, delivered=1), kind="paper", attacked=("two",)
        ),
    ]
    assert count([photo(*made)], OTHERS, "one", "delivered") == Count(2, 3)
    assert count([photo(*made)], OTHERS, "two", "delivered") == Count(3, 3)


def test_the_mean_is_over_detectors_and_its_interval_counts_each_face_once() -> None:
    made = arm("a", judgement("one", 3, delivered=3), judgement("two", 3, delivered=0))
    found = mean([photo(made), photo(made)], OURS, ["one", "two"], "delivered")
    assert found is not None
    assert (found.share, found.low, found.high) == (0.5, *wilson(0.5, 6))


def test_a_detector_that_found_nothing_before_has_no_share_in_the_mean() -> None:
    made = arm("a", judgement("one", 3, delivered=1), judgement("two", 0, delivered=0))
    found = mean([photo(made)], OURS, ["one", "two"], "delivered")
    assert found is not None
    assert found.share == pytest.approx(1 / 3)


def test_photos_are_told_apart_by_their_faces() -> None:
    assert photo().few_and_large
    assert not photo(faces=(LARGE,) * 4).few_and_large
    assert not photo(faces=(LARGE, SMALL)).few_and_large
    assert not photo(faces=(LARGE,), small=1).few_and_large


def test_a_board_comes_back_whole_from_its_json() -> None:
    made = board(
        photo(arm("a", judgement("one", 2, delivered=1, retry=2, x=0))),
        left_out=[Absent("b.jpg", "15 faces", "1" * 64)],
        failed=[Absent("c.jpg", "damaged")],
    )
    body = json.loads(json.dumps(made.as_json()))
    assert body["schema"] == "deepguard/protect-board/1"
    again = board_of(body)
    assert dataclasses.replace(again, options=made.options) == made
    assert again.options == {"presets": ["balanced"], "limit": None, "seed": 0}


def test_json_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no board of the schema"):
        board_of({"schema": "deepguard/protect-report/1"})


def test_photos_of_a_control_are_spread_over_the_list_and_the_seed_decides_which() -> None:
    assert spread(4, None, 0) == spread(4, 9, 0) == frozenset(range(4))
    assert spread(40, 0, 0) == frozenset()
    chosen = sorted(spread(40, 8, 3))
    assert len(chosen) == 8
    assert {late - early for early, late in itertools.pairwise(chosen)} <= {5}
    assert spread(40, 8, 3) == spread(40, 8, 3)
    assert len({spread(40, 8, seed) for seed in range(9)}) > 1
    assert all(max(spread(7, 3, seed)) < 7 for seed in range(50))


def test_noise_has_the_size_of_the_change_in_every_pixel_and_one_sign_for_its_colours(rng: torch.Generator) -> None:
    before = torch.full((1, 3, 40, 40), 0.5)
    after = before + torch.tensor([0.02, -0.01, 0.03]).view(1, 3, 1, 1) * torch.rand((1, 1, 40, 40), generator=rng)
    change = noise(before, after, rng) - before
    assert torch.allclose(change.abs(), (after - before).abs(), atol=1e-6)
    signs = (change / (after - before)).round()
    assert torch.equal(signs[:, :1].expand_as(signs), signs)
    assert 0.4 < float((signs > 0).float().mean()) < 0.6


def test_noise_stays_in_the_range_of_pictures(rng: torch.Generator) -> None:
    before, after = torch.ones(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.8)
    made = noise(before, after, rng)
    assert float(made.max()) == 1
    assert float(made.min()) == pytest.approx(0.8)


@pytest.mark.parametrize("power", [1.0, 1.4, 2.0])
@pytest.mark.parametrize("whole", [1.1, 3.0, 12.0])
def test_a_change_is_scaled_to_the_limit_with_few_looks(power: float, whole: float) -> None:
    looks: list[float] = []

    def excess(factor: float) -> float:
        looks.append(factor)
        return whole * factor**power

    factor = fitting_factor(excess, whole, 0.9)
    assert 0.97 * 0.9 <= excess(factor) <= 0.9
    assert len(looks) - 1 <= 4


def test_an_excess_in_steps_is_scaled_below_the_limit() -> None:
    factor = fitting_factor(lambda factor: 0.3 + 0.5 * (factor > 0.2) + 1.0 * (factor > 0.6), 1.8, 0.9)
    assert 0.5 < factor <= 0.6


def test_a_change_that_fits_is_not_scaled() -> None:
    assert fitting_factor(lambda factor: 1.0, 0.8, 0.9) == 1


def test_what_fits_at_no_factor_is_scaled_to_nothing() -> None:
    assert fitting_factor(lambda factor: 0.5, 2.0, 0.4) == 0
