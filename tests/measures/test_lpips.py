import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepguard.errors import WeightsCorrupt
from deepguard.measures import lpips
from deepguard.measures.lpips import GRAPH, HEADS, NUMBERS, Lpips, create
from deepguard.weights.shelf import Shelf


@pytest.fixture(scope="module")
def distance(stock: Callable[..., Shelf]) -> Lpips:
    shelf = stock(GRAPH, NUMBERS, HEADS)
    return create([shelf.path(weights) for weights in (GRAPH, NUMBERS, HEADS)], torch.device("cpu"))


def test_it_gives_the_published_values(distance: Lpips, shared: Path) -> None:
    golden = np.load(shared / "models" / "golden" / "lpips-squeeze.npz")
    first, second, third = torch.from_numpy(golden["input_u8"]).float()[:, None] / 255
    assert math.isclose(distance(first, second).item(), float(golden["lpips_0_1"]), abs_tol=1e-6)
    assert math.isclose(distance(first, third).item(), float(golden["lpips_0_2"]), abs_tol=1e-6)
    assert distance(first, first).item() == 0


def test_each_level_gives_its_published_part(distance: Lpips, shared: Path) -> None:
    golden = np.load(shared / "models" / "golden" / "lpips-squeeze.npz")
    images = torch.from_numpy(golden["input_u8"]).float() / 255
    for level, part in enumerate(golden["per_layer_0_1"]):
        heads = tuple(head * (index == level) for index, head in enumerate(distance.heads))
        alone = Lpips(distance.convolutions, heads)(images[:1], images[1:2])
        assert math.isclose(alone.item(), float(part), abs_tol=1e-6)


def test_noise_lies_as_far_apart_as_torchmetrics_documents(distance: Lpips) -> None:
    chance = torch.Generator().manual_seed(123)
    clean, changed = (torch.rand(10, 3, 100, 100, generator=chance) for _ in range(2))
    assert math.isclose(distance(clean, changed).mean().item(), 0.10079, abs_tol=1e-5)


def test_a_batch_is_its_images(distance: Lpips, astronaut: Tensor) -> None:
    clean = torch.cat((astronaut[..., :80, :90], astronaut[..., 60:140, 180:270]))
    changed = clean.flip(0)
    apart = torch.cat([distance(clean[index : index + 1], changed[index : index + 1]) for index in range(2)])
    assert torch.allclose(distance(clean, changed), apart, atol=1e-6)


@pytest.mark.parametrize("size", [(300, 337), (290, 401), (177, 431)])
def test_tiles_give_what_the_whole_picture_gives(
    distance: Lpips, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    clean = astronaut[..., : size[0], : size[1]]
    changed = (clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    # bent at one border only: a tile that is counted twice or not at all shows
    changed[..., -20:] = 1 - changed[..., -20:]
    whole = distance(clean, changed).item()
    monkeypatch.setattr(lpips, "TILE", 48)
    assert len(lpips._spans(size[1])) >= 5
    assert math.isclose(distance(clean, changed).item(), whole, rel_tol=1e-5)


def test_a_margin_that_is_too_small_would_show(
    distance: Lpips, astronaut: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = astronaut[..., :300, :333]
    changed = functional.avg_pool2d(clean, 5, 1, 2)
    whole = distance(clean, changed).item()
    monkeypatch.setattr(lpips, "TILE", 48)
    monkeypatch.setattr(lpips, "MARGIN", 32)
    assert not math.isclose(distance(clean, changed).item(), whole, rel_tol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (20, 90), (63, 63)])
def test_small_pictures_are_enlarged_first(distance: Lpips, astronaut: Tensor, size: tuple[int, int]) -> None:
    clean = astronaut[..., 70 : 70 + size[0], 200 : 200 + size[1]]
    changed = (clean + 0.2).clamp(0, 1)
    larger = [
        functional.interpolate(images, size=(64, max(64, size[1])), mode="bilinear") for images in (clean, changed)
    ]
    assert distance(clean, clean).item() == 0
    assert distance(clean, changed).item() == distance(*larger).item() > 0


def test_the_gradient_points_uphill(distance: Lpips, astronaut: Tensor) -> None:
    clean = astronaut[..., 60:130, 200:264]
    changed = (clean + 0.02 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    changed.requires_grad_()
    (gradient,) = torch.autograd.grad(distance(clean, changed).sum(), changed)
    step = 1e-3 * gradient / gradient.norm()
    with torch.no_grad():
        rise = distance(clean, changed + step) - distance(clean, changed - step)
    assert torch.isfinite(gradient).all()
    assert math.isclose(rise.item(), 2e-3 * gradient.norm().item(), rel_tol=0.05)


def test_identical_pictures_have_a_finite_gradient(distance: Lpips, astronaut: Tensor) -> None:
    changed = astronaut[..., :64, :64].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(distance(changed.detach(), changed).sum(), changed)
    assert torch.isfinite(gradient).all()


def test_heads_that_are_none_are_refused(stock: Callable[..., Shelf], tmp_path: Path) -> None:
    shelf = stock(GRAPH, NUMBERS)
    torch.save({"other": torch.ones(1)}, tmp_path / "heads.pth")
    with pytest.raises(WeightsCorrupt, match="seven heads"):
        create([shelf.path(GRAPH), shelf.path(NUMBERS), tmp_path / "heads.pth"], torch.device("cpu"))
