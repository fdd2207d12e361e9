"""Posting with the real codecs and resamplers."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from files_of import psnr
from PIL import Image, JpegImagePlugin

from deepguard.media import codec
from deepguard.media.codec import recompress, resample
from deepguard.media.picture import to_pixels


@pytest.mark.parametrize(("kind", "container"), [("jpeg", "JPEG"), ("webp", "WEBP")])
def test_recompression_is_what_the_codec_itself_does(astronaut, kind, container):
    buffer = io.BytesIO()
    Image.fromarray(to_pixels(astronaut[0])).save(buffer, container, quality=60)
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    assert (to_pixels(recompress(astronaut, kind, 60)[0]) == expected).all()


def test_a_lower_quality_leaves_less(astronaut):
    clean = to_pixels(astronaut[0])
    left = [psnr(to_pixels(recompress(astronaut, "jpeg", quality)[0]), clean) for quality in (95, 75, 40)]
    assert left[0] > left[1] > left[2]


def test_chroma_is_halved_unless_asked_otherwise(astronaut, monkeypatch):
    layouts = []
    open_image = Image.open

    def noting(*arguments, **options):
        opened = open_image(*arguments, **options)
        layouts.append(JpegImagePlugin.get_sampling(opened))
        return opened

    monkeypatch.setattr(codec.Image, "open", noting)
    recompress(astronaut, "jpeg", 75)
    recompress(astronaut, "jpeg", 75, "4:4:4")
    assert layouts == [2, 0]


def test_every_image_of_a_batch_goes_its_own_way(astronaut):
    batch = torch.cat([astronaut, 1 - astronaut])
    assert torch.equal(recompress(batch, "webp", 70)[1:], recompress(1 - astronaut, "webp", 70))
    assert torch.equal(resample(batch, (99, 101))[1:], resample(1 - astronaut, (99, 101)))


@pytest.mark.parametrize("kernel", ["lanczos", "bicubic", "bilinear", "box"])
def test_resampling_is_pillows_on_eight_bits(astronaut, kernel):
    kernels = {name.lower(): member for name, member in Image.Resampling.__members__.items()}
    expected = np.asarray(Image.fromarray(to_pixels(astronaut[0])).resize((301, 200), kernels[kernel]))
    result = resample(astronaut, (200, 301), kernel)
    assert result.shape == (1, 3, 200, 301)
    assert (to_pixels(result[0]) == expected).all()
    assert torch.equal(result * 255, (result * 255).round())
