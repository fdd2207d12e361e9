"""Pictures back to the container they came in."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from deepguard.media import heif
from deepguard.media.metadata import XMP_TAG, packet
from deepguard.media.picture import Coding, Picture, Pixels, to_pixels
from deepguard.media.signatures import Container
from deepguard.types import Images

_TIFF_KEPT = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"}
_TIFF_PREDICTOR = 317


def encode(picture: Picture, images: Images, *, protected: bool = True) -> bytes:
    """Return `images`, a changed version of `picture.images` of the same shape, as a file like the source.

    Samples are rounded to 8 bits, a grey picture stays grey, and alpha, profile and the kept metadata go along. Unless
    it is not `protected`, the file states that an algorithm changed it.
    """
    if images.shape != picture.images.shape:
        raise ValueError(f"a picture of {tuple(picture.images.shape)} cannot be written as {tuple(images.shape)}")
    image = Image.fromarray(_samples(picture, to_pixels(images[0])))
    return _WRITERS[picture.coding.container](image, picture, packet() if protected else b"")


def _samples(picture: Picture, pixels: Pixels) -> Pixels:
    colours = pixels
    if picture.grey:
        # Pillow's weights add up to one, so equal channels come out as they went in
        luma = np.asarray(Image.fromarray(pixels).convert("L"))
        colours = luma[..., None] if picture.coding.single else luma[..., None].repeat(3, axis=-1)
    if picture.alpha is not None:
        colours = np.concatenate([colours, picture.alpha.numpy()[..., None]], axis=-1)
    return np.ascontiguousarray(colours[..., 0] if colours.shape[-1] == 1 else colours)


def _jpeg(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    return _saved(
        image,
        "JPEG",
        qtables=[list(table) for table in coding.tables],
        subsampling=coding.subsampling,
        progressive=coding.progressive,
        optimize=coding.optimised,
        exif=coding.exif,
        xmp=note,
        **_profile_and_density(coding),
    )


def _png(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    notes = PngInfo()
    if note:
        notes.add_itxt("XML:com.adobe.xmp", note.decode())
    return _saved(image, "PNG", pnginfo=notes, exif=coding.exif or None, **_profile_and_density(coding))


def _webp(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    return _saved(
        image,
        "WEBP",
        lossless=coding.lossless,
        # without loss this is the effort, and libwebp's own default for it is 75
        quality=75 if coding.lossless else coding.quality,
        exact=coding.lossless,
        exif=coding.exif,
        xmp=note,
        icc_profile=coding.icc,
    )


def _tiff(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    compression = coding.compression if coding.compression in _TIFF_KEPT else "tiff_adobe_deflate"
    entries = Image.Exif()
    entries.load(coding.exif)
    camera = entries.get_ifd(IFD.Exif)
    if IFD.Interop in camera:
        # Pillow would copy this directory's old place and not the directory
        camera[IFD.Interop] = entries.get_ifd(IFD.Interop)
    if note:
        entries[XMP_TAG] = note
    if coding.predictor and compression in {"tiff_lzw", "tiff_adobe_deflate"}:
        entries[_TIFF_PREDICTOR] = 2
    return _saved(image, "TIFF", compression=compression, exif=entries, **_profile_and_density(coding))


def _bmp(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    if image.mode == "LA":
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        return _bmp_with_alpha(image, coding)
    density = {"dpi": coding.density} if coding.density else {}
    return _saved(image, "BMP", **density)


def _bmp_with_alpha(image: Image.Image, coding: Coding) -> bytes:
    """Write the version 4 header (BITMAPV4HEADER), the first that says where alpha is; Pillow writes none."""
    width, height = image.size
    rows = np.asarray(image)[::-1, :, [2, 1, 0, 3]].tobytes()
    across, down = (round(value * 39.3701) for value in coding.density or (96, 96))
    bitfields = 3
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, bitfields, len(rows), across, down, 0, 0)
    masks = struct.pack("<IIII", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
    colours = struct.pack("<4s48x", b"BGRs")
    offset = 14 + 108
    return b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + header + masks + colours + rows


def _heif(image: Image.Image, picture: Picture, note: bytes) -> bytes:
    coding = picture.coding
    options: dict[str, Any] = {"exif": coding.exif or None, "xmp": note or None}
    if coding.icc:
        options["icc_profile"] = coding.icc
    if coding.primaries:
        names = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")
        options |= dict(zip(names, coding.primaries, strict=True))
    chroma = coding.subsampling.replace(":", "")
    quality = heif.like_quality(_samples(picture, to_pixels(picture.images[0])), picture.size, chroma)
    return heif.save(image, quality=quality, chroma=chroma, **options)


def _profile_and_density(coding: Coding) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if coding.icc:
        options["icc_profile"] = coding.icc
    if coding.density:
        options["dpi"] = coding.density
    return options


def _saved(image: Image.Image, container: Container, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, container, **options)
    return buffer.getvalue()


_WRITERS: dict[Container, Callable[[Image.Image, Picture, bytes], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "HEIF": _heif,
}
