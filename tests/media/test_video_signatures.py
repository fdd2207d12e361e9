"""Whether a file is a clip is known from its beginning alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from tests.media.clips_of import numbered, write_clip
from tests.media.files_of import CONTAINERS, file_of, scene

from deepguard.media.signatures import ENOUGH_OF_CLIPS, clip_container, is_clip

FILMS = {"mp4": "MP4", "mov": "MP4", "mkv": "MKV", "webm": "MKV", "avi": "AVI", "ts": "TS", "flv": "FLV", "wmv": "ASF"}
CODECS = {"webm": "libvpx", "avi": "mpeg4", "wmv": "wmv2"}


@pytest.mark.parametrize("ending", FILMS)
def test_a_film_is_known_by_its_first_bytes(tmp_path, ending):
    path = write_clip(tmp_path / f"film.{ending}", map(numbered, range(8)), codec=CODECS.get(ending, "libx264"))
    assert clip_container(path.read_bytes()[:ENOUGH_OF_CLIPS]) == FILMS[ending]


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\x00\x00\x00\x14ftypqt  ", "MP4"),
        (b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", "MP4"),
        (b"\x00\x00\x01\xba\x44", "PS"),
        (b"OggS\x00\x02", "OGG"),
        ((bytes(4) + b"\x47" + bytes(187)) * 3, "TS"),
        (b"GIF89a" + bytes(20), "GIF"),
    ],
)
def test_other_beginnings_of_clips_are_known(head, container):
    assert clip_container(head) == container
    assert is_clip(head)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_picture_is_no_clip(container):
    assert not is_clip(file_of(scene(), container)[:ENOUGH_OF_CLIPS])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"G",
        bytes(600),
        b"\x47" + bytes(600),
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"RIFF\x00\x00\x00\x00WEBPVP8X",
        b"\x00\x00\x00\x1cftypavif",
        b"\x00\x00\x00\x1cftypheic",
        b"#EXTM3U\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1",
        b"<?xml version='1.0'?><MPD>",
    ],
)
def test_anything_else_is_no_clip(head):
    assert clip_container(head) is None


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_only_animated_pictures_are_clips(kind):
    frames = [Image.fromarray(numbered(at)) for at in range(3)]
    moving, still = io.BytesIO(), io.BytesIO()
    frames[0].save(moving, kind, save_all=True, append_images=frames[1:], duration=50)
    frames[0].save(still, kind)
    assert clip_container(moving.getvalue()[:ENOUGH_OF_CLIPS]) == kind
    assert clip_container(still.getvalue()[:ENOUGH_OF_CLIPS]) is None
