"""Finding faces as a job."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.media.files_of import file_of, scene

from deepguard import api
from deepguard.api import protecting
from deepguard.errors import ImageTooLarge, UnreadableImage
from deepguard.media.read import decode
from deepguard.models.detectors.ultralight import WEIGHTS as ULTRALIGHT
from deepguard.models.detectors.yunet import WEIGHTS as YUNET
from deepguard.service.kinds.roles import Work, kinds
from deepguard.service.loaded import models
from deepguard.types import Progress, ignore
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def two_faces(astronaut: torch.Tensor) -> bytes:
    face = (astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[20:200, 120:320]
    return png(np.concatenate([face, face], axis=1))


def work_of(folder: Path, data: bytes, shelf: Shelf, watch: Callable[[Progress], None] = ignore, **more: int) -> Work:
    file = folder / "upload"
    file.write_bytes(data)
    return Work(file, "us.png", {}, more.get("pixels", 10**7), shelf, CPU, watch)


def test_faces_are_told_from_left_to_right_with_who_sees_them(
    tmp_path: Path, two_faces: bytes, empty_shelf: Shelf
) -> None:
    told: list[Progress] = []
    done = kinds.create("find", empty_shelf, CPU).run(work_of(tmp_path, two_faces, empty_shelf, told.append))
    made, preview = done.made
    assert (made.name, made.filename, made.media_type) == ("faces", "faces.json", "application/json")
    assert (preview.name, preview.filename, preview.media_type) == ("preview", "preview.jpg", "image/jpeg")
    with Image.open(io.BytesIO(preview.data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (400, 180))
    body = json.loads(made.data)
    assert (body["width"], body["height"], body["detectors"]) == (400, 180, ["mtcnn"])
    assert [each["number"] for each in body["faces"]] == [1, 2]
    left, right = (each["box"]["x"] for each in body["faces"])
    assert 190 < right - left < 210
    for each in body["faces"]:
        assert each["detectors"] == ["mtcnn"]
        assert each["large_enough"] is True
        assert 0.7 < each["score"] <= 1
        assert len(each["landmarks"]) == 5
        assert 50 < each["box"]["width"] < 150
    assert done.summary["faces"] == 2
    assert done.summary["found_before"] == 2
    assert "yunet" in done.summary["missing"]
    assert told


def test_it_counts_as_protecting_does(
    tmp_path: Path, two_faces: bytes, stock: Callable[..., Shelf], empty_shelf: Shelf
) -> None:
    shelf = stock(YUNET, ULTRALIGHT)
    done = kinds.create("find", shelf, CPU).run(work_of(tmp_path, two_faces, shelf))
    body = json.loads(done.made[0].data)
    result = api.protect(
        decode(two_faces), models(shelf, CPU), api.Options(detectors=("mtcnn",), steps=1, through="none", faces=(2,))
    )
    boxes = [[each["box"][key] for key in ("x", "y", "width", "height")] for each in body["faces"]]
    known = [[face.box.left, face.box.top, face.box.width, face.box.height] for face in result.report.faces]
    assert boxes == known
    assert {"yunet", "mtcnn", "ultralight"} <= set(body["detectors"])
    assert all(len(each["detectors"]) >= 2 for each in body["faces"])


def test_a_picture_without_faces_is_a_result(tmp_path: Path, empty_shelf: Shelf) -> None:
    grass = png(np.full((60, 80, 3), (60, 120, 60), np.uint8))
    done = kinds.create("find", empty_shelf, CPU).run(work_of(tmp_path, grass, empty_shelf))
    assert json.loads(done.made[0].data)["faces"] == []
    assert done.summary["faces"] == 0


def test_the_preview_is_upright_and_small_whatever_the_container(tmp_path: Path, empty_shelf: Shelf) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    data = file_of(scene(60, 2000), "TIFF", exif=turned)
    done = kinds.create("find", empty_shelf, CPU).run(work_of(tmp_path, data, empty_shelf))
    with Image.open(io.BytesIO(done.made[1].data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (38, 1280))


def test_a_face_too_small_to_protect_is_marked(
    tmp_path: Path, astronaut: torch.Tensor, empty_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protecting, "SMALLEST_FACE", 500.0)
    data = png((astronaut[0].permute(1, 2, 0) * 255).byte().numpy()[20:200, 120:320])
    done = kinds.create("find", empty_shelf, CPU).run(work_of(tmp_path, data, empty_shelf))
    assert [each["large_enough"] for each in json.loads(done.made[0].data)["faces"]] == [False]


def test_what_is_no_picture_or_too_large_is_refused(tmp_path: Path, two_faces: bytes, empty_shelf: Shelf) -> None:
    kind = kinds.create("find", empty_shelf, CPU)
    with pytest.raises(UnreadableImage, match=r"us\.png"):
        kind.run(work_of(tmp_path, b"no picture", empty_shelf))
    with pytest.raises(ImageTooLarge):
        kind.run(work_of(tmp_path, two_faces, empty_shelf, pixels=1000))
