"""What a user can give that is wrong: one sentence, the right code, nothing half-written, the source untouched."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait

from deepguard import api
from deepguard.media import files


def truncated(path: Path) -> None:
    Image.fromarray(portrait()).save(path)
    path.write_bytes(path.read_bytes()[:3000])


def vast(path: Path) -> None:
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def animated(path: Path) -> None:
    frames = [Image.fromarray(np.full((20, 20, 3), level, np.uint8)) for level in (0, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("cut.jpg", truncated, "cut.jpg is damaged or cut short; copy it again"),
        ("zero.jpg", Path.touch, "zero.jpg is empty (0 bytes); copy it again"),
        ("text.jpg", lambda path: path.write_text("a text"), "text.jpg is not a picture, whatever its name says; give"),
        ("vast.png", vast, "20000 x 20000 pixels and the limit is 50 megapixels; make it smaller"),
        ("moving.gif", animated, "moving.gif is a GIF, which is not supported; convert it to PNG"),
    ],
)
def test_a_file_that_is_no_fit_picture_fails_with_one_sentence(
    deepguard: Run, tmp_path: Path, name: str, make: Callable[[Path], object], words: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    make(folder / name)
    before = (folder / name).read_bytes()
    result = deepguard("protect", folder / name)
    assert result.exit_code == 1
    assert words in one_sentence(result)
    assert one_sentence(result).count(name) == 1
    assert files_in(folder) == {name}
    assert (folder / name).read_bytes() == before


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_a_picture_of_one_pixel_width_has_no_face(deepguard: Run, photo: Photo, size: tuple[int, int]) -> None:
    path = photo("thin.png", np.full((*size, 3), 90, np.uint8))
    result = deepguard("protect", path)
    assert result.exit_code == 3
    assert "no face was found" in one_sentence(result)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--detectors", "retinafce"), "there is no detector called retinafce; did you mean retinaface?"),
        (("--preset", "balancd"), "there is no preset called balancd; did you mean balanced?"),
        (("--defence", "facepoisn"), "there is no defence called facepoisn; did you mean facepoison?"),
        (("--through", "instagran"), "there is no posting chain called instagran; did you mean instagram?"),
        (("--set", "cels=3"), "there is no option of shield called cels; did you mean cells?"),
        (("--set", "cells=0.5"), "the option cells of shield is a whole number, not 0.5"),
        (("--strength", "4.5"), "strength 4.5 is outside 0 to 4; 1 is usual"),
        (("--strength", "0"), "strength 0 is outside 0 to 4; 1 is usual"),
        (("--strength", "nan"), "strength nan is outside 0 to 4; 1 is usual"),
        (("--device", "toaster"), "this machine has no device toaster; use cpu"),
        (("--faces", "1", "--box", "1,1,50,50"), "--faces and --box exclude each other"),
        (("-o", "a.jpg", "--out-dir", "b"), "-o and --out-dir exclude each other"),
    ],
)
def test_a_wrong_option_is_noticed_before_any_photo_is_opened(
    deepguard: Run, tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    result = deepguard("protect", broken, *words)
    assert result.exit_code == 2
    assert hint in one_sentence(result)
    assert files_in(tmp_path) == {"broken.jpg"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--box", "1,2,3"), "has 3 numbers, not 4"),
        (("--box", "1,2,0,4"), "is empty; width and height start at 1 pixel"),
        (("--box", "a,b,c,d"), "is not whole numbers"),
        (("--faces", "0"), "numbers start at 1"),
        (("--detectors", ","), "name at least one"),
        (("--strength", "8/255"), "'8/255' is not a valid float"),
        (("--epsilon", "0.03"), "No such option"),
        (("--minimal",), "No such option"),
        (("--set", "cells"), "is not NAME=VALUE"),
        (("--set", "cells=many"), "is neither a number nor true or false"),
        (("--set", "reach=1e999"), "is neither a number nor true or false"),
        (("--set", "reach=8/0"), "is neither a number nor true or false"),
        (("--seed", "-1"), "is not in the range"),
        (("--steps", "0"), "is not in the range"),
    ],
)
def test_a_value_that_cannot_be_read_is_a_usage_error(
    deepguard: Run, photo: Photo, words: tuple[str, ...], hint: str
) -> None:
    result = deepguard("protect", photo(), *words)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_an_unknown_command_names_the_nearest(deepguard: Run) -> None:
    result = deepguard("protct")
    assert result.exit_code == 2
    assert one_sentence(result) == "deepguard: there is no command called protct; did you mean protect?"


@pytest.mark.parametrize("option", ["-o", "--compare", "--box"])
def test_what_fits_one_photo_is_refused_for_several(deepguard: Run, photo: Photo, option: str) -> None:
    value = "1,1,50,50" if option == "--box" else "x.png"
    result = deepguard("protect", photo("a.png"), photo("b.png"), option, value)
    assert result.exit_code == 2
    assert "take exactly one photo" in one_sentence(result)


def test_a_result_named_as_another_format_is_refused(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    result = deepguard("protect", photo(), "-o", tmp_path / "x.png")
    assert result.exit_code == 2
    assert "photo.jpg is a JPEG picture, so name the result *.jpg" in one_sentence(result)


def test_the_source_is_never_the_result(deepguard: Run, photo: Photo) -> None:
    path = photo()
    before = path.read_bytes()
    for option, code in (("-o", 1), ("--report", 2), ("--compare", 2)):
        result = deepguard("protect", path, option, path)
        assert result.exit_code == code
        one_sentence(result)
        assert path.read_bytes() == before
    assert files_in(path.parent) == {"photo.jpg"}


def test_a_result_never_replaces_another_photo_of_the_call(deepguard: Run, photo: Photo) -> None:
    first, second = photo("a.png"), photo("a.protected.png", portrait()[::-1])
    before = second.read_bytes()
    result = deepguard("protect", first, second)
    assert result.exit_code != 0
    assert "a.protected.png is a photo or a result of this call already" in result.stderr
    assert second.read_bytes() == before


def test_two_photos_of_one_name_do_not_end_in_one_file(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    result = deepguard("protect", photo("x/a.png"), photo("y/a.png"), "--out-dir", tmp_path / "out")
    assert result.exit_code == 1
    assert "is a photo or a result of this call already; protect this one by itself" in one_sentence(result)
    assert files_in(tmp_path / "out") == {"a.protected.png"}


@pytest.mark.parametrize("option", ["--out-dir", "--report", "--compare", "-o"])
def test_a_place_that_cannot_be_written_is_noticed_before_the_work(
    deepguard: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr(api, "protect", work)
    path = photo()
    (tmp_path / "file").write_text("not a folder")
    result = deepguard("protect", path, option, tmp_path / "file" / "out.jpg")
    assert result.exit_code == 1
    assert "cannot be written to (not a directory); choose another folder" in one_sentence(result)
    assert files_in(path.parent) == {"photo.jpg"}


def test_a_folder_without_permission_is_named(
    deepguard: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    # tests may run as root, whom no permission stops
    monkeypatch.setattr(files.os, "access", lambda path, mode: Path(path) != shut)
    result = deepguard("protect", photo(), "--out-dir", shut / "new")
    assert result.exit_code == 1
    assert "cannot be written to (permission denied)" in one_sentence(result)


@pytest.mark.parametrize("option", ["--report", "--compare"])
def test_a_folder_given_as_a_file_is_named(deepguard: Run, photo: Photo, tmp_path: Path, option: str) -> None:
    result = deepguard("protect", photo(), option, tmp_path)
    assert result.exit_code == 1
    assert "is a folder; name a file for the result" in one_sentence(result)


def test_a_full_disk_leaves_nothing_and_says_how_much_to_free(
    deepguard: Run, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = photo()
    monkeypatch.setattr(files.os, "fsync", full)
    result = deepguard("protect", path)
    assert result.exit_code == 1
    assert "is full; free 1 MB or choose another folder" in one_sentence(result)
    assert files_in(path.parent) == {"photo.jpg"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file size limits")
def test_a_real_limit_on_file_sizes_leaves_nothing(home: Path, photo: Photo) -> None:
    path = photo()
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from deepguard.cli.main import run; run()"
    )
    words = [sys.executable, "-B", "-c", limited, "protect", str(path), "--steps", "1"]
    result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 1
    assert "is full; free 1 MB or choose another folder" in result.stderr
    assert files_in(path.parent) == {"photo.jpg"}


def test_a_damaged_weight_file_names_the_command_that_mends_it(deepguard: Run, photo: Photo, home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "yunet_n_dynamic.onnx").write_bytes(b"damaged")
    path = photo()
    result = deepguard("protect", path)
    assert result.exit_code == 1
    assert "yunet_n_dynamic.onnx is damaged" in one_sentence(result)
    assert one_sentence(result).endswith("run: deepguard models pull yunet")
    assert files_in(path.parent) == {"photo.jpg"}


def test_a_chosen_detector_that_is_not_here_names_the_command_that_brings_it(deepguard: Run, photo: Photo) -> None:
    result = deepguard("protect", photo(), "--detectors", "retinaface")
    assert result.exit_code == 1
    assert one_sentence(result) == ("deepguard: retinaface is not on the shelf; run: deepguard models pull retinaface")


def test_too_little_memory_stops_one_photo_only(
    deepguard: Run, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = api.protect

    def short(picture: object, *words: object, name: str, **more: object) -> object:
        if name == "a.png":
            raise MemoryError
        return real(picture, *words, name=name, **more)

    monkeypatch.setattr(api, "protect", short)
    report = tmp_path / "report.json"
    result = deepguard("protect", photo("a.png"), photo("b.png"), "--report", report)
    assert result.exit_code == 1
    assert "there is not enough memory for this picture; make it smaller" in one_sentence(result)
    assert [each.get("error") for each in json.loads(report.read_text())["photos"]] == ["image_too_large", None]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--brightness", "1.5"), "brightness goes from -1 to 1, and 1.5 lies outside"),
        (("--sharpen", "-0.1"), "sharpen goes from 0 to 1, and -0.1 lies outside"),
        (("--warmth", "nan"), "warmth goes from -1 to 1, and nan lies outside"),
    ],
)
def test_a_filter_out_of_its_range_is_refused_with_the_range(
    deepguard: Run, photo: Photo, words: tuple[str, str], sentence: str
) -> None:
    path = photo()
    result = deepguard("protect", path, *words)
    assert result.exit_code == 2
    assert sentence in one_sentence(result)
    assert files_in(path.parent) == {path.name}
