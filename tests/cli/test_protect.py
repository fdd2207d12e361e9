"""`deepguard protect` with the detector of the installation: files, folders, choices, words and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait

from deepguard.errors import UnreadableImage

GREY = np.full((64, 64, 3), 128, np.uint8)


def two_faces() -> np.ndarray:
    canvas = np.full((220, 460, 3), 100, np.uint8)
    canvas[10:210, 10:210] = portrait()
    canvas[10:210, 250:450] = portrait()[:, ::-1]
    return canvas


def test_a_photo_is_protected_beside_itself_and_stays_untouched(deepguard: Run, photo: Photo) -> None:
    path = photo()
    before = path.read_bytes()
    result = deepguard("protect", path)
    assert result.exit_code == 0
    assert path.read_bytes() == before
    assert files_in(path.parent) == {"photo.jpg", "photo.protected.jpg"}
    protected = Image.open(path.with_name("photo.protected.jpg"))
    assert (protected.format, protected.size) == ("JPEG", (200, 200))
    assert np.abs(np.asarray(protected).astype(int) - np.asarray(Image.open(path))).max() > 2


def test_the_result_is_first_a_plain_sentence_then_tables_without_control_characters(
    deepguard: Run, photo: Photo
) -> None:
    lines = deepguard("protect", photo()).output.splitlines()
    sentence = next(at for at, line in enumerate(lines) if "finds the face" in line or "find the face" in line)
    table = next(at for at, line in enumerate(lines) if line.startswith("detector "))
    assert sentence < table
    assert lines[-1].startswith("written: ")
    assert lines[-1].endswith("photo.protected.jpg")
    assert not any(letter < " " or letter == "\x7f" for line in lines for letter in line)


def test_the_time_is_estimated_before_the_work_and_the_stages_are_named_once(deepguard: Run, photo: Photo) -> None:
    lines = deepguard("protect", photo()).output.splitlines()
    starts = [line.partition(": ")[2] for line in lines if line.startswith("photo.jpg: ")]
    assert starts[0] == "looking for faces"
    assert starts[1].startswith("about ")
    assert starts[1].endswith(" to go")
    assert starts[-1] == "verifying"
    assert len(starts) == len(set(starts)) == 4


def test_a_folder_keeps_its_tree_and_results_are_not_protected_again(
    deepguard: Run, photo: Photo, tmp_path: Path
) -> None:
    photo("a.jpg")
    photo("deep/er/b.png")
    photo("deep/c.protected.jpg")
    out = tmp_path / "out"
    result = deepguard("protect", tmp_path / "photos", "--out-dir", out)
    assert result.exit_code == 0
    assert files_in(out) == {"a.protected.jpg", "deep/er/b.protected.png"}
    assert "2 of 2 photos protected" in result.stdout
    assert "the other 1 at this pace: about " in result.stdout


def test_one_failure_does_not_stop_the_rest_and_the_report_has_all(
    deepguard: Run, photo: Photo, tmp_path: Path
) -> None:
    first, last = photo("a.jpg"), photo("c.jpg")
    broken = first.with_name("b.jpg")
    broken.write_bytes(first.read_bytes()[:500])
    report = tmp_path / "report.json"
    result = deepguard("protect", first.parent, "--report", report)
    assert result.exit_code == 1
    assert "b.jpg is damaged or cut short" in one_sentence(result)
    assert last.with_name("c.protected.jpg").is_file()
    assert "2 of 3 photos protected" in result.stdout
    body = json.loads(report.read_text())
    assert body["complete"]
    assert [each["input"]["name"] for each in body["photos"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert body["photos"][1]["error"] == UnreadableImage.code


def test_no_face_gives_3_also_beside_photos_that_succeed_but_a_failure_weighs_more(
    deepguard: Run, photo: Photo
) -> None:
    face, empty = photo("face.jpg"), photo("empty.png", GREY)
    alone = deepguard("protect", empty)
    assert alone.exit_code == 3
    assert "no face was found" in one_sentence(alone)
    assert "--box" in one_sentence(alone)
    assert deepguard("protect", face, empty).exit_code == 3
    assert deepguard("protect", empty, face.with_name("gone.jpg")).exit_code == 1


def test_only_the_chosen_face_is_changed(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    path, report = photo("two.png", two_faces()), tmp_path / "report.json"
    assert deepguard("protect", path, "--faces", "2", "--report", report).exit_code == 0
    change = np.abs(np.asarray(Image.open(path.with_name("two.protected.png"))).astype(int) - two_faces()).max(axis=-1)
    assert change[:, :210].max() == 0
    assert change[:, 250:].max() > 2
    entry = json.loads(report.read_text())["photos"][0]
    assert (len(entry["faces"]), entry["chosen"]) == (2, [2])


def test_a_face_at_the_border_is_protected(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    # the face begins 49 pixels from the left; only part of its cheek is in the picture
    path, report = photo("border.png", portrait()[:, 62:]), tmp_path / "report.json"
    assert deepguard("protect", path, "--report", report).exit_code == 0
    entry = json.loads(report.read_text())["photos"][0]
    assert entry["faces"][0]["box"]["left"] < 5
    assert (entry["output"]["width"], entry["output"]["height"]) == (138, 200)


def test_a_drawn_box_outside_the_picture_is_a_usage_error(deepguard: Run, photo: Photo) -> None:
    result = deepguard("protect", photo(), "--box", "500,500,40,40")
    assert result.exit_code == 2
    assert "the box lies outside the picture, which is 200 x 200 pixels" in one_sentence(result)


def test_a_drawn_box_is_protected_where_it_lies(deepguard: Run, photo: Photo) -> None:
    path = photo("box.png")
    assert deepguard("protect", path, "--box", "50,40,90,115", "--set", "reach=0.4").exit_code == 0
    change = np.abs(np.asarray(Image.open(path.with_name("box.protected.png"))).astype(int) - portrait()).max(axis=-1)
    assert change[40:155, 50:140].max() > 2
    assert change[:, :8].max() == 0


def test_a_face_of_fifteen_pixels_is_said_to_be_too_small(deepguard: Run, photo: Photo) -> None:
    result = deepguard("protect", photo(), "--box", "60,60,15,15")
    assert result.exit_code == 3
    assert "only 15 pixels wide; from 16 pixels on" in one_sentence(result)
    assert files_in(photo().parent) == {"photo.jpg"}


def test_a_face_number_that_does_not_exist_names_how_many_there_are(deepguard: Run, photo: Photo) -> None:
    result = deepguard("protect", photo(), "--faces", "4")
    assert result.exit_code == 2
    assert "there is no face 4; the picture has 1" in one_sentence(result)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(deepguard: Run, photo: Photo) -> None:
    path = photo("seed.png")
    made = []
    for seed in ("5", "5", "6"):
        assert deepguard("protect", path, "--seed", seed).exit_code == 0
        made.append(path.with_name("seed.protected.png").read_bytes())
    assert made[0] == made[1] != made[2]


def test_a_chain_that_is_optimised_through_is_measured_too(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = deepguard("protect", photo(), "--through", "telegram", "--report", report, "--set", "cells=64")
    assert result.exit_code == 0
    entry = json.loads(report.read_text())["photos"][0]
    assert entry["through"] == "telegram"
    assert entry["options"]["cells"] == 64
    assert list(entry["judgements"][0]["after"]) == ["delivered", "instagram", "kakaotalk", "telegram"]


def test_the_demo_leaves_photo_comparison_and_report(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = deepguard("demo", photo("mine.jpg"), "--out-dir", out)
    assert result.exit_code == 0
    assert files_in(out) == {"mine.protected.jpg", "mine.comparison.png", "mine.report.json"}


def test_a_file_name_cannot_draw_on_the_terminal(deepguard: Run, photo: Photo) -> None:
    result = deepguard("protect", photo("[red]\x1b[31m\nname.png", GREY))
    assert result.exit_code == 3
    assert "\x1b" not in result.output
    assert "[red]?[31m?name.png" in one_sentence(result)


@pytest.mark.parametrize("name", ["none.jpg", "folder"])
def test_a_path_without_a_photo_is_named(deepguard: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    result = deepguard("protect", tmp_path / name)
    assert result.exit_code == 1
    assert name in one_sentence(result)
