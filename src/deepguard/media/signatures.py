"""Which format a file has, by its first bytes; known without a decoder, so that the web process can ask too."""

from __future__ import annotations

from typing import Literal, TypeAlias

from deepguard.errors import UnreadableImage, UnsupportedImage

Container: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF"]
"""A file format that is read and written."""

SUPPORTED = "JPEG, PNG, WebP, TIFF, BMP or HEIC"
ENOUGH = 64
"""Bytes of a file's beginning after which nothing changes the answer of `recognise`."""

_SIGNATURES: tuple[tuple[bytes, Container], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)
_FOREIGN = (
    (b"GIF8", "a GIF"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}


def recognise(data: bytes, name: str) -> Container:
    """Return the format of a file that begins with `data`, its first `ENOUGH` bytes or more, or all of a shorter one.

    UnreadableImage or UnsupportedImage, naming the file `name`, where it is none of ours.
    """
    if not data:
        raise UnreadableImage(f"{name} is empty (0 bytes); copy it again from where it came from")
    for signature, container in _SIGNATURES:
        if data.startswith(signature):
            return container
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _of_brand(data[8:12], name)
    for signature, kind in _FOREIGN:
        if data.startswith(signature):
            raise UnsupportedImage(f"{name} is {kind}, which is not supported; convert it to PNG and try again")
    raise UnreadableImage(f"{name} is not a picture, whatever its name says; give a {SUPPORTED} file")


def _of_brand(brand: bytes, name: str) -> Container:
    if brand in _HEIF_BRANDS:
        return "HEIF"
    if brand in _SEQUENCE_BRANDS:
        raise UnsupportedImage(f"{name} holds a series of pictures; export the one you want as a single picture")
    kind = "an AVIF picture" if brand in {b"avif", b"avis"} else "a film"
    raise UnsupportedImage(f"{name} is {kind}, which is not supported; convert it to PNG and try again")
