"""A change upon another, and what holds each of them."""

from __future__ import annotations

import dataclasses

import pytest
from tests.defences.portraits import portrait, signs, whole
from tests.defences.test_ink import BOX, SIZE, SSIM, ink_on, settled
from torch import Tensor
from torch.nn import functional

from deepguard.defences.ink import LARGEST, Ink, Limits


@pytest.fixture(scope="module")
def clean() -> Tensor:
    return portrait(SIZE, BOX)


@pytest.fixture(scope="module")
def change() -> Tensor:
    return signs(1, 1, 32, 35)


def test_a_change_upon_another_keeps_to_what_is_left_of_the_bound(clean: Tensor, change: Tensor) -> None:
    bound = Limits(most=3 / 255, pattern=1.0)
    ink = Ink(clean, whole(SIZE, BOX), SSIM, 0.1, bound)
    ink.plots = [dataclasses.replace(plot, sizes=(LARGEST, LARGEST)) for plot in ink.plots]
    once = ink.upon(clean).over(change)
    assert float((once - clean).abs().max()) == pytest.approx(3 / 255, rel=1e-4)
    twice = ink.upon(once).over(change)
    assert float((twice - clean).abs().max()) <= 3.001 / 255
    back = ink.upon(once).over(-change)
    assert float((back - clean).abs().max()) == pytest.approx(3 / 255, rel=1e-4)
    further = ink.upon(once, anew=True).over(change)
    assert float((further - clean).abs().max()) == pytest.approx(6 / 255, rel=1e-4)


def test_measured_anew_the_ceilings_may_be_used_once_more(clean: Tensor, change: Tensor) -> None:
    first = settled(ink_on(clean, BOX), change, 1.0).over(change)
    second = signs(1, 1, 31, 37)
    held, anew = (settled(ink_on(clean, BOX).upon(first, anew=each), second, 1.0) for each in (False, True))
    assert held.used(held.over(second)) == pytest.approx(1, rel=0.1)
    assert anew.used(anew.over(second)) == pytest.approx(1, rel=0.1)
    assert anew.used(first) == 0
    assert held.plots[0].look.distance(anew.over(second), SSIM) > 1.3
    larger = anew.fitted(functional.interpolate(clean, scale_factor=2.0))
    assert larger.used(larger.base) == 0
    assert larger.used(larger.clean) > 0.3


@pytest.mark.parametrize("target", [0.5, 1.0])
def test_what_is_settled_keeps_to_its_target_also_on_a_smooth_face(change: Tensor, target: float) -> None:
    smooth = portrait(SIZE, BOX, rough=0.0, pores=(0.002,))
    ink = Ink(smooth, whole(SIZE, BOX), SSIM, 0.1, Limits(most=1.0, pattern=1.0))
    ink.plots = [dataclasses.replace(plot, sizes=(LARGEST, LARGEST)) for plot in ink.plots]
    kept = ink.settled(change, target)
    assert 0.5 * target < ink.used(ink.over(kept)) <= 1.05 * target
    assert float(kept.abs().max()) < float(change.abs().max())
