"""Small picture files made for the tests, in every container, and what is read from them for comparison."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.ExifTags import IFD

CONTAINERS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF")
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}}


def scene(height: int = 48, width: int = 64, channels: int = 3) -> NDArray[np.uint8]:
    """Smooth colours with no symmetry, as photos have; every corner differs."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    down, across = down / max(1, height - 1), across / max(1, width - 1)
    waves = [
        40 + 180 * across,
        220 - 190 * down,
        90 + 60 * np.sin(5 * across + 2 * down) + 50 * down,
        60 + 120 * down * across,
    ]
    pixels = np.rint(np.stack(waves[:channels], axis=-1)).astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def file_of(image: Image.Image | NDArray[np.uint8], container: str, **options: Any) -> bytes:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    if isinstance(options.get("exif"), Image.Exif):
        options["exif"] = options["exif"].tobytes()
    if container == "HEIF":
        # only the plugin turns an orientation entry into the container's own rotation, as cameras write it
        pillow_heif.register_heif_opener()
        picture.save(buffer, "HEIF", **{"quality": 95, "chroma": "444", **options})
    else:
        if container == "TIFF" and options.get("exif"):
            options["exif"] = _with_directories(options["exif"])
        usual = {"quality": 95, "subsampling": "4:4:4"} if container == "JPEG" else LOSSLESS[container]
        picture.save(buffer, container, **{**usual, **options})
    return buffer.getvalue()


def _with_directories(entries: bytes) -> Image.Exif:
    """Exif whose inner directories Pillow's TIFF writer finds."""
    exif = Image.Exif()
    exif.load(entries)
    camera = exif.get_ifd(IFD.Exif)
    if IFD.Interop in camera:
        camera[IFD.Interop] = exif.get_ifd(IFD.Interop)
    return exif


def opened(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp":
        image: Image.Image = pillow_heif.HeifImageFile(io.BytesIO(data))
    else:
        image = Image.open(io.BytesIO(data))
    image.load()
    return image


def png_of_sixteen(samples: NDArray[np.uint16], transparent: bytes = b"") -> bytes:
    height, width = samples.shape[:2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    rows = b"".join(b"\0" + samples[row].astype(">u2").tobytes() for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    clear = _chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + clear + _chunk(b"IDAT", zlib.compress(rows)) + END


def png_head(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"\0" * 64)) + END


def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def psnr(one: NDArray[Any], other: NDArray[Any]) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


END = _chunk(b"IEND", b"")
