from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from benchmarks import command, protect
from benchmarks._machine import UNIT, memory, place

from deepguard import api
from deepguard.errors import OptionError
from deepguard.media.encode import encode
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.weights.shelf import Shelf


def test_the_benchmark_prints_the_board_of_the_sample_photo(
    empty_shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.Options
    monkeypatch.setattr(api, "Options", lambda **chosen: made(**chosen, steps=1))
    monkeypatch.setattr(protect, "PORTRAITS", tmp_path / "absent")
    monkeypatch.setenv("DEEPGUARD_MODELS", str(empty_shelf.directory))
    protect.main(["--defences", "facepoison", "--chains", "jpeg75"])
    text = capsys.readouterr().out
    assert text.startswith("20")
    assert "# Protection, measured" in text
    assert "| mtcnn | 1/1 | " in text
    assert " MiB." in text


def test_a_board_that_is_kept_is_printed_too_and_a_wrong_option_ends_the_benchmark(
    empty_shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_MODELS", str(empty_shelf.directory))
    out, sample = tmp_path / "out", read_picture(sample_file())
    plain = dataclasses.replace(sample, images=torch.full((1, 3, 64, 64), 0.5))
    (tmp_path / "empty.png").write_bytes(encode(plain, plain.images))
    words = ["--images", str(tmp_path / "empty.png"), "--defences", "facepoison", "--out", str(out)]
    protect.main(words)
    text = capsys.readouterr().out
    assert "empty.png: no face" in text
    assert (out / "board.md").read_text(encoding="utf-8") in text
    with pytest.raises(OptionError, match="begun with other seed"):
        protect.main([*words, "--seed", "1"])


def test_the_command_is_timed_as_a_process_and_a_failing_one_ends_the_benchmark() -> None:
    seconds, largest = command.timed(["--version"], {})
    assert 0 < seconds < 60
    assert largest * UNIT < 80 * 2**20  # this process, which holds torch, is not counted in
    assert command.row("x", [(2.0, 1), (3.0, 1), (1.0, 1)]).startswith("| x | 2.00 | 2.00, 3.00, 1.00 | ")
    with pytest.raises(SystemExit, match="ended with 2"):
        command.timed(["protect"], {})


def test_the_megapixel_photo_is_made_where_the_portrait_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PORTRAIT", tmp_path / "absent.jpg")
    large = read_picture(command._photo(tmp_path))
    assert (large.width, large.height) == (1000, 1000)


def test_a_measurement_names_the_day_the_machine_and_the_commit() -> None:
    words = place()
    assert words.startswith("20")
    assert "cores" in words
    assert "commit " in words
    assert memory(2**30 // UNIT) == "1,024 MiB"
