"""What is kept of a picture's metadata, and what is written into it."""

from __future__ import annotations

from typing import Any

from defusedxml import ElementTree
from PIL import Image
from PIL.ExifTags import IFD, Base

from deepguard.errors import UnreadableImage
from deepguard.media.containers import open_container
from deepguard.media.signatures import recognise
from deepguard.types import Note

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
"""IPTC digital source type: changed by an algorithm, not made by one."""

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC digital source type: put together with what a trained algorithm made."""

EXIF_LIMIT = 60_000
"""Bytes; a JPEG segment holds 65533."""

DAMAGED = Note("damaged_metadata", "the camera data is damaged and was left out")
XMP_TAG = 700
_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"

# A list of what stays, not of what goes: makers invent tags, and one that is not known cannot be judged.
_KEPT = {
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
}
_KEPT_CAMERA = {
    Base.ExposureTime,
    Base.FNumber,
    Base.ExposureProgram,
    Base.ISOSpeedRatings,
    Base.SensitivityType,
    Base.RecommendedExposureIndex,
    Base.ExifVersion,
    Base.DateTimeOriginal,
    Base.DateTimeDigitized,
    Base.OffsetTime,
    Base.OffsetTimeOriginal,
    Base.OffsetTimeDigitized,
    Base.ShutterSpeedValue,
    Base.ApertureValue,
    Base.BrightnessValue,
    Base.ExposureBiasValue,
    Base.MaxApertureValue,
    Base.MeteringMode,
    Base.LightSource,
    Base.Flash,
    Base.FocalLength,
    Base.SubsecTime,
    Base.SubsecTimeOriginal,
    Base.SubsecTimeDigitized,
    Base.FlashPixVersion,
    Base.ColorSpace,
    Base.SensingMethod,
    Base.ExposureMode,
    Base.WhiteBalance,
    Base.DigitalZoomRatio,
    Base.FocalLengthIn35mmFilm,
    Base.SceneCaptureType,
    Base.Contrast,
    Base.Saturation,
    Base.Sharpness,
    Base.LensSpecification,
    Base.LensMake,
    Base.LensModel,
}
_INTEROPERABILITY = (1, {"R98", "R03", "THM"})
"""The DCF entry that tells sRGB from Adobe RGB where there is no profile."""


def kept_exif(source: Image.Exif, size: tuple[int, int]) -> tuple[bytes, tuple[Note, ...]]:
    """Return the entries that stay, written anew for an upright picture of (width, height), and notes.

    No position, maker note, thumbnail, serial number, owner's name, device name, unique id or comment stays.
    """
    try:
        kept = _kept(source, size)
        written = kept.tobytes() if len(kept) or kept.get_ifd(IFD.Exif) else b""
    except Exception:  # noqa: BLE001 - Pillow's writer raises any type on values of the wrong kind
        return b"", (DAMAGED,)
    return (written, ()) if len(written) <= EXIF_LIMIT else (b"", (DAMAGED,))


def packet(source_type: str = SOURCE_TYPE) -> bytes:
    """Return the XMP packet that says what was done to the picture (IPTC Photo Metadata 2023.2)."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_EXTENSION}">'
        f"<Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def digital_source_type(data: bytes) -> str | None:
    """Return the IPTC digital source type that a picture file states, None where it states none."""
    container = recognise(data, "the picture")
    try:
        text = open_container(container, data).info.get("xmp", b"")
    except Exception as error:
        raise UnreadableImage(f"the picture is damaged ({error}); copy it again from where it came from") from error
    return _stated(text if isinstance(text, bytes) else str(text).encode())


def _kept(source: Image.Exif, size: tuple[int, int]) -> Image.Exif:
    kept = Image.Exif()
    for tag in _KEPT:
        if tag in source:
            kept[tag] = source[tag]
    camera = source.get_ifd(IFD.Exif)
    chosen: dict[int, Any] = {tag: camera[tag] for tag in sorted(_KEPT_CAMERA) if tag in camera}
    if Base.ExifImageWidth in camera:
        chosen[Base.ExifImageWidth], chosen[Base.ExifImageHeight] = size
    index, known = _INTEROPERABILITY
    standard = source.get_ifd(IFD.Interop).get(index) if IFD.Interop in camera else None
    if standard in known:
        chosen[IFD.Interop] = {index: standard}
    if chosen:
        kept.get_ifd(IFD.Exif).update(chosen)
    return kept


def _stated(text: bytes) -> str | None:
    try:
        tree = ElementTree.fromstring(text.strip(b"\x00 \n\r\t"))
    except ElementTree.ParseError:
        return None
    name = f"{{{_EXTENSION}}}DigitalSourceType"
    for element in tree.iter():
        value = element.text if element.tag == name else element.get(name)
        if value:
            return str(value).strip()
    return None
