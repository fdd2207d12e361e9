"""Orientation and every kind of sample."""

from __future__ import annotations

import io
import struct

import numpy as np
import pillow_heif
import pytest
import tifffile
import torch
from files_of import file_of, opened, png_of_sixteen, profile, psnr, scene
from PIL import Image, ImageCms

from deepguard.errors import UnsupportedImage
from deepguard.media import colour
from deepguard.media.encode import encode
from deepguard.media.picture import to_pixels
from deepguard.media.read import decode

UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p.transpose(1, 0, 2)[:, ::-1],
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: p.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF-LZW", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_applied_and_then_forgotten(container, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    pixels = scene(40, 56)
    options = {"compression": "tiff_lzw"} if container == "TIFF-LZW" else {}
    picture = decode(file_of(pixels, container.removesuffix("-LZW"), exif=exif, **options))
    expected = UPRIGHT[orientation](pixels)
    floor = 30 if container in {"JPEG", "HEIF"} else 300
    assert to_pixels(picture.images[0]).shape == expected.shape
    assert psnr(to_pixels(picture.images[0]), expected) > floor
    result = opened(encode(picture, picture.images))
    assert result.getexif().get(274, 1) == 1
    assert result.info.get("original_orientation") in {None, 1}
    assert psnr(np.asarray(result), expected) > floor


def test_alpha_is_turned_with_the_picture():
    exif = Image.Exif()
    exif[274] = 6
    pixels = scene(40, 56, channels=4)
    picture = decode(file_of(pixels, "PNG", exif=exif))
    assert (picture.alpha.numpy() == UPRIGHT[6](pixels)[..., 3]).all()


def _samples(rng, *shape):
    return torch.randint(0, 65536, shape, generator=rng, dtype=torch.int32).numpy().astype(np.uint16)


def _nearest(samples, ceiling=65535):
    return np.rint(samples.astype(np.float64) * 255 / ceiling).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_is_rounded_to_the_nearest_of_eight(rng, channels):
    samples = _samples(rng, 9, 11, channels)
    samples = samples[..., 0] if channels == 1 else samples
    picture = decode(png_of_sixteen(samples))
    result = opened(encode(picture, picture.images))
    assert picture.notes == (colour.SIXTEEN,)
    assert result.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
    assert (np.asarray(result) == _nearest(samples)).all()


def test_cutting_the_lower_byte_would_be_seen_by_these_tests(rng):
    samples = _samples(rng, 9, 11, 3)
    assert ((samples >> 8).astype(np.uint8) != _nearest(samples)).any()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_is_rounded_but_for_compressed_separate_planes(rng, channels, compression, planes, order):
    samples = _samples(rng, 9, 11, channels)
    stored = samples.transpose(2, 0, 1) if planes == "separate" and channels > 1 else samples
    layout = {
        "photometric": "minisblack" if channels == 1 else "rgb",
        "planarconfig": planes if channels > 1 else None,
        "extrasamples": ["unassalpha"] if channels == 4 else None,
    }
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stored.squeeze(), compression=compression, byteorder=order, metadata=None, **layout)
    picture = decode(buffer.getvalue())
    result = np.asarray(opened(encode(picture, picture.images)))
    cut = compression and planes == "separate" and channels > 1
    assert picture.notes == (colour.SIXTEEN_CUT if cut else colour.SIXTEEN,)
    assert (result == (samples.squeeze() >> 8 if cut else _nearest(samples.squeeze()))).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_see_through_colour_of_a_sixteen_bit_png_becomes_alpha(rng, channels):
    samples = _samples(rng, 5, 7, channels)
    clear = samples[2, 3].astype(">u2").tobytes()
    picture = decode(png_of_sixteen(samples.squeeze(), clear))
    expected = np.full((5, 7), 255)
    expected[2, 3] = 0
    assert (picture.alpha.numpy() == expected).all()


def test_a_twelve_bit_tiff_is_rounded_on_its_own_scale():
    samples = np.array([0, 100, 2048, 4095])
    packed = int("".join(f"{value:012b}" for value in samples), 2).to_bytes(6, "big")
    entries = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 6}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    data = b"II*\0" + struct.pack("<I", 14) + packed + struct.pack("<H", len(entries)) + directory + b"\0" * 4
    picture = decode(data)
    assert picture.notes == (colour.SIXTEEN,)
    assert (to_pixels(picture.images[0])[0, :, 0] == _nearest(samples, 4095)).all()


def test_a_ten_bit_heic_is_rounded():
    across = np.arange(96, dtype=np.uint16)[None, :, None].repeat(64, axis=0).repeat(3, axis=-1) * 10 + 3
    buffer = io.BytesIO()
    source = pillow_heif.from_bytes("RGB;16", (96, 64), (across << 6).tobytes())
    source.save(buffer, quality=-1, chroma="444")
    exact = np.asarray(pillow_heif.open_heif(buffer, convert_hdr_to_8bit=False)).astype(np.uint32) >> 6
    picture = decode(buffer.getvalue())
    assert picture.notes == (colour.SIXTEEN,)
    assert (to_pixels(picture.images[0]) == _nearest(exact, 1023)).all()


