"""What every swapper of the registry promises, whoever wrote it: this file names none of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deepguard.models.swappers.roles import Crops, Swapper, crops_at, swappers
from deepguard.types import Landmarks, Progress
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
NAMES = swappers.names()
MARKS: Landmarks = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))
"""The sample photo's face."""
STEPS = 2

Make = Callable[[str], Swapper]


@pytest.fixture(scope="module")
def make(stock: Callable[..., Shelf], empty_shelf: Shelf) -> Make:
    """Return a function that makes a swapper once, and skips the test where its weights are not here."""
    made: dict[str, Swapper] = {}

    def create(name: str) -> Swapper:
        if name not in made:
            brought = [weights for weights in swappers.entry(name).weights if not weights.package]
            made[name] = swappers.create(name, stock(*brought) if brought else empty_shelf, CPU)
        return made[name]

    return create


def people(swapper: Swapper, astronaut: Tensor) -> tuple[Crops, Crops]:
    """A victim and two faces to put it on."""
    source, _ = crops_at(astronaut, MARKS, swapper.source)
    mirrored = astronaut.flip(3)
    marks = tuple((511 - MARKS[at][0], MARKS[at][1]) for at in (1, 0, 2, 4, 3))
    one, other = (crops_at(mirrored * light, marks, swapper.target)[0] for light in (1.0, 0.8))
    return source, Crops(torch.cat((one.images, other.images)), torch.cat((one.landmarks, other.landmarks)))


def swapped(swapper: Swapper, astronaut: Tensor, seed: int = 1) -> Tensor:
    source, targets = people(swapper, astronaut)
    rng = torch.Generator().manual_seed(seed)
    return swapper.learn(source, targets, steps=STEPS, rng=rng).swap(targets).detach()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_pinned_licensed_and_brought_by_the_user(name: str) -> None:
    entry = swappers.entry(name)
    assert len(entry.summary) > 20
    for weights in entry.weights:
        assert re.fullmatch(r"[0-9a-f]{64}", weights.sha256)
        assert weights.size > 0
        assert weights.licence
        assert weights.origin
        assert weights.terms
        assert not weights.urls, "no weights of a swapper are shipped or fetched"
        assert not weights.package


@pytest.mark.parametrize("name", NAMES)
def test_its_alignments_hold_five_landmarks_inside_the_crop(name: str, make: Make) -> None:
    for template in (make(name).source, make(name).target):
        assert len(template.points) == 5
        assert all(0 < x < template.width and 0 < y < template.height for x, y in template.points)
    assert make(name).steps >= 0


@pytest.mark.parametrize("name", NAMES)
def test_swaps_have_the_targets_number_shape_and_range(name: str, make: Make, astronaut: Tensor) -> None:
    swaps = swapped(make(name), astronaut)
    target = make(name).target
    assert swaps.shape == (2, 3, target.height, target.width)
    assert swaps.isfinite().all()
    assert 0 <= float(swaps.min()) <= float(swaps.max()) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_the_mask_fits_the_crop_and_is_nothing_at_its_edge(name: str, make: Make, astronaut: Tensor, rng) -> None:
    source, targets = people(make(name), astronaut)
    mask = make(name).learn(source, targets, steps=0, rng=rng).mask
    assert mask.shape == (make(name).target.height, make(name).target.width)
    assert 0 <= float(mask.min()) <= float(mask.max()) <= 1
    assert max(float(edge.max()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_swap_and_all_chance_comes_from_it(
    name: str, make: Make, astronaut: Tensor
) -> None:
    before = torch.get_rng_state()
    assert torch.equal(swapped(make(name), astronaut), swapped(make(name), astronaut))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_training_tells_of_every_step_and_one_without_training_of_none(
    name: str, make: Make, astronaut: Tensor, rng
) -> None:
    told: list[Progress] = []
    make(name).learn(*people(make(name), astronaut), steps=STEPS, rng=rng, watch=told.append)
    assert [progress.done for progress in told] == (list(range(STEPS + 1)) if make(name).steps else [])


@pytest.mark.parametrize("name", NAMES)
def test_crops_are_left_as_they_were(name: str, make: Make, astronaut: Tensor, rng) -> None:
    source, targets = people(make(name), astronaut)
    before = [each.clone() for each in (source.images, source.landmarks, targets.images, targets.landmarks)]
    make(name).learn(source, targets, steps=STEPS, rng=rng).swap(targets)
    after = (source.images, source.landmarks, targets.images, targets.landmarks)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
