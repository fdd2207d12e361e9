"""Figures of scores, against plain counting."""

from __future__ import annotations

import itertools

import pytest
import torch

from deepguard.forensics.metrics import accuracy, area, calibration_error, false_alarms, precision


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    # tenths, so that many are equal
    real = (torch.randn(60, generator=rng) * 10).round() / 10
    fake = (torch.randn(40, generator=rng) * 10 + 7).round() / 10
    return real, fake


def test_the_area_is_how_often_a_fake_scores_higher_with_ties_counted_half(
    scores: tuple[torch.Tensor, torch.Tensor],
) -> None:
    real, fake = scores
    wins = [1.0 if f > r else 0.5 if f == r else 0.0 for r, f in itertools.product(real.tolist(), fake.tolist())]
    assert area(real, fake) == pytest.approx(sum(wins) / len(wins))


def test_scores_that_separate_have_area_and_precision_one_and_no_false_alarm() -> None:
    real, fake = torch.tensor([-2.0, -1.0]), torch.tensor([1.0, 2.0])
    assert area(real, fake) == 1
    assert precision(real, fake) == 1
    assert false_alarms(real, fake) == 0
    assert accuracy(real, fake) == 1


def test_precision_is_the_mean_over_the_fakes_of_the_fakes_share_above_them(
    scores: tuple[torch.Tensor, torch.Tensor],
) -> None:
    real, fake = scores
    shares = []
    for threshold in fake.tolist():
        above = int((fake >= threshold).sum())
        shares.append(above / (above + int((real >= threshold).sum())))
    assert precision(real, fake) == pytest.approx(sum(shares) / len(shares))


def test_false_alarms_are_counted_where_ninety_five_of_a_hundred_fakes_are_found() -> None:
    fake = torch.arange(100.0)
    real = torch.tensor([3.0, 4.0, 5.0, 6.0])
    # the threshold that finds 95 is 5
    assert false_alarms(real, fake) == 0.5


def test_probabilities_that_come_true_have_no_calibration_error() -> None:
    probability = torch.tensor([0.25] * 4 + [0.75] * 4)
    fake = torch.tensor([1.0, 0, 0, 0, 1, 1, 1, 0])
    assert calibration_error(probability, fake) == pytest.approx(0)


def test_certainty_that_is_always_wrong_has_calibration_error_one() -> None:
    assert calibration_error(torch.ones(5), torch.zeros(5)) == pytest.approx(1)
