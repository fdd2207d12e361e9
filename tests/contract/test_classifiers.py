"""What every classifier of the registry promises, whoever wrote it: this file names none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from deepguard.models.crop import cut
from deepguard.models.roles import Classifier, Localiser, classifiers
from deepguard.types import Box, Face
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
NAMES = classifiers.names()
FACE = Face(Box(178, 62, 269, 177), 1.0)
"""The sample photo's."""

Make = Callable[[str], Classifier]


@pytest.fixture(scope="module")
def make(stock: Callable[..., Shelf], empty_shelf: Shelf) -> Make:
    """Return a function that makes a classifier once, and skips the test where something that it needs is not here."""
    made: dict[str, Classifier] = {}

    def create(name: str) -> Classifier:
        if name not in made:
            entry = classifiers.entry(name)
            if entry.extra and not entry.installed:
                pytest.skip(f"{name} needs {entry.extra.command}")
            brought = [weights for weights in entry.weights if not weights.package]
            made[name] = classifiers.create(name, stock(*brought) if brought else empty_shelf, CPU)
        return made[name]

    return create


@pytest.fixture
def crops(make: Make, astronaut: Tensor) -> Callable[[str], Tensor]:
    """Return a function that cuts three different crops as a classifier wants them."""
    faces = [FACE, Face(FACE.box.grown(0.1), 1.0), Face(FACE.box.grown(-0.1), 1.0)]
    return lambda name: cut(astronaut, faces, make(name).crop)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_pinned_licensed_and_described(name: str) -> None:
    entry = classifiers.entry(name)
    assert len(entry.summary) > 20
    assert entry.weights
    for weights in entry.weights:
        pinned = re.fullmatch(r"[0-9a-f]{64}", weights.sha256) is not None and weights.size > 0
        assert pinned or (weights.terms and re.fullmatch(r"[0-9a-f]{10,64}|", weights.sha256))
        assert weights.licence
        assert weights.origin
        assert bool(weights.urls) or weights.package or weights.terms
        assert all(url.startswith("https://") for url in weights.urls)


def test_no_two_classifiers_put_different_files_under_one_name() -> None:
    every = [weights for name in NAMES for weights in classifiers.entry(name).weights]
    assert len({weights.file for weights in every}) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_the_crop_is_one_that_can_be_cut(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    spec = make(name).crop
    assert 32 <= spec.side <= 512
    assert 0 <= spec.margin <= 1
    assert crops(name).shape == (3, 3, spec.side, spec.side)


@pytest.mark.parametrize("name", NAMES)
def test_each_crop_has_one_logit_and_a_gradient(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    images = crops(name).requires_grad_()
    logits = make(name).fakeness(images)
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    logits.sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_crop_has_no_logit(name: str, make: Make, astronaut: Tensor) -> None:
    assert make(name).fakeness(cut(astronaut, [], make(name).crop)).shape == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_crops_give_the_same_logits_and_gradient(
    name: str, make: Make, crops: Callable[[str], Tensor]
) -> None:
    def once() -> tuple[Tensor, Tensor]:
        images = crops(name).requires_grad_()
        logits = make(name).fakeness(images)
        return logits, torch.autograd.grad(logits.sum(), images)[0]

    before = torch.get_rng_state()
    first, second = once(), once()
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_judged_as_its_crops_are_alone(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    together = make(name).fakeness(crops(name))
    alone = torch.cat([make(name).fakeness(crop[None]) for crop in crops(name)])
    assert torch.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_crops_are_left_as_they_were_and_weights_never_change(
    name: str, make: Make, crops: Callable[[str], Tensor]
) -> None:
    images = crops(name)
    before = images.clone()
    make(name).fakeness(images)
    assert torch.equal(images, before)
    parts = [part for part in vars(make(name)).values() if isinstance(part, torch.nn.Module)]
    assert not any(part.training or any(each.requires_grad for each in part.parameters()) for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_logits_sign_means_is_documented(name: str, make: Make) -> None:
    said = type(make(name)).fakeness.__doc__ or ""
    assert re.search(r"above 0 means fake", said)


@pytest.mark.parametrize("name", NAMES)
def test_who_shows_where_it_looks_says_the_same_thereby(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    if not hasattr(make(name), "maps"):
        pytest.skip("this classifier has no maps")
    classifier = cast(Localiser, make(name))
    maps = classifier.maps(crops(name))
    assert maps.dim() == 4
    assert torch.allclose(classifier.verdict(maps), make(name).fakeness(crops(name)), atol=1e-5)
