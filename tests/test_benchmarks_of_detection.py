from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import detect

from deepguard.media.read import read_picture
from deepguard.media.video import open_clip


@pytest.mark.parametrize("people", [True, False])
def test_the_crowd_has_as_many_photos_as_it_says(tmp_path: Path, people: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if people and not detect.PEOPLE.is_dir():
        pytest.skip("the press photos are not here")
    if not people:
        monkeypatch.setattr(detect, "PEOPLE", tmp_path / "absent")
    monkeypatch.setattr(detect, "COLUMNS", 3)
    monkeypatch.setattr(detect, "ROWS", 2)
    detect.write_crowd(tmp_path / "crowd.png")
    crowd = read_picture(tmp_path / "crowd.png")
    assert (crowd.width, crowd.height) == (detect.COLUMNS * detect.TILE, detect.ROWS * detect.TILE)


def test_the_clip_is_as_long_as_it_says_and_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "HEIGHT", 180)
    monkeypatch.setattr(detect, "WIDTH", 320)
    detect.write_clip(tmp_path / "clip.mp4", 1)
    clip = open_clip(tmp_path / "clip.mp4")
    assert (clip.width, clip.height, float(clip.duration)) == (detect.WIDTH, detect.HEIGHT, 1.0)
    first, *_, last = (frame.images for frame in clip.every())
    assert (first - last).abs().mean() > 0.01
