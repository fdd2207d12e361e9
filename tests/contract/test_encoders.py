"""What every encoder of the registry promises, whoever wrote it: this file names none of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deepguard.models.align import aligned
from deepguard.models.roles import Encoder, encoders
from deepguard.types import Landmarks
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")
NAMES = encoders.names()
MARKS: Landmarks = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))
"""The sample photo's face."""

Make = Callable[[str], Encoder]


@pytest.fixture(scope="module")
def make(stock: Callable[..., Shelf], empty_shelf: Shelf) -> Make:
    """Return a function that makes an encoder once, and skips the test where something that it needs is not here."""
    made: dict[str, Encoder] = {}

    def create(name: str) -> Encoder:
        if name not in made:
            entry = encoders.entry(name)
            if entry.extra and not entry.installed:
                pytest.skip(f"{name} needs {entry.extra.command}")
            brought = [weights for weights in entry.weights if not weights.package]
            made[name] = encoders.create(name, stock(*brought) if brought else empty_shelf, CPU)
        return made[name]

    return create


@pytest.fixture
def crops(make: Make, astronaut: Tensor) -> Callable[[str], Tensor]:
    """Return a function that gives three crops as an encoder wants them: a face, it a little aside, and another."""

    def cut(name: str) -> Tensor:
        template = make(name).template
        aside = tuple((x + 1, y - 1) for x, y in MARKS)
        return torch.cat(
            [
                aligned(astronaut, MARKS, template),
                aligned(astronaut, aside, template),
                aligned(astronaut.flip(3).flip(2), MARKS, template),
            ]
        )

    return cut


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_pinned_licensed_and_described(name: str) -> None:
    entry = encoders.entry(name)
    assert len(entry.summary) > 20
    assert entry.weights
    for weights in entry.weights:
        pinned = re.fullmatch(r"[0-9a-f]{64}", weights.sha256) is not None and weights.size > 0
        assert pinned or (weights.terms and re.fullmatch(r"[0-9a-f]{10,64}|", weights.sha256))
        assert weights.licence
        assert weights.origin
        assert bool(weights.urls) or weights.package or weights.terms
        assert all(url.startswith("https://") for url in weights.urls)


def test_no_two_encoders_put_different_files_under_one_name() -> None:
    every = [weights for name in NAMES for weights in encoders.entry(name).weights]
    assert len({weights.file for weights in every}) == len(set(every))


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_a_face_that_lies_in_the_crop(name: str, make: Make) -> None:
    template = make(name).template
    assert len(template.points) == 5
    assert all(0 < x < template.width and 0 < y < template.height for x, y in template.points)
    (left, right, nose, low_left, low_right) = template.points
    assert left[0] < nose[0] < right[0]
    assert low_left[0] < low_right[0]
    assert max(left[1], right[1]) < nose[1] < min(low_left[1], low_right[1])
    assert make(name).family


@pytest.mark.parametrize("name", NAMES)
def test_each_crop_has_one_unit_vector(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    with torch.no_grad():
        vectors = make(name).embed(crops(name))
    assert vectors.shape[0] == 3
    assert vectors.shape[1] >= 32
    assert vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_crop_has_no_vector(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    with torch.no_grad():
        one = make(name).embed(crops(name))
        assert make(name).embed(crops(name)[:0]).shape == (0, one.shape[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_face_is_more_like_itself_than_like_something_else(
    name: str, make: Make, crops: Callable[[str], Tensor]
) -> None:
    with torch.no_grad():
        face, again, other = make(name).embed(crops(name))
    assert face @ again > 0.8
    assert face @ other < face @ again - 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_crop_where_one_is_promised(
    name: str, make: Make, crops: Callable[[str], Tensor]
) -> None:
    if not make(name).gradient:
        pytest.skip(f"{name} only judges")
    images = crops(name).requires_grad_()
    vectors = make(name).embed(images)
    vectors[:, :3].sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.abs().amax(dim=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_crops_give_the_same_vectors(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    before = torch.get_rng_state()
    with torch.no_grad():
        first, second = (make(name).embed(crops(name)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_embedded_as_its_crops_are_alone(name: str, make: Make, crops: Callable[[str], Tensor]) -> None:
    with torch.no_grad():
        together = make(name).embed(crops(name))
        alone = torch.cat([make(name).embed(crop[None]) for crop in crops(name)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_crops_are_left_as_they_were_and_weights_never_change(
    name: str, make: Make, crops: Callable[[str], Tensor]
) -> None:
    images = crops(name)
    before = images.clone()
    make(name).embed(images)
    assert torch.equal(images, before)
    assert not make(name).embed(images).requires_grad
