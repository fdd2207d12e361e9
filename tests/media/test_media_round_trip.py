"""Pictures read and written: same container, same size, same samples, a like file size."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from files_of import CONTAINERS, LOSSLESS, file_of, opened, profile, psnr, scene
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from deepguard.media import webp
from deepguard.media.encode import encode
from deepguard.media.picture import to_images, to_pixels
from deepguard.media.read import decode

LACKING = {("WEBP", 1), ("BMP", 4)}
"""WebP has no grey; Pillow writes no alpha into BMP, so that has a test of its own."""


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_eight_bit_samples_survive_the_way_to_tensors_and_back(red, green, blue):
    pixels = np.array([[[red, green, blue]]], dtype=np.uint8)
    assert (to_pixels(to_images(pixels)[0]) == pixels).all()


def test_values_between_two_levels_are_rounded_not_cut():
    image = torch.tensor([100.6, 100.4, 300.0]).reshape(3, 1, 1) / 255
    assert to_pixels(image).ravel().tolist() == [101, 100, 255]
    assert to_pixels(-image).ravel().tolist() == [0, 0, 0]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("size", [(48, 64), (37, 53), (1, 1), (1, 9), (9, 1)])
def test_every_container_comes_back_as_itself_at_its_size(container, size):
    data = file_of(scene(*size), container)
    picture = decode(data)
    again = decode(encode(picture, picture.images))
    assert again.coding.container == picture.coding.container == container
    assert (again.height, again.width) == (picture.height, picture.width) == size
    assert picture.images.dtype == torch.float32
    assert picture.size == len(data)


@pytest.mark.parametrize(
    ("container", "channels"),
    [(container, channels) for container in LOSSLESS for channels in (1, 3, 4) if (container, channels) not in LACKING],
)
def test_containers_without_loss_keep_every_sample(container, channels):
    pixels = scene(channels=channels)
    picture = decode(file_of(pixels, container))
    assert (np.asarray(opened(encode(picture, picture.images))) == pixels).all()


def test_without_loss_colours_under_full_transparency_survive_in_webp():
    pixels = scene(channels=4)
    pixels[:10, :, 3] = 0
    picture = decode(file_of(pixels, "WEBP", exact=True))
    assert (np.asarray(opened(encode(picture, picture.images))) == pixels).all()


@pytest.mark.parametrize("container", ["PNG", "WEBP", "TIFF", "BMP"])
def test_alpha_comes_back_bit_for_bit(container):
    pixels = scene(channels=4)
    options = {"WEBP": {"lossless": False, "quality": 70}}.get(container, {})
    source = file_of(pixels, container, **options) if container != "BMP" else _bmp_with_alpha(pixels)
    picture = decode(source)
    again = decode(encode(picture, 1 - picture.images))
    assert (picture.alpha.numpy() == pixels[..., 3]).all()
    assert torch.equal(again.alpha, picture.alpha)


def _bmp_with_alpha(pixels):
    whole = decode(file_of(pixels[..., :3], "BMP"))
    return encode(replace(whole, alpha=torch.from_numpy(pixels[..., 3].copy())), whole.images)


def test_alpha_of_a_heic_file_is_close():
    pixels = scene(channels=4)
    picture = decode(file_of(pixels, "HEIF"))
    again = decode(encode(picture, picture.images))
    assert psnr(again.alpha.numpy(), picture.alpha.numpy()) > 40


@pytest.mark.parametrize("container", ["JPEG", "PNG", "TIFF", "BMP", "HEIF"])
def test_a_grey_file_stays_one_channel_even_where_colour_was_added(container):
    picture = decode(file_of(scene(channels=1), container))
    tinted = picture.images + torch.tensor([0.05, 0.0, -0.05]).reshape(1, 3, 1, 1)
    assert picture.grey
    assert picture.coding.single
    assert opened(encode(picture, tinted)).mode == "L"


def test_a_grey_picture_in_colour_channels_stays_grey_in_colour_channels():
    pixels = scene(channels=1)[..., None].repeat(3, axis=-1)
    picture = decode(file_of(pixels, "PNG"))
    tinted = picture.images + torch.tensor([0.05, 0.0, -0.05]).reshape(1, 3, 1, 1)
    written = np.asarray(opened(encode(picture, tinted)))
    assert picture.grey
    assert not picture.coding.single
    assert written.shape == pixels.shape
    assert (written == written[..., :1]).all()


def test_a_colour_picture_is_not_called_grey():
    assert not decode(file_of(scene(), "PNG")).grey


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_the_colour_profile_comes_back_byte_for_byte(container):
    icc = profile()
    picture = decode(file_of(scene(), container, icc_profile=icc))
    assert picture.coding.icc == icc
    assert opened(encode(picture, picture.images)).info["icc_profile"] == icc


@pytest.mark.parametrize("container", ["JPEG", "PNG", "TIFF", "BMP"])
def test_the_density_is_kept(container):
    picture = decode(file_of(scene(), container, dpi=(300, 300)))
    assert opened(encode(picture, picture.images)).info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_keeps_tables_chroma_layout_and_scans(subsampling, progressive):
    source = file_of(scene(), "JPEG", quality=83, subsampling=subsampling, progressive=progressive)
    picture = decode(source)
    result = opened(encode(picture, picture.images))
    assert result.quantization == opened(source).quantization
    assert JpegImagePlugin.get_sampling(result) == JpegImagePlugin.get_sampling(opened(source))
    assert bool(result.info.get("progressive")) is progressive


@pytest.mark.parametrize("quality", [50, 75, 90, 97])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_an_untouched_jpeg_is_written_at_its_size_and_quality(astronaut, quality, options):
    pixels = to_pixels(astronaut[0])
    source = file_of(pixels, "JPEG", quality=quality, subsampling="4:2:0", **options)
    picture = decode(source)
    result = encode(picture, picture.images)
    assert abs(len(result) / len(source) - 1) < 0.1
    assert psnr(np.asarray(opened(result)), to_pixels(picture.images[0])) > 45


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_jpeg_meets_its_old_quantisation_steps(astronaut, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    source = file_of(to_pixels(astronaut[0]), "JPEG", quality=75, subsampling="4:2:0", exif=exif)
    picture = decode(source)
    result = encode(picture, picture.images)
    assert abs(len(result) / len(source) - 1) < 0.1
    assert psnr(np.asarray(opened(result)), to_pixels(picture.images[0])) > 45


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}])
def test_pure_noise_at_the_finest_steps_fits_the_encoder(rng, options):
    noise = torch.randint(0, 256, (64, 64, 3), generator=rng, dtype=torch.uint8).numpy()
    picture = decode(file_of(noise, "JPEG", quality=100, **options))
    assert psnr(to_pixels(decode(encode(picture, picture.images)).images[0]), noise) > 40


@pytest.mark.parametrize("quality", [30, 60, 75, 85, 95])
def test_a_webp_tells_its_quality(astronaut, quality):
    source = file_of(to_pixels(astronaut[0]), "WEBP", lossless=False, quality=quality)
    picture = decode(source)
    result = encode(picture, picture.images)
    assert abs(webp.quality(source) - quality) <= 6
    assert not picture.coding.lossless
    assert 0.85 < len(result) / len(source) < 1.1


def test_a_webp_that_does_not_tell_its_quality_gets_a_usual_one():
    assert webp.quality(file_of(scene(), "WEBP", lossless=True)) == webp.UNKNOWN_QUALITY


def test_a_webp_without_loss_stays_without_loss():
    picture = decode(file_of(scene(), "WEBP", lossless=True))
    assert webp.lossless(encode(picture, picture.images))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("raw", "raw"),
        ("packbits", "packbits"),
        ("tiff_lzw", "tiff_lzw"),
        ("tiff_adobe_deflate", "tiff_adobe_deflate"),
        ("tiff_deflate", "tiff_adobe_deflate"),
        ("jpeg", "tiff_adobe_deflate"),
    ],
)
def test_a_tiff_keeps_its_compression_or_gets_one_without_loss(given, expected):
    picture = decode(file_of(scene(), "TIFF", compression=given))
    result = opened(encode(picture, picture.images))
    assert result.info["compression"] == expected
    assert (np.asarray(result) == to_pixels(picture.images[0])).all()


def test_a_tiff_keeps_its_predictor():
    picture = decode(file_of(scene(), "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
    result = opened(encode(picture, picture.images))
    assert result.tag_v2[317] == 2
    assert (np.asarray(result) == scene()).all()


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_a_heic_keeps_its_chroma_layout_and_colour_description(chroma):
    picture = decode(file_of(scene(), "HEIF", chroma=chroma, color_primaries=12))
    result = opened(encode(picture, picture.images))
    assert str(result.info["chroma"]) == chroma
    assert result.info["nclx_profile"]["color_primaries"] == 12
    assert psnr(np.asarray(result), to_pixels(picture.images[0])) > 38


@pytest.mark.parametrize("quality", [40, 60, 90])
@pytest.mark.parametrize("enlarged", [1, 2])
def test_an_untouched_heic_is_written_at_its_size_though_it_does_not_tell_its_quality(astronaut, quality, enlarged):
    image = Image.fromarray(to_pixels(astronaut[0]))
    image = image.resize((image.width * enlarged, image.height * enlarged // 2 + 7), Image.Resampling.BICUBIC)
    source = file_of(image, "HEIF", quality=quality, chroma="420")
    picture = decode(source)
    result = encode(picture, picture.images)
    assert 0.6 < len(result) / len(source) < 1.25
    assert psnr(to_pixels(decode(result).images[0]), to_pixels(picture.images[0])) > 34


def test_only_the_first_picture_of_a_phone_jpeg_is_kept_and_that_is_said():
    pair = io.BytesIO()
    first, second = Image.fromarray(scene()), Image.fromarray(255 - scene())
    first.save(pair, "MPO", save_all=True, append_images=[second], quality=95)
    picture = decode(pair.getvalue())
    result = encode(picture, picture.images)
    assert picture.coding.container == "JPEG"
    assert [note.text for note in picture.notes] == ["only the main picture of the file is kept"]
    assert b"MPF\0" not in result
    assert result.count(b"\xff\xd8\xff") == 1
    assert psnr(to_pixels(picture.images[0]), scene()) > 30


def test_a_chroma_layout_that_cannot_be_written_becomes_full_chroma_with_a_note():
    source = bytearray(file_of(scene(48, 64), "JPEG", subsampling="4:2:2"))
    frame = source.index(b"\xff\xc0")
    assert source[frame + 11] == 0x21
    # 2x1 becomes 1x2: as many blocks in the same order, so that the data stays decodable
    source[frame + 11] = 0x12
    picture = decode(bytes(source))
    result = opened(encode(picture, picture.images))
    assert "chroma is stored in full" in picture.notes[0].text
    assert JpegImagePlugin.get_sampling(result) == 0


def test_an_image_of_another_size_is_not_written():
    picture = decode(file_of(scene(), "PNG"))
    with pytest.raises(ValueError, match="cannot be written as"):
        encode(picture, picture.images[..., :-1])


def test_a_picture_names_its_file_by_hash():
    data = file_of(scene(), "PNG")
    assert decode(data).sha256 == decode(bytes(data)).sha256
    assert decode(data).sha256 != decode(file_of(255 - scene(), "PNG")).sha256
