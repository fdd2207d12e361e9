from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from tests.defences.portraits import masked, portrait, region_of, signs, whole
from torch import Tensor

from deepguard.defences.ink import BUSY, LARGEST, MOST, SMOOTH, WAVES, Flat, Ink, Plot
from deepguard.defences.looks import distance
from deepguard.measures import lpips
from deepguard.measures.ceilings import PICTURE
from deepguard.measures.roles import Measure
from deepguard.measures.skin import chroma, luma, smooth_skin
from deepguard.measures.ssim import Ssim
from deepguard.types import Box
from deepguard.weights.shelf import Shelf

SIZE = (96, 104)
BOX = Box(30, 22, 70, 72)
SSIM: dict[str, Measure] = {"ssim": Ssim()}


class Counted:
    """Another measure's value, and how often it was asked for."""

    unit, better, of = "", "lower", "any"

    def __init__(self, value: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.value = value
        self.asked = 0

    def __call__(self, clean: Tensor, changed: Tensor) -> Tensor:
        self.asked += 1
        return self.value(clean, changed)


def far(clean: Tensor, changed: Tensor) -> Tensor:
    """A distance that is linear in the change."""
    return 4 * (changed - clean).abs().mean(dim=(1, 2, 3))


def ink_on(clean: Tensor, *boxes: Box, part: float = 0.1, **measures: Measure) -> Ink:
    return Ink(clean, whole((clean.shape[-2], clean.shape[-1]), *boxes), measures or SSIM, part)


def settled(ink: Ink, change: Tensor, target: float, looks: int = 25) -> Ink:
    for _ in range(looks):
        ink.tune(change, target)
    return ink


@pytest.fixture(scope="module")
def clean() -> Tensor:
    return portrait(SIZE, BOX)


@pytest.fixture(scope="module")
def change() -> Tensor:
    """Coarser than the picture, as climbed changes are."""
    return signs(1, 1, 32, 35)


def test_a_change_is_one_of_brightness_so_that_colours_stay(clean: Tensor, change: Tensor) -> None:
    changed = ink_on(clean, BOX).over(change)
    assert changed.min() > 0
    assert changed.max() < 1
    torch.testing.assert_close(chroma(changed), chroma(clean), atol=1e-6, rtol=0)
    assert float((luma(changed) - luma(clean)).abs().max()) > SMOOTH / 255


def test_a_grey_picture_stays_grey(clean: Tensor, change: Tensor) -> None:
    grey = luma(clean).expand(-1, 3, -1, -1)
    changed = settled(ink_on(grey, BOX), change, 1.0, looks=3).over(change)
    assert torch.equal(changed[:, :1].expand_as(changed), changed)
    assert not torch.equal(changed, grey)


def test_nothing_changes_beyond_the_mask_at_any_size(clean: Tensor) -> None:
    region = region_of(SIZE, BOX)
    ink = Ink(region.cut(clean), region, SSIM, 0.1)
    larger = torch.nn.functional.interpolate(region.cut(clean), scale_factor=1.7, mode="bilinear")
    for each in (ink, settled(ink, signs(1, 1, 31, 37), 2.0), ink.fitted(larger)):
        outside = region.mask(*each.clean.shape[-2:]) == 0
        assert outside.any()
        assert not ((each.over(signs(1, 1, 31, 37)) != each.clean) & outside).any()


def test_the_result_is_a_picture_also_where_it_is_black_or_white(change: Tensor) -> None:
    hard = (portrait(SIZE, BOX, rough=0.5) > 0.5).float()
    changed = settled(ink_on(hard, BOX), change, 4.0).over(change)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert changed.isfinite().all()


def test_a_change_on_a_coarser_grid_is_brought_to_the_windows_size(clean: Tensor) -> None:
    ink = ink_on(clean, BOX)
    coarse = ink.over(torch.ones(1, 1, 5, 7)) - clean
    torch.testing.assert_close(coarse, ink.over(torch.ones(1, 1, *SIZE)) - clean)


def test_the_slope_of_a_change_is_its_size_at_each_place(clean: Tensor) -> None:
    leaf = torch.zeros(1, 1, *SIZE, requires_grad=True)
    ink = ink_on(clean, BOX)
    (gradient,) = torch.autograd.grad(ink.over(leaf).sum(), leaf)
    torch.testing.assert_close(gradient / 3, ink.over(torch.ones_like(leaf.detach()))[:, :1] - clean[:, :1])


def beside(picture: Tensor) -> float:
    """How much may change beside the face at the start, on both sides of the column 26, in levels of 255."""
    change = ink_on(picture, BOX).over(torch.ones(1, 1, *SIZE)) - picture
    return 255 * float(change[..., 40:54, 25:27].mean())


def test_smooth_places_have_one_size_and_rough_ones_grow_with_what_hides_the_change() -> None:
    levels = (0.0, 0.01, 0.06, 0.12, 0.3)
    smooth, calm, rough, rougher, roughest = (beside(portrait(SIZE, BOX, rough=level)) for level in levels)
    assert smooth == pytest.approx(SMOOTH, rel=1e-4)
    assert calm == pytest.approx(SMOOTH, rel=0.01)
    # twice the detail hides less than twice the change, and any detail only so much
    assert 1.5 < rougher / rough < 1.8
    assert rough > BUSY
    assert roughest == pytest.approx(MOST * BUSY)


def test_where_no_skin_is_seen_the_calm_of_the_face_leads_the_smooth_places(clean: Tensor, change: Tensor) -> None:
    hidden = masked(clean, BOX)
    assert not smooth_skin(hidden[..., 22:72, 30:70]).any()
    ink = settled(ink_on(hidden, BOX), change, 1.0)
    (plot,) = ink.plots
    assert plot.look.skin.any()
    assert plot.look.pattern(ink.over(change)) == pytest.approx(WAVES.pattern * 1, rel=0.05)


def test_a_lone_edge_hides_less_than_texture_of_the_same_height() -> None:
    face = portrait(SIZE, BOX, rough=0.0)
    columns = torch.arange(SIZE[1])
    edge, texture = (torch.where(columns < 30, face + 0.2 * step, face) for step in (columns >= 26, columns % 2))
    assert beside(edge) < 0.7 * beside(texture)


@pytest.mark.parametrize("target", [0.4, 1.0, 2.0])
def test_a_faces_sizes_are_led_until_skin_and_likeness_use_the_same_share(
    clean: Tensor, change: Tensor, target: float
) -> None:
    ink = settled(ink_on(clean, BOX), change, target)
    (plot,) = ink.plots
    assert plot.look.pattern(ink.over(change)) == pytest.approx(WAVES.pattern * target, rel=0.05)
    assert plot.look.distance(ink.over(change), SSIM) == pytest.approx(target, rel=0.05)
    assert all(0 < size < LARGEST for size in plot.sizes)


def test_the_learned_distance_leads_where_it_is_the_stricter(
    clean: Tensor, change: Tensor, stock: Callable[..., Shelf]
) -> None:
    files = (lpips.GRAPH, lpips.NUMBERS, lpips.HEADS)
    shelf = stock(*files)
    learned = lpips.create([shelf.path(each) for each in files], torch.device("cpu"))
    ink = settled(ink_on(clean, BOX, ssim=Ssim(), lpips=learned), change, 1.0, looks=15)
    (plot,) = ink.plots
    images = ink.over(change)
    shares = [plot.look.distance(images, {name: each}) for name, each in (("ssim", Ssim()), ("lpips", learned))]
    assert max(shares) == pytest.approx(1, rel=0.1)
    strict = settled(ink_on(clean, BOX, ssim=Ssim(), lpips=Counted(lambda *both: 2 * far(*both))), change, 1.0)
    assert strict.plots[0].sizes[1] < 0.7 * settled(ink_on(clean, BOX), change, 1.0).plots[0].sizes[1]
    assert strict.plots[0].look.distance(strict.over(change), strict.measures) == pytest.approx(1, rel=0.05)


def test_between_thorough_looks_the_learned_distance_is_taken_to_be_as_far_beyond_as_it_was(
    clean: Tensor, change: Tensor
) -> None:
    measure = Counted(lambda *both: 2 * far(*both))
    ink = ink_on(clean, BOX, ssim=Ssim(), lpips=measure)
    ink.tune(change, 1.0)
    asked, (plot,) = measure.asked, ink.plots
    assert asked == 1
    assert plot.beyond[1] > 1
    ink.tune(change, 1.0, thorough=False)
    assert measure.asked == asked
    assert ink.plots[0].beyond == plot.beyond
    alone = ink_on(clean, BOX)
    alone.tune(change, 1.0)
    alone.tune(change, 1.0, thorough=False)
    assert ink.plots[0].sizes[1] < alone.plots[0].sizes[1]


def test_a_second_face_with_another_texture_gets_other_sizes() -> None:
    size, boxes = (96, 200), (Box(30, 22, 70, 72), Box(130, 22, 170, 72))
    window, change = portrait(size, *boxes, pores=(0.002, 0.05)), signs(1, 1, 32, 67)
    ink = settled(Ink(window, whole(size, *boxes), SSIM, 0.1), change, 1.0)
    plain, freckled = ink.plots
    for plot in ink.plots:
        assert plot.look.pattern(ink.over(change)) == pytest.approx(WAVES.pattern * 1, rel=0.1)
        assert plot.look.distance(ink.over(change), SSIM) == pytest.approx(1, rel=0.1)
    assert freckled.sizes[0] < 0.7 * plain.sizes[0]


def test_one_faces_sizes_do_not_depend_on_another_far_away() -> None:
    boxes = Box(30, 22, 70, 72), Box(130, 22, 170, 72)
    window, change = portrait((96, 200), *boxes, pores=(0.002, 0.05)), signs(1, 1, 32, 67)
    together = settled(Ink(window, whole((96, 200), *boxes), SSIM, 0.1), change, 1.0, looks=5)
    alone = settled(Ink(window, whole((96, 200), boxes[0]), SSIM, 0.1), change, 1.0, looks=5)
    assert together.plots[0].sizes == pytest.approx(alone.plots[0].sizes, rel=1e-5)


def test_faces_that_are_close_share_what_may_change() -> None:
    boxes = Box(20, 20, 50, 60), Box(48, 26, 80, 64)
    ink = ink_on(torch.full((1, 3, *SIZE), 0.5), *boxes)
    together = torch.zeros(1, 1, *SIZE)
    for plot in ink.plots:
        together[..., *plot.place] += plot.smooth
        assert float(plot.busy.max()) == 0
    torch.testing.assert_close(together, whole(SIZE, *boxes).mask(*SIZE))


@pytest.mark.parametrize(("part", "leads"), [(0.1, "face"), (0.5, "picture"), (1.0, "picture")])
def test_the_pictures_own_ceilings_hold_where_much_of_it_is_worked_on(
    clean: Tensor, change: Tensor, part: float, leads: str
) -> None:
    ink = settled(ink_on(clean, BOX, part=part), change, 1.0)
    images = ink.over(change)
    shares = {
        "face": ink.plots[0].look.distance(images, SSIM),
        "picture": part * distance(clean, images, SSIM, PICTURE),
    }
    assert shares[leads] == pytest.approx(1, rel=0.05)
    assert max(shares.values()) == shares[leads]


def test_without_any_measure_at_hand_the_pattern_on_skin_is_held(clean: Tensor, change: Tensor) -> None:
    ink = Ink(clean, whole(SIZE, BOX), {}, 0.1)
    settled(ink, change, 1.0)
    changed = ink.over(change)
    assert ink.plots[0].look.pattern(changed) == pytest.approx(WAVES.pattern, rel=0.1)
    assert all(0 < size <= LARGEST for size in ink.plots[0].sizes)
    assert 0 <= changed.min() <= changed.max() <= 1
    assert not torch.equal(changed, clean)


def test_at_another_size_the_ink_is_the_same(clean: Tensor, change: Tensor) -> None:
    ink = settled(ink_on(clean, BOX), change, 1.0, looks=6)
    assert ink.fitted(clean.clone()) is ink
    larger = torch.nn.functional.interpolate(clean, scale_factor=2, mode="bilinear")
    fitted = ink.fitted(larger)
    assert fitted.clean is larger
    assert [plot.sizes for plot in fitted.plots] == [plot.sizes for plot in ink.plots]
    full, small = (each.over(torch.ones(1, 1, 1, 1)) - each.clean for each in (fitted, ink))
    down = torch.nn.functional.interpolate(full, scale_factor=0.5, mode="area")
    torch.testing.assert_close(down, small, atol=1.5 / 255, rtol=0)
    assert float((down - small).abs().mean()) < 0.1 * float(small.abs().mean())


def test_sixty_faces_hold_only_maps_of_their_own_surroundings() -> None:
    boxes = [
        Box(20 + 30 * column, 20 + 30 * row, 40 + 30 * column, 44 + 30 * row)
        for row in range(6)
        for column in range(10)
    ]
    size = (230, 350)
    region = region_of(size, *boxes)
    assert len(region.faces) == 60
    window = region.cut(portrait(size, *boxes))
    ink = Ink(window, region, SSIM, 0.1)
    maps = [each for plot in ink.plots for each in (plot.smooth, plot.busy, plot.look.clean, plot.look.skin)]
    reached = sum(box.grown(0.4).area for box in boxes)
    assert sum(each.shape[-2] * each.shape[-1] for each in maps) < 2 * 1.2 * reached + 2 * 1.2 * reached / 1.8**2
    # none of them holds on to the memory of a larger one
    held = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in maps[::4] + maps[1::4]}
    assert sum(held.values()) < 4 * 2 * 1.2 * reached
    changed = settled(ink, signs(1, 1, *window.shape[-2:]), 1.0, looks=2).over(signs(1, 1, *window.shape[-2:]))
    assert all((plot.look.cut(changed) != plot.look.clean).any() for plot in ink.plots)


