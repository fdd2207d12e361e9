"""Bad input: one sentence that says what to do, and no change to anything."""

from __future__ import annotations

import io

import numpy as np
import pytest
from files_of import CONTAINERS, file_of, png_head, scene
from PIL import Image

from deepguard.errors import ImageTooLarge, InputError, UnreadableImage, UnsupportedImage
from deepguard.media import read
from deepguard.media.read import decode, read_picture

VERBS = ("copy it again", "convert it", "export", "make it smaller", "give a", "develop it", "save it smaller")


def refused(data, kind, name="holiday.jpg"):
    """The one sentence with which a file is refused."""
    with pytest.raises(kind) as caught:
        decode(data, name=name)
    sentence = str(caught.value)
    assert name in sentence
    assert "\n" not in sentence
    assert any(verb in sentence for verb in VERBS)
    return sentence


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused_with_one_sentence(rng, container, share):
    noise = np.random.default_rng(5).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = file_of(noise, container)
    refused(data[: int(share * len(data))], UnreadableImage)


def test_a_truncated_tiff_with_its_directory_first_is_refused():
    noise = np.random.default_rng(5).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = file_of(noise, "TIFF", compression="tiff_lzw")
    refused(data[:-1000], UnreadableImage)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(UnreadableImage, match=r"empty\.jpg is empty \(0 bytes\); copy it again"):
        read_picture(path)


def test_a_text_file_named_jpg_is_refused(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("Dear diary, BM and so on")
    with pytest.raises(UnreadableImage, match=r"notes\.jpg is not a picture, whatever its name says"):
        read_picture(path)
    assert path.read_text().startswith("Dear diary")


def test_a_text_that_starts_like_a_bmp_is_refused():
    refused(b"BMW is a maker of cars, and this is a text", UnreadableImage)


def test_twenty_thousand_pixels_squared_are_refused_by_the_header_alone():
    data = png_head(20_000, 20_000)
    assert len(data) < 200
    sentence = refused(data, ImageTooLarge)
    assert "20000 x 20000" in sentence
    assert "50 megapixels" in sentence


def test_a_jpeg_that_promises_too_many_pixels_is_refused():
    data = bytearray(file_of(scene(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (20_000).to_bytes(2, "big") * 2
    refused(bytes(data), ImageTooLarge)


def test_the_limit_is_inclusive_and_can_be_set():
    data = file_of(scene(10, 10), "PNG")
    assert decode(data, limit=100).width == 10
    with pytest.raises(ImageTooLarge):
        decode(data, limit=99)


def test_a_file_of_too_many_bytes_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    path.write_bytes(file_of(scene(), "PNG"))
    monkeypatch.setattr(read, "MAX_BYTES", 10)
    with pytest.raises(ImageTooLarge, match=r"large\.png is larger than"):
        read_picture(path)


def test_one_pixel_is_a_picture():
    assert decode(file_of(scene(1, 1), "PNG")).images.shape == (1, 3, 1, 1)


def _frames(container, **options):
    buffer = io.BytesIO()
    first, second = Image.fromarray(scene()), Image.fromarray(255 - scene())
    first.save(buffer, container, save_all=True, append_images=[second], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["PNG", "WEBP", "TIFF"])
def test_animations_and_several_pages_are_refused(container):
    sentence = refused(_frames(container), UnsupportedImage)
    assert ("several pages" if container == "TIFF" else "an animation") in sentence


@pytest.mark.parametrize("data", [_frames("GIF"), _frames("GIF")[:60]])
def test_a_gif_still_or_moving_is_refused_with_a_way_out(data):
    assert "a GIF, which is not supported; convert it to PNG" in refused(data, UnsupportedImage)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x00\x00\x00\x1cftypavif", "AVIF"),
        (b"\x00\x00\x00\x1cftypisom", "film"),
        (b"\x00\x00\x00\x1cftypmsf1", "series"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"\x00\x00\x00\x0cJXL \r\n", "JPEG XL"),
    ],
)
def test_other_kinds_are_called_by_their_name(data, kind):
    assert kind in refused(data, UnsupportedImage)


@pytest.mark.parametrize("tags", [{50706: b"\x01\x04\0\0"}, {254: 1}])
def test_a_raw_file_of_a_camera_is_not_taken_for_its_preview(tags):
    assert "raw file" in refused(file_of(scene(), "TIFF", tiffinfo=tags), UnsupportedImage)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("container", CONTAINERS)
def test_random_damage_ends_in_a_picture_or_in_our_own_error(container, seed):
    chance = np.random.default_rng(seed)
    data = bytearray(file_of(scene(), container))
    for place in chance.integers(0, len(data), 12):
        data[place] = chance.integers(0, 256)
    try:
        sound = decode(bytes(data)).images.isfinite().all()
    except InputError:
        sound = True
    assert sound


def test_the_format_is_what_the_content_says(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(file_of(scene(), "PNG"))
    assert read_picture(path).coding.container == "PNG"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_picture(tmp_path / "nowhere.jpg")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="cannot be read"):
        read_picture(tmp_path)


def test_reading_leaves_the_source_untouched(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(scene(), "PNG"))
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    read_picture(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
