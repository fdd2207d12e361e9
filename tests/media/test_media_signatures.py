"""The format of a file is known from its beginning alone, and without a decoder."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.media.files_of import CONTAINERS, file_of, scene

from deepguard.errors import UnreadableImage, UnsupportedImage
from deepguard.media.signatures import ENOUGH, recognise


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_first_bytes_of_a_file_are_enough(container):
    assert recognise(file_of(scene(), container)[:ENOUGH], "photo") == container


@pytest.mark.parametrize(
    ("head", "error", "word"),
    [
        (b"", UnreadableImage, "0 bytes"),
        (b"MZ\x90\x00" + bytes(60), UnreadableImage, "not a picture"),
        (b"\x7fELF" + bytes(60), UnreadableImage, "not a picture"),
        (b"PK\x03\x04" + bytes(60), UnreadableImage, "not a picture"),
        (b"%PDF-1.7" + bytes(56), UnsupportedImage, "PDF"),
        (b"GIF89a" + bytes(58), UnsupportedImage, "GIF"),
        (bytes(4) + b"ftypavif" + bytes(52), UnsupportedImage, "AVIF"),
        (bytes(4) + b"ftypisom" + bytes(52), UnsupportedImage, "film"),
    ],
)
def test_what_is_no_picture_of_ours_is_refused_by_its_content(head, error, word):
    with pytest.raises(error, match=word):
        recognise(head, "photo.jpg")


def test_recognising_needs_neither_torch_nor_a_decoder():
    program = "import sys, deepguard.media.signatures as _; print({'torch', 'PIL', 'numpy'} & {*sys.modules} or 'none')"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "none"