def test_a_look_changes_a_size_by_a_quarter_at_most_and_never_beyond_the_largest(clean: Tensor) -> None:
    (plot,) = ink_on(clean, BOX).plots
    assert plot.tuned(1.0, 1.0, 1.0).sizes == (SMOOTH, BUSY)
    assert plot.tuned(1.0, 0.0, 100.0).sizes == pytest.approx((1.25 * SMOOTH, 0.8 * BUSY))
    for _ in range(30):
        plot = plot.tuned(1.0, 0.0, 0.0)
    assert plot.sizes == (LARGEST, LARGEST)


@pytest.mark.parametrize(("grey", "channels"), [(True, 1), (False, 3)])
def test_the_baseline_moves_each_channel_by_its_radius_at_most(clean: Tensor, grey: bool, channels: int) -> None:
    given = luma(clean).expand(-1, 3, -1, -1) if grey else clean
    radius = 0.03 * torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(2))
    flat = Flat(given, radius)
    assert flat.channels == channels
    changed = flat.over(signs(1, channels, *SIZE))
    torch.testing.assert_close((changed - given).abs(), radius.expand(-1, 3, -1, -1))
    flat.tune(torch.ones(1, channels, *SIZE), 0.1)
    assert torch.equal(flat.over(signs(1, channels, *SIZE)), changed)


