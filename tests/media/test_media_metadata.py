"""What stays and what goes: read from the bytes of the result."""

from __future__ import annotations

import io

import pytest
from files_of import file_of, opened, scene
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from deepguard.errors import UnreadableImage
from deepguard.media.encode import encode
from deepguard.media.metadata import DAMAGED, EXIF_LIMIT, SOURCE_TYPE, digital_source_type, packet
from deepguard.media.read import decode

TAGGED = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
SECRETS = {
    "serial": b"SERIAL-4711",
    "lens serial": b"LENS-SERIAL-0815",
    "owner": b"Olivia Owner",
    "maker note": b"MAKERNOTE-FACE-LIST",
    "comment": b"my address is",
    "description": b"Anna at the beach",
    "device": b"Annas phone",
    "unique id": b"0123456789abcdef0123456789abcdef",
    "unknown tag": b"vendor secret",
}


def camera_exif():
    exif = Image.Exif()
    exif[Base.Make] = "Maker"
    exif[Base.Model] = "Model 5"
    exif[Base.Artist] = "Pia Photographer"
    exif[Base.Copyright] = "(c) Pia"
    exif[Base.DateTime] = "2024:05:06 07:08:09"
    exif[Base.ImageDescription] = SECRETS["description"].decode()
    exif[Base.HostComputer] = SECRETS["device"].decode()
    exif[0xEA00] = SECRETS["unknown tag"].decode()
    exif.get_ifd(IFD.Exif).update(
        {
            Base.ExposureTime: IFDRational(1, 125),
            Base.FNumber: IFDRational(28, 10),
            Base.ISOSpeedRatings: 400,
            Base.ExifVersion: b"0232",
            Base.DateTimeOriginal: "2024:05:06 07:08:09",
            Base.ExposureBiasValue: IFDRational(-1, 3),
            Base.LensModel: "50 mm",
            Base.ExifImageWidth: 9999,
            Base.ExifImageHeight: 8888,
            Base.BodySerialNumber: SECRETS["serial"].decode(),
            Base.LensSerialNumber: SECRETS["lens serial"].decode(),
            Base.CameraOwnerName: SECRETS["owner"].decode(),
            Base.MakerNote: SECRETS["maker note"],
            Base.UserComment: b"ASCII\0\0\0" + SECRETS["comment"],
            Base.ImageUniqueID: SECRETS["unique id"].decode(),
            Base.ColorSpace: 0xFFFF,
            IFD.Interop: {1: "R03"},
        }
    )
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (52.0, 30.0, 59.0), 3: "E", 4: (13.0, 22.0, 1.0)})
    return exif


@pytest.fixture(params=TAGGED)
def written(request):
    """The source's bytes and the result's, with as much metadata as a phone writes."""
    source = file_of(scene(), request.param, exif=camera_exif())
    picture = decode(source)
    assert picture.notes == ()
    return source, encode(picture, picture.images)


def test_the_source_of_these_tests_holds_every_secret(written):
    source, _ = written
    assert all(secret in source for secret in SECRETS.values())
    assert opened(source).getexif().get_ifd(IFD.GPSInfo)


def test_position_serials_owner_maker_note_and_comments_are_gone(written):
    _, result = written
    assert [name for name, secret in SECRETS.items() if secret in result] == []
    exif = opened(result).getexif()
    assert IFD.GPSInfo not in exif
    assert exif.get_ifd(IFD.GPSInfo) == {}
    assert Base.MakerNote not in exif.get_ifd(IFD.Exif)


