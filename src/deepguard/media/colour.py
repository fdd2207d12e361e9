"""Every kind of sample that files hold, as 8-bit grey or RGB, with or without alpha."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from deepguard.errors import UnsupportedImage
from deepguard.media.containers import open_container
from deepguard.media.picture import Pixels
from deepguard.media.signatures import Container
from deepguard.types import Note

SIXTEEN = Note("sixteen_bits", "more than 8 bits a channel became 8, each rounded to the nearest")
SIXTEEN_CUT = Note("sixteen_bits_cut", "16 bits a channel became 8, each rounded down")
PALETTE = Note("palette", "the palette became full colour")
CMYK = Note("cmyk", "CMYK became sRGB through the file's profile")
CMYK_BARE = Note("cmyk_bare", "CMYK became sRGB without a usable profile, so its colours are a guess")
LAB = Note("lab", "Lab became sRGB")
OTHER = Note("colour_model", "the colour model became RGB")
FLOAT = Note("float", "floating-point samples became 8 bits")
KEPT_MODES = {"L", "LA", "RGB", "RGBA"}
_PLAIN = {
    "1": ("L", ()),
    "P": ("RGB", (PALETTE,)),
    "PA": ("RGBA", (PALETTE,)),
    "La": ("LA", ()),
    "RGBa": ("RGBA", ()),
    "RGBX": ("RGB", ()),
    "YCbCr": ("RGB", (OTHER,)),
    "HSV": ("RGB", (OTHER,)),
}


def flatten(opened: ImageFile.ImageFile, container: Container, data: bytes) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return the picture in mode L, LA, RGB or RGBA, and a sentence for each change that took.

    RGB and grey values stay as coded; CMYK and Lab, which have no RGB values, become sRGB.
    UnsupportedImage where the samples' range is unknown.
    """
    deep = _deep(opened, container, data)
    if deep is not None:
        samples, ceiling = deep
        return Image.fromarray(_opaque_elsewhere(opened, samples, _rounded(samples, ceiling))), (SIXTEEN,)
    cut = _halved(opened)
    opened.load()
    if opened.mode in KEPT_MODES:
        return _with_transparency(opened), (SIXTEEN_CUT,) * cut
    if opened.mode in _PLAIN:
        mode, notes = _PLAIN[opened.mode]
        see_through = "transparency" in opened.info
        return opened.convert({"L": "LA", "RGB": "RGBA"}.get(mode, mode) if see_through else mode), notes
    if opened.mode == "CMYK":
        return _from_cmyk(opened)
    if opened.mode == "LAB":
        return _converted(opened, ImageCms.createProfile("LAB")), (LAB,)
    return _from_numbers(opened)


def _deep(
    opened: ImageFile.ImageFile, container: Container, data: bytes
) -> tuple[NDArray[np.unsignedinteger], int] | None:
    """Return samples of more than 8 bits and the greatest value they can have, None where there are none."""
    if container == "HEIF":
        return _deep_heif(opened, data)
    if opened.mode.startswith("I;16"):
        # decoding empties the list of tiles that tells the depth
        ceiling = _grey_ceiling(opened)
        return np.asarray(opened).astype(np.uint16), ceiling
    planes = getattr(opened, "tag_v2", {}).get(284) == 2
    if not _halved(opened) or (planes and opened.tile[0].codec_name == "libtiff"):
        # of compressed separate planes libtiff hands over the upper half only
        return None
    return _both_halves(opened, container, data), 0xFFFF


def _deep_heif(opened: ImageFile.ImageFile, data: bytes) -> tuple[NDArray[np.unsignedinteger], int] | None:
    bits = int(opened.info.get("bit_depth") or 8)
    if bits <= 8:
        return None
    picture = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    # pillow-heif moves the samples up to fill 16 bits
    return np.asarray(picture).astype(np.uint16), ((1 << bits) - 1) << (16 - bits)


def _grey_ceiling(opened: ImageFile.ImageFile) -> int:
    return 0x0FFF if any("I;12" in _rawmode(tile) for tile in opened.tile) else 0xFFFF


def _rawmode(tile: ImageFile._Tile) -> str:
    return str(tile.args[0] if isinstance(tile.args, tuple) else tile.args)