def test_the_baseline_at_another_size_has_the_same_radius(clean: Tensor) -> None:
    larger = torch.nn.functional.interpolate(clean, size=(200, 190), mode="bilinear")
    fitted = Flat(clean, torch.full((1, 1, *SIZE), 0.02)).fitted(larger)
    torch.testing.assert_close(fitted.radius, torch.full((1, 1, 200, 190), 0.02))
    assert dataclasses.replace(fitted, clean=clean).channels == 3


def test_a_plots_size_is_the_sum_of_its_shares(clean: Tensor) -> None:
    (plot,) = ink_on(clean, BOX).plots
    other = Plot(plot.look, plot.place, plot.smooth, plot.busy, sizes=(255.0, 0.0))
    torch.testing.assert_close(other.size(), plot.smooth)


def test_where_a_colour_is_at_its_end_the_tone_stays(change: Tensor) -> None:
    clean = torch.tensor([0.998, 0.5, 0.002])[None, :, None, None].expand(1, 3, *SIZE).clone()
    moved = ink_on(clean, BOX).over(change) - clean
    assert float(moved.abs().max()) == pytest.approx(0.002, rel=0.01)
    torch.testing.assert_close(moved[:, 0], moved[:, 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(moved[:, 2], moved[:, 1], atol=1e-6, rtol=0)


def test_upon_another_window_the_change_is_added_to_that_and_held_against_the_clean_one(
    clean: Tensor, change: Tensor
) -> None:
    ink = settled(ink_on(clean, BOX), change, 0.5)
    base = ink.over(change)
    upon = ink.upon(base)
    nothing = torch.zeros_like(change)
    assert torch.equal(upon.over(nothing), base)
    assert torch.equal(ink.over(nothing), clean)
    assert upon.used(upon.over(nothing)) == ink.used(base) == pytest.approx(0.5, rel=0.05)
    torch.testing.assert_close(upon.over(change) - base, base - clean, atol=1e-6, rtol=0)
    settled(upon, change.flip(-1), 1.0)
    assert upon.used(upon.over(change.flip(-1))) == pytest.approx(1, rel=0.05)
    assert torch.equal(ink.over(change), base)


def test_of_each_pixels_size_only_the_share_where_models_look_is_used(clean: Tensor, change: Tensor) -> None:
    ink = ink_on(clean, BOX)
    where = torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(6))
    full, shared = (each.over(change) - clean for each in (ink, ink.upon(clean, where)))
    torch.testing.assert_close(shared, full * where, atol=1e-6, rtol=0)


def test_what_lies_beneath_is_kept_at_another_size(clean: Tensor, change: Tensor) -> None:
    where = torch.linspace(0, 1, SIZE[1]).expand(1, 1, *SIZE)
    base = (clean + 0.02).clamp(0, 1)
    larger = torch.nn.functional.interpolate(clean, scale_factor=2, mode="bilinear")
    fitted = ink_on(clean, BOX).upon(base, where).fitted(larger)
    torch.testing.assert_close(fitted.over(torch.zeros(1, 1, 4, 4)), larger + 0.02, atol=1e-5, rtol=0)
    assert fitted.clean is larger
    change_there = (fitted.over(torch.ones(1, 1, 1, 1)) - fitted.base)[:, 0]
    full = (ink_on(clean, BOX).fitted(larger).over(torch.ones(1, 1, 1, 1)) - larger)[:, 0]
    share = torch.nn.functional.interpolate(where, scale_factor=2, mode="bilinear")[:, 0]
    torch.testing.assert_close(change_there, full * share, atol=1e-5, rtol=0)


def test_used_is_the_worst_of_all_faces_and_the_picture(clean: Tensor, change: Tensor) -> None:
    ink = settled(ink_on(clean, BOX), change, 1.0)
    images = ink.over(change)
    assert ink.used(clean) == 0
    assert ink.used(images) == pytest.approx(1, rel=0.05)
    loud = clean + 3 * (images - clean)
    assert ink.used(loud) > 2
    wall = clean.clone()
    wall[..., :, -20:] = 1 - wall[..., :, -20:]
    assert ink.used(wall) == 0
    assert ink_on(clean, BOX, part=1.0).used(wall) == distance(clean, wall, SSIM, PICTURE) > 1


def test_used_is_of_the_face_that_uses_most() -> None:
    boxes = Box(30, 22, 70, 72), Box(130, 22, 170, 72)
    window = portrait((96, 200), *boxes)
    images = window + 0.02 * signs(1, 1, 96, 200)
    images[..., :100] = window[..., :100]
    both, first = (Ink(window, whole((96, 200), *each), SSIM, 0.1) for each in (boxes, boxes[:1]))
    assert first.used(images) == 0
    assert both.used(images) > 1
