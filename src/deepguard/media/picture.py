"""What a picture is here: its pixels, and what is needed to write it again in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from deepguard.media.signatures import Container
from deepguard.types import Images, Note

Pixels: TypeAlias = NDArray[np.uint8]
"""8-bit samples as Pillow holds them: h w, or h w channel."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How the source was coded, as far as the result is coded alike.

    Attributes:
        container: the source's format, by its content.
        single: one grey channel in the file, not three colours.
        icc: the colour profile's bytes; empty where the file has none.
        exif: the entries that are kept, ready to be written; empty where none are.
        density: pixels per inch across and down.
        tables: JPEG quantisation tables in natural order: one, luma and chroma, or one a component.
        subsampling: chroma samples as JPEG and HEIF name them.
        progressive: JPEG in several scans.
        optimised: JPEG with Huffman tables of its own.
        lossless: WebP without loss.
        quality: WebP quality, 0 to 100.
        compression: TIFF compression by Pillow's name.
        predictor: TIFF horizontal differencing.
        primaries: HEIF colour description (nclx) by its H.273 numbers: primaries, transfer, matrix, full range.
    """

    container: Container
    single: bool = False
    icc: bytes = b""
    exif: bytes = b""
    density: tuple[float, float] | None = None
    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"
    progressive: bool = False
    optimised: bool = False
    lossless: bool = False
    quality: int = 80
    compression: str = "raw"
    predictor: bool = False
    primaries: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture file.

    Attributes:
        images: 1x3xhxw, RGB as coded in the file, [0, 1], float32, upright.
        grey: every pixel has equal red, green and blue.
        alpha: opacity, upright, 8 bits, None where the file has none; written back as it is.
        coding: how the file was coded.
        notes: one sentence for each change that decoding and writing make beyond the pixels.
        sha256: of the whole file.
        size: of the whole file in bytes.
    """

    images: Images
    grey: bool
    alpha: UInt8[torch.Tensor, "h w"] | None
    coding: Coding
    notes: tuple[Note, ...]
    sha256: str
    size: int

    @property
    def height(self) -> int:
        """Height in pixels, upright."""
        return int(self.images.shape[-2])

    @property
    def width(self) -> int:
        """Width in pixels, upright."""
        return int(self.images.shape[-1])


def to_images(pixels: Pixels) -> Images:
    """Return 8-bit h w 3 samples as a batch of one."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].to(torch.float32).div_(255).contiguous()


def to_pixels(image: Float[torch.Tensor, "3 h w"]) -> Pixels:
    """Return one image as 8-bit h w 3 samples, each rounded to the nearest; `to_images` of it loses nothing."""
    rounded = image.detach().mul(255).round_().clamp_(0, 255).to(torch.uint8)
    pixels: Pixels = rounded.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels
