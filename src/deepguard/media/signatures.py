"""Which format a file has, by its first bytes; known without a decoder, so that the web process can ask too."""

from __future__ import annotations

from typing import Literal, TypeAlias

from deepguard.errors import UnreadableImage, UnsupportedImage

Container: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF"]
"""A file format that is read and written."""

ClipContainer: TypeAlias = Literal["MP4", "MKV", "AVI", "TS", "PS", "FLV", "ASF", "OGG", "GIF", "WEBP", "PNG"]
"""A kind of clip that is read. MP4 is MOV and 3GP too, MKV is WebM, TS is M2TS; the last three are animations."""

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

SUPPORTED_CLIPS = "MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV, GIF, animated WebP or animated PNG"
ENOUGH_OF_CLIPS = 4096
"""Bytes of a file's beginning after which nothing changes the answer of `clip_container`."""

_CLIP_SIGNATURES: tuple[tuple[bytes, ClipContainer], ...] = (
    (b"\x1a\x45\xdf\xa3", "MKV"),
    (b"\x00\x00\x01\xba", "PS"),
    (b"FLV\x01", "FLV"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF"),
    (b"OggS", "OGG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
_QUICKTIME_ATOMS = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_PICTURE_BRANDS = {b"avif", b"avis"}
_PACKETS = ((188, 0), (192, 4))
"""Length of the packets of transport streams, and where in each the sync byte 0x47 stands: TS, M2TS."""


def is_clip(head: bytes) -> bool:
    """Return whether a file that begins with `head`, its first `ENOUGH_OF_CLIPS` bytes or all of it, is a clip."""
    return clip_container(head) is not None


def clip_container(head: bytes) -> ClipContainer | None:
    """Return the kind of clip that begins with `head`, None for anything else; see `is_clip`.

    A GIF counts as a clip also where it has one frame; a WebP or PNG only where it says that it is animated.
    """
    for signature, container in _CLIP_SIGNATURES:
        if head.startswith(signature):
            return container
    if head.startswith(b"RIFF"):
        return _of_riff(head)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG" if b"acTL" in head.partition(b"IDAT")[0] else None
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _HEIF_BRANDS | _SEQUENCE_BRANDS | _PICTURE_BRANDS else "MP4"
    if head[4:8] in _QUICKTIME_ATOMS:
        return "MP4"
    return "TS" if any(_in_step(head, *packet) for packet in _PACKETS) else None


def _of_riff(head: bytes) -> ClipContainer | None:
    if head[8:12] == b"AVI ":
        return "AVI"
    animated = head[8:16] == b"WEBPVP8X" and len(head) > 20 and head[20] & 2
    return "WEBP" if animated else None


def _in_step(head: bytes, length: int, at: int) -> bool:
    marks = head[at::length]
    return len(marks) > 1 and set(marks) == {0x47}


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
