"""Which format a file has, by its content; and its opening without a look at the file's name."""

from __future__ import annotations

import io

from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile

from deepguard.errors import UnreadableImage, UnsupportedImage
from deepguard.media.picture import Container

SUPPORTED = "JPEG, PNG, WebP, TIFF, BMP or HEIC"

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

# The classes are called directly: Image.open would ask the file's registered rivals too, and would
# hold the picture to Pillow's own pixel limit, which belongs to the process and not to this library.
_OPENERS: dict[Container, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "HEIF": HeifImageFile,
}


def recognise(data: bytes, name: str) -> Container:
    """Return the format of `data`; UnreadableImage or UnsupportedImage, naming it `name`, where it is none of ours."""
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


def open_container(container: Container, data: bytes) -> ImageFile.ImageFile:
    """Read the header only; damaged data raises whatever the decoder raises."""
    return _OPENERS[container](io.BytesIO(data))


def _of_brand(brand: bytes, name: str) -> Container:
    if brand in _HEIF_BRANDS:
        return "HEIF"
    if brand in _SEQUENCE_BRANDS:
        raise UnsupportedImage(f"{name} holds a series of pictures; export the one you want as a single picture")
    kind = "an AVIF picture" if brand in {b"avif", b"avis"} else "a film"
    raise UnsupportedImage(f"{name} is {kind}, which is not supported; convert it to PNG and try again")
