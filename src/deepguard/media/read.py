"""Files to pictures: format by content, limits before decoding, upright, 8 bits."""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFile, JpegImagePlugin
from PIL.ExifTags import Base

from deepguard.errors import DeepguardError, ImageTooLarge, UnreadableImage, UnsupportedImage
from deepguard.media import webp
from deepguard.media.colour import flatten
from deepguard.media.containers import open_container
from deepguard.media.metadata import kept_exif
from deepguard.media.picture import Coding, Picture, Pixels, to_images
from deepguard.media.signatures import SUPPORTED, Container, recognise
from deepguard.types import Note

MAX_PIXELS = 50_000_000
"""The largest picture by default; each pixel takes 12 bytes here and some hundred while it is protected."""

MAX_BYTES = 1 << 30
"""No picture within the pixel limit needs a larger file."""

FIRST_ONLY = Note("first_only", "only the main picture of the file is kept")
RESAMPLED_CHROMA = Note("chroma", "the file's rare chroma layout cannot be written, so chroma is stored in full")
TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""

_STANDARD_HUFFMAN = bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D])
"""Code lengths of the luma AC table of ITU-T T.81, annex K.3."""

_SUBSAMPLINGS: dict[object, Any] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0", 444: "4:4:4", 422: "4:2:2", 420: "4:2:0"}


def read_picture(path: Path, *, name: str | None = None, limit: int = MAX_PIXELS) -> Picture:
    """Read a picture file of at most `limit` pixels.

    UnreadableImage, UnsupportedImage or ImageTooLarge, each with one sentence that names the file: by `name` where
    that is given.
    """
    called = name or path.name
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageTooLarge(f"{called} is larger than {MAX_BYTES >> 20} MiB; save it smaller and try again")
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableImage(f"{name or path} cannot be read ({reason}); give a {SUPPORTED} file") from error
    return decode(data, name=called, limit=limit)


def decode(data: bytes, *, name: str = "the picture", limit: int = MAX_PIXELS) -> Picture:
    """Decode a whole picture file of at most `limit` pixels; errors as of `read_picture`, naming it `name`."""
    container = recognise(data, name)
    try:
        with warnings.catch_warnings():
            # decoders warn of odd metadata, which is not kept anyway
            warnings.simplefilter("ignore")
            opened = open_container(container, data)
            _check(opened, container, name, limit)
            return _decoded(opened, container, data)
    except (DeepguardError, MemoryError):
        raise
    except Exception as error:
        # decoders raise any type on damaged data
        raise UnreadableImage(f"{name} is damaged or cut short; copy it again from where it came from") from error


def _check(opened: ImageFile.ImageFile, container: Container, name: str, limit: int) -> None:
    width, height = opened.size
    if width * height > limit:
        raise ImageTooLarge(
            f"{name} has {width} x {height} pixels and the limit is {limit / 1e6:g} megapixels; "
            "make it smaller and try again"
        )
    if container != "HEIF" and getattr(opened, "n_frames", 1) > 1:
        what = "several pages" if container == "TIFF" else "an animation"
        raise UnsupportedImage(f"{name} holds {what}; export the picture you want on its own and try again")
    tags = getattr(opened, "tag_v2", {})
    if Base.DNGVersion in tags or tags.get(Base.NewSubfileType, 0) & 1:
        raise UnsupportedImage(f"{name} is a camera's raw file; develop it to JPEG or TIFF and try again")


def _decoded(opened: ImageFile.ImageFile, container: Container, data: bytes) -> Picture:
    coding, coding_notes = _coding(opened, container, data)
    upright, colour_notes = flatten(opened, container, data)
    # after the samples: Pillow decodes a PNG in order to find its EXIF
    exif = opened.getexif()
    orientation = exif.get(Base.Orientation, 1)
    # Pillow turns TIFFs and pillow-heif turns HEICs while decoding
    if container not in {"TIFF", "HEIF"} and orientation in TRANSPOSED:
        upright = upright.transpose(TRANSPOSED[orientation])
        coding["tables"] = _turned(coding.get("tables", ()), orientation)
    entries, exif_notes = kept_exif(exif, upright.size)
    pixels = np.asarray(upright)
    colours, alpha = _split(pixels)
    return Picture(
        images=to_images(colours),
        grey=bool((colours == colours[..., :1]).all()),
        alpha=alpha,
        coding=Coding(
            container=container,
            single=upright.mode in {"L", "LA"},
            # a profile describes the file's own colours, so it goes where those were converted
            icc=b"" if opened.mode in {"CMYK", "LAB"} else bytes(opened.info.get("icc_profile") or b""),
            exif=entries,
            density=_density(opened),
            **coding,
        ),
        notes=coding_notes + colour_notes + exif_notes,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )


def _coding(opened: ImageFile.ImageFile, container: Container, data: bytes) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return what only this container says of its coding, by the names of `Coding`, and notes."""
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        return _jpeg_coding(opened, data)
    if container == "WEBP":
        return {"lossless": webp.lossless(data), "quality": webp.quality(data)}, ()
    if container == "TIFF":
        tags = getattr(opened, "tag_v2", {})
        compression = str(opened.info.get("compression", "raw"))
        return {"compression": compression, "predictor": tags.get(Base.Predictor, 1) == 2}, ()
    if container == "HEIF":
        return _heif_coding(opened)
    return {}, ()


def _jpeg_coding(opened: JpegImagePlugin.JpegImageFile, data: bytes) -> tuple[dict[str, Any], tuple[Note, ...]]:
    chosen = [tuple(opened.quantization[layer[3]]) for layer in opened.layer[:3]]
    tables = chosen[:2] if chosen[1:2] == chosen[2:3] else chosen
    sampling = JpegImagePlugin.get_sampling(opened)
    rare = sampling not in _SUBSAMPLINGS and opened.mode == "RGB"
    notes = (RESAMPLED_CHROMA,) * rare + (FIRST_ONLY,) * ("mp" in opened.info)
    return {
        "tables": tuple(tables),
        "subsampling": _SUBSAMPLINGS.get(sampling, "4:4:4"),
        "progressive": bool(opened.info.get("progressive")),
        "optimised": _STANDARD_HUFFMAN not in data,
    }, notes


def _heif_coding(opened: ImageFile.ImageFile) -> tuple[dict[str, Any], tuple[Note, ...]]:
    colours = opened.info.get("nclx_profile")
    names = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")
    return {
        "subsampling": _SUBSAMPLINGS.get(opened.info.get("chroma"), "4:2:0"),
        "primaries": tuple(int(colours[name]) for name in names) if colours else None,
    }, (FIRST_ONLY,) * (getattr(opened, "n_frames", 1) > 1)


def _turned(tables: tuple[tuple[int, ...], ...], orientation: int) -> tuple[tuple[int, ...], ...]:
    """Return the tables for a picture whose rows became columns, so that its coefficients meet their old steps."""
    if orientation < 5:
        return tables
    return tuple(tuple(table[8 * (at % 8) + at // 8] for at in range(64)) for table in tables)


def _split(pixels: Pixels) -> tuple[Pixels, torch.Tensor | None]:
    """Return three colours and alpha of grey or RGB samples with or without it."""
    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    channels = samples.shape[-1]
    alpha = torch.from_numpy(samples[..., -1].copy()) if channels in {2, 4} else None
    colours = samples[..., :3] if channels >= 3 else samples[..., :1].repeat(3, axis=-1)
    return colours, alpha


def _density(opened: ImageFile.ImageFile) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in opened.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sound = all(math.isfinite(value) and 1 <= value < 65536 for value in (across, down))
    return (across, down) if sound else None