def _halved(opened: ImageFile.ImageFile) -> bool:
    """Return whether Pillow would drop the lower half of each sample: it has no 16-bit colour modes."""
    bits = getattr(opened, "tag_v2", {}).get(258, ())
    return max(bits, default=0) == 16 or any(";16" in _rawmode(tile) for tile in opened.tile)


def _both_halves(opened: ImageFile.ImageFile, container: Container, data: bytes) -> NDArray[np.uint16]:
    """Decode twice, telling Pillow the samples' true byte order and then the opposite one.

    Each time it keeps the byte that it holds for the upper one, so the two together are the whole sample.
    """
    if _rawmode(opened.tile[0]) == "LA;16B":
        # Pillow knows no opposite of this one; four bytes a pixel read as RGBA are the same bytes
        opened.tile = [tile._replace(args="RGBA") for tile in opened.tile]
        halves = np.asarray(opened)
        return _joined(halves[..., 0::2], halves[..., 1::2])
    lower = open_container(container, data)
    big = data[:2] == b"MM"
    opened.tile = [_ordered(tile, big, opposite=False) for tile in opened.tile]
    lower.tile = [_ordered(tile, big, opposite=True) for tile in lower.tile]
    return _joined(np.asarray(opened), np.asarray(lower))


def _joined(upper: Pixels, lower: Pixels) -> NDArray[np.uint16]:
    samples = upper.astype(np.uint16)
    samples <<= 8
    samples |= lower
    return samples


def _ordered(tile: ImageFile._Tile, big: bool, opposite: bool) -> ImageFile._Tile:
    model, _, depth = _rawmode(tile).partition(";")
    # separate planes of plain TIFFs: Pillow names the plane and forgets the depth
    order = depth[-1] if depth else "BL"[not big]
    order = {"N": "BL"[sys.byteorder == "little"]}.get(order, order)
    rawmode = f"{model};16{'LB'['LB'.index(order) ^ opposite]}"
    return tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)


def _rounded(samples: NDArray[np.unsignedinteger], ceiling: int) -> Pixels:
    wide = samples.astype(np.uint32) * 255 + ceiling // 2
    return np.minimum(wide // ceiling, 255).astype(np.uint8)


def _opaque_elsewhere(opened: ImageFile.ImageFile, samples: NDArray[np.unsignedinteger], pixels: Pixels) -> Pixels:
    """Add alpha where the file names one 16-bit colour as see-through (PNG's tRNS)."""
    if "transparency" not in opened.info:
        return pixels
    colours = samples if samples.ndim == 3 else samples[..., None]
    clear = (colours == np.atleast_1d(opened.info["transparency"])).all(-1)
    base = pixels if pixels.ndim == 3 else pixels[..., None]
    return np.concatenate([base, np.where(clear, 0, 255).astype(np.uint8)[..., None]], axis=-1)


def _with_transparency(opened: ImageFile.ImageFile) -> Image.Image:
    if "transparency" in opened.info and opened.mode in {"L", "RGB"}:
        return opened.convert(opened.mode + "A")
    return opened


def _from_cmyk(opened: Image.Image) -> tuple[Image.Image, tuple[Note, ...]]:
    profile = opened.info.get("icc_profile")
    if profile:
        try:
            return _converted(opened, ImageCms.ImageCmsProfile(io.BytesIO(profile))), (CMYK,)
        except (ImageCms.PyCMSError, OSError):
            return opened.convert("RGB"), (CMYK_BARE,)
    return opened.convert("RGB"), (CMYK_BARE,)


def _converted(image: Image.Image, profile: Any) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(
        image,
        profile,
        target,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise UnsupportedImage("the picture's colours cannot be converted; convert it to RGB and try again")
    return converted


def _from_numbers(opened: Image.Image) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return 32-bit grey as 8 bits: 0 to 1 where it is floating point, 0 to 65535 where it is whole."""
    values = np.asarray(opened)
    ceiling, note = (1.0, FLOAT) if opened.mode == "F" else (65535.0, SIXTEEN)
    if opened.mode not in {"F", "I"} or not (values.min() >= 0 and values.max() <= ceiling):
        raise UnsupportedImage("the picture's sample values have no known range; convert it to 8 bits and try again")
    return Image.fromarray(np.rint(values * (255 / ceiling)).astype(np.uint8)), (note,)
