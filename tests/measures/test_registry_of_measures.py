from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deepguard.measures.lpips import GRAPH, HEADS, NUMBERS
from deepguard.measures.roles import measures
from deepguard.weights.shelf import Shelf


def test_all_measures_are_found() -> None:
    assert measures.names() == ("chroma", "lpips", "marbling", "psnr", "ssim")


def test_those_without_weights_need_no_shelf(empty_shelf: Shelf) -> None:
    assert measures.available(empty_shelf) == ("chroma", "marbling", "psnr", "ssim")


@pytest.mark.parametrize("name", measures.names())
def test_more_change_is_further_away_in_the_named_direction(
    name: str, stock: Callable[..., Shelf], astronaut: Tensor
) -> None:
    measure = measures.create(name, stock(GRAPH, NUMBERS, HEADS), torch.device("cpu"))
    clean = astronaut[..., 60:140, 190:270]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    little, much = (measure(clean, (clean + level * noise).clamp(0, 1)) for level in (0.01, 0.1))
    assert little.shape == (1,)
    assert (little > much if measure.better == "higher" else little < much).all()
    assert measures.entry(name).summary
    assert measure.of == ("face" if name in {"marbling", "chroma"} else "any")


def test_all_weights_are_pinned_and_licensed() -> None:
    for name in measures.names():
        for weights in measures.entry(name).weights:
            assert len(weights.sha256) == 64
            assert weights.size > 0
            assert weights.licence
            assert all(url.startswith("https://") for url in weights.urls)
