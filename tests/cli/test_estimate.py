"""The estimate before the start."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from tests.cli.conftest import portrait

from deepguard import api
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.types import Box, Progress
from deepguard.weights.shelf import Shelf


class Stop(Exception):
    """Ends a call as soon as the estimate is known."""


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> api.Models:
    return api.load_models(empty_shelf, torch.device("cpu"))


@pytest.fixture(scope="module")
def picture() -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(portrait()).save(buffer, "PNG")
    return decode(buffer.getvalue())


def estimate(picture: Picture, models: api.Models, options: api.Options) -> tuple[float, list[Progress]]:
    heard: list[Progress] = []

    def watch(progress: Progress) -> None:
        heard.append(progress)
        if progress.seconds is not None:
            raise Stop

    with pytest.raises(Stop):
        api.protect(picture, models, options, watch=watch)
    return heard[-1].seconds or 0.0, heard


def test_it_comes_after_the_search_and_before_the_first_step(picture: Picture, models: api.Models) -> None:
    seconds, heard = estimate(picture, models, api.Options())
    assert seconds > 0
    assert all(progress.stage.startswith("looking for faces") for progress in heard[:-1])
    assert heard[-1].done == 0


def test_it_grows_with_the_steps(picture: Picture, models: api.Models) -> None:
    estimate(picture, models, api.Options())  # the first look is slower than the next
    few, _ = estimate(picture, models, api.Options(steps=2))
    many, _ = estimate(picture, models, api.Options(steps=2000))
    assert many > 20 * few


def test_a_drawn_box_has_one_too(picture: Picture, models: api.Models) -> None:
    seconds, _ = estimate(picture, models, api.Options(box=Box(40, 40, 140, 150)))
    assert seconds > 0