@pytest.mark.parametrize("container", ["PNG", "TIFF", "BMP"])
def test_a_palette_becomes_full_colour_in_the_same_container(container):
    source = Image.fromarray(scene()).quantize(64)
    picture = decode(file_of(source, container))
    result = opened(encode(picture, picture.images))
    assert picture.notes == (colour.PALETTE,)
    assert result.mode == "RGB"
    assert (np.asarray(result) == np.asarray(source.convert("RGB"))).all()


def test_a_see_through_palette_entry_becomes_alpha():
    source = Image.fromarray(scene()).quantize(16)
    picture = decode(file_of(source, "PNG", transparency=3))
    assert ((picture.alpha.numpy() == 0) == (np.asarray(source) == 3)).all()


@pytest.mark.parametrize(("mode", "clear"), [("L", 40), ("RGB", (40, 220, 90))])
def test_a_see_through_colour_becomes_alpha(mode, clear):
    source = Image.fromarray(scene()).convert(mode)
    if mode == "L":
        source.putpixel((5, 5), 40)
    picture = decode(file_of(source, "PNG", transparency=clear))
    matches = (np.asarray(source) == clear) if mode == "L" else (np.asarray(source) == clear).all(-1)
    assert matches.any()
    assert ((picture.alpha.numpy() == 0) == matches).all()


@pytest.mark.parametrize("container", ["PNG", "TIFF", "BMP"])
def test_black_and_white_becomes_grey(container):
    source = Image.fromarray(scene(channels=1)).convert("1")
    picture = decode(file_of(source, container))
    result = opened(encode(picture, picture.images))
    assert picture.grey
    assert result.mode == "L"
    assert (np.asarray(result) == np.asarray(source.convert("L"))).all()


@pytest.mark.parametrize("container", ["JPEG", "TIFF"])
def test_cmyk_without_profile_becomes_rgb_and_the_guess_is_said(container):
    source = Image.fromarray(scene()).convert("CMYK")
    options = {"quality": 95} if container == "JPEG" else {}
    picture = decode(file_of(source, container, **options))
    assert picture.notes[-1] == colour.CMYK_BARE
    assert psnr(to_pixels(picture.images[0]), np.asarray(source.convert("RGB"))) > 30
    assert opened(encode(picture, picture.images)).mode == "RGB"


def test_cmyk_with_a_profile_goes_through_it(monkeypatch):
    asked = []

    def converted(image, given, target, **options):
        asked.append((given.tobytes(), options["outputMode"]))
        return Image.new("RGB", image.size, (1, 2, 3))

    monkeypatch.setattr(ImageCms, "profileToProfile", converted)
    icc = profile()
    picture = decode(file_of(Image.fromarray(scene()).convert("CMYK"), "TIFF", icc_profile=icc))
    assert asked == [(icc, "RGB")]
    assert picture.notes == (colour.CMYK,)
    assert picture.coding.icc == b""


def test_cmyk_with_a_profile_of_other_colours_falls_back_with_a_note():
    source = file_of(Image.fromarray(scene()).convert("CMYK"), "TIFF", icc_profile=profile())
    assert decode(source).notes == (colour.CMYK_BARE,)


def test_lab_becomes_srgb():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    source = ImageCms.applyTransform(Image.fromarray(scene()), to_lab)
    picture = decode(file_of(source, "TIFF"))
    assert picture.notes == (colour.LAB,)
    assert psnr(to_pixels(picture.images[0]), scene()) > 35


def test_ycbcr_becomes_rgb():
    source = Image.fromarray(scene()).convert("YCbCr")
    picture = decode(file_of(source, "TIFF"))
    assert picture.notes == (colour.OTHER,)
    assert (to_pixels(picture.images[0]) == np.asarray(source.convert("RGB"))).all()


def test_floating_point_between_0_and_1_becomes_eight_bits():
    values = scene(channels=1).astype(np.float32) / 255
    picture = decode(file_of(Image.fromarray(values), "TIFF"))
    assert picture.notes == (colour.FLOAT,)
    assert (to_pixels(picture.images[0])[..., 0] == scene(channels=1)).all()


def test_whole_numbers_up_to_65535_become_eight_bits():
    values = scene(channels=1).astype(np.int32) * 257
    picture = decode(file_of(Image.fromarray(values), "TIFF"))
    assert (to_pixels(picture.images[0])[..., 0] == scene(channels=1)).all()


@pytest.mark.parametrize("values", [np.full((3, 3), 2.5), np.full((3, 3), np.nan), np.full((3, 3), -1.0)])
def test_floating_point_of_unknown_range_is_refused(values):
    with pytest.raises(UnsupportedImage, match="convert it to 8 bits"):
        decode(file_of(Image.fromarray(values.astype(np.float32)), "TIFF"))


def test_whole_numbers_beyond_sixteen_bits_are_refused():
    with pytest.raises(UnsupportedImage, match="convert it to 8 bits"):
        decode(file_of(Image.fromarray(np.full((3, 3), 70_000, np.int32)), "TIFF"))


def test_colours_are_kept_as_coded_whatever_the_profile_says():
    plain = decode(file_of(scene(), "PNG"))
    tagged = decode(file_of(scene(), "PNG", icc_profile=profile()))
    assert torch.equal(plain.images, tagged.images)
