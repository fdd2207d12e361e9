"""The opening of a picture file as what its content says, without a look at the file's name."""

from __future__ import annotations

import io

from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile

from deepguard.media.signatures import Container

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


def open_container(container: Container, data: bytes) -> ImageFile.ImageFile:
    """Read the header only; damaged data raises whatever the decoder raises."""
    return _OPENERS[container](io.BytesIO(data))
