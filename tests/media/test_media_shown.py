"""Pictures as every browser shows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from tests.media.files_of import CONTAINERS, file_of, opened, scene

from deepguard.media.read import decode
from deepguard.media.shown import shown


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_is_shown_as_a_jpeg_of_its_size(container: str) -> None:
    picture = decode(file_of(scene(48, 64), container))
    image = opened(shown(picture, picture.images, quality=95))
    assert (image.format, image.size, image.mode) == ("JPEG", (64, 48), "RGB")
    assert np.abs(np.asarray(image) - scene(48, 64).astype(int)).mean() < 3


def test_it_shows_the_images_that_are_given() -> None:
    picture = decode(file_of(scene(48, 64), "PNG"))
    image = opened(shown(picture, torch.full_like(picture.images, 0.25), quality=95))
    assert np.abs(np.asarray(image).astype(int) - 64).max() <= 1


@pytest.mark.parametrize(("longest", "size"), [(32, (32, 24)), (64, (64, 48)), (1000, (64, 48))])
def test_it_is_made_smaller_never_larger(longest: int, size: tuple[int, int]) -> None:
    picture = decode(file_of(scene(48, 64), "PNG"))
    assert opened(shown(picture, picture.images, quality=80, longest=longest)).size == size


def test_a_line_keeps_its_one_pixel() -> None:
    picture = decode(file_of(scene(1, 400), "PNG"))
    assert opened(shown(picture, picture.images, quality=80, longest=40)).size == (40, 1)


def test_what_is_transparent_is_shown_on_white() -> None:
    pixels = np.zeros((16, 32, 4), np.uint8)
    pixels[:, 16:, 3] = 255
    picture = decode(file_of(pixels, "PNG"))
    image = np.asarray(opened(shown(picture, picture.images, quality=95)))
    assert image[:, :14].min() >= 250
    assert image[:, 18:].max() <= 5


def test_the_profile_goes_along_and_other_metadata_does_not() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    taken = Image.Exif()
    taken[0x010F] = "A camera"
    picture = decode(file_of(scene(), "JPEG", icc_profile=profile, exif=taken))
    assert picture.coding.exif
    image = opened(shown(picture, picture.images, quality=80))
    assert image.info["icc_profile"] == profile
    assert not image.getexif()


def test_one_grey_channel_stays_one_as_its_profile_is_one_of_grey() -> None:
    picture = decode(file_of(scene(channels=1), "PNG"))
    assert opened(shown(picture, picture.images, quality=80)).mode == "L"