def test_authorship_and_how_the_photo_was_taken_stay(written):
    _, result = written
    exif = opened(result).getexif()
    camera = exif.get_ifd(IFD.Exif)
    assert (exif[Base.Make], exif[Base.Artist], exif[Base.Copyright]) == ("Maker", "Pia Photographer", "(c) Pia")
    assert exif[Base.DateTime] == camera[Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert float(camera[Base.ExposureTime]) == pytest.approx(1 / 125)
    assert float(camera[Base.ExposureBiasValue]) == pytest.approx(-1 / 3)
    assert camera[Base.ISOSpeedRatings] == 400
    assert camera[Base.ExifVersion] == b"0232"
    assert camera[Base.LensModel] == "50 mm"
    assert exif.get_ifd(IFD.Interop)[1] == "R03"


def test_the_stated_size_is_the_pictures(written):
    _, result = written
    camera = opened(result).getexif().get_ifd(IFD.Exif)
    assert (camera[Base.ExifImageWidth], camera[Base.ExifImageHeight]) == opened(result).size == (64, 48)


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_the_thumbnail_which_shows_the_unprotected_face_is_gone(container):
    thumbnail = file_of(scene(12, 16), "JPEG")
    source = file_of(scene(), container, exif=_with_thumbnail(thumbnail))
    assert thumbnail in source
    picture = decode(source)
    result = encode(picture, picture.images)
    assert thumbnail not in result
    assert opened(result).getexif().get_ifd(IFD.IFD1) == {}
    assert opened(result).getexif()[Base.Make] == "Maker"


def _with_thumbnail(thumbnail):
    """EXIF with two directories by hand, as Pillow writes only the first: IFD0 (Make), IFD1 (thumbnail)."""

    def entry(tag, kind, count, value):
        return tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + count.to_bytes(4, "little") + value

    def long(value):
        return value.to_bytes(4, "little")

    make_at, second = 26, 32
    thumbnail_at = second + 2 + 2 * 12 + 4
    first = b"\x01\0" + entry(Base.Make, 2, 6, long(make_at)) + long(second)
    following = b"\x02\0" + entry(513, 4, 1, long(thumbnail_at)) + entry(514, 4, 1, long(len(thumbnail))) + long(0)
    return b"Exif\0\0II*\0" + long(8) + first + b"Maker\0" + following + thumbnail


@pytest.mark.parametrize("container", TAGGED)
def test_the_result_says_that_an_algorithm_changed_it(container):
    source = file_of(scene(), container)
    picture = decode(source)
    assert digital_source_type(source) is None
    assert digital_source_type(encode(picture, picture.images)) == SOURCE_TYPE
    assert digital_source_type(encode(picture, picture.images, protected=False)) is None


def test_a_bmp_has_no_place_for_it():
    picture = decode(file_of(scene(), "BMP"))
    assert digital_source_type(encode(picture, picture.images)) is None


@pytest.mark.parametrize("container", TAGGED)
def test_the_sources_own_xmp_is_replaced(container):
    foreign = packet().replace(SOURCE_TYPE.encode(), b"http://example.org/secret-place")
    options = {"xmp": foreign}
    if container == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_itxt("XML:com.adobe.xmp", foreign.decode())
        options = {"pnginfo": notes}
    elif container == "TIFF":
        options = {"tiffinfo": {700: foreign}}
    source = file_of(scene(), container, **options)
    picture = decode(source)
    result = encode(picture, picture.images)
    assert digital_source_type(source) == "http://example.org/secret-place"
    assert digital_source_type(result) == SOURCE_TYPE
    assert b"secret-place" not in result


def test_the_type_is_read_as_attribute_too():
    text = packet().decode()
    start, end = text.index("><Iptc4xmpExt:"), text.index("</rdf:Description>")
    short = f'{text[:start]} Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}">{text[end:]}'
    assert digital_source_type(file_of(scene(), "JPEG", xmp=short.encode())) == SOURCE_TYPE


def test_broken_xmp_states_nothing():
    assert digital_source_type(file_of(scene(), "JPEG", xmp=b"<x:xmpmeta")) is None


def test_a_damaged_file_states_nothing_and_says_so():
    with pytest.raises(UnreadableImage, match="damaged"):
        digital_source_type(b"\x89PNG\r\n\x1a\n damaged")


@pytest.mark.parametrize("container", ["JPEG", "PNG", "TIFF"])
def test_texts_comments_and_editing_history_are_gone(container):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "secret place")
    photoshop = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0csecret place"
    options = {
        "JPEG": {
            "comment": b"secret place",
            "extra": b"\xff\xed" + (len(photoshop) + 2).to_bytes(2, "big") + photoshop,
        },
        "PNG": {"pnginfo": notes},
        "TIFF": {"tiffinfo": {33723: b"secret place", 34377: photoshop}},
    }[container]
    source = file_of(scene(), container, **options)
    picture = decode(source)
    assert b"secret place" in source
    assert b"secret place" not in encode(picture, picture.images)


@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x0f\x01", b"Exif\0\0garbage", b"Exif\0\0"])
def test_damaged_camera_data_does_not_stop_the_picture(exif):
    picture = decode(file_of(scene(), "JPEG", exif=exif))
    assert opened(encode(picture, picture.images)).size == (64, 48)


def test_camera_data_that_cannot_be_written_again_is_left_out_with_a_note():
    exif = Image.Exif()
    exif[Base.Artist] = "x" * (EXIF_LIMIT + 1)
    picture = decode(file_of(scene(), "JPEG", exif=exif))
    assert picture.notes == (DAMAGED,)
    assert picture.coding.exif == b""


def test_a_result_without_camera_data_gets_none():
    picture = decode(file_of(scene(), "JPEG"))
    assert b"Exif\0\0" not in encode(picture, picture.images)


def test_reading_a_result_again_finds_the_same_metadata():
    picture = decode(file_of(scene(), "JPEG", exif=camera_exif()))
    again = decode(encode(picture, picture.images))
    assert again.coding.exif == picture.coding.exif
    assert io.BytesIO(again.coding.exif).read(6) == b"Exif\0\0"
