"""`deepguard bench protect` with the detector of the installation, on photos of 200 pixels."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait

from deepguard import api
from deepguard.cli.bench import JSON, LINES
from deepguard.cli.bench import PAGE as MARKDOWN
from deepguard.prove.board.markdown import markdown
from deepguard.prove.board.records import board_of

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "measure-protection.md"
GREY = np.full((64, 64, 3), 128, np.uint8)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps are enough for what is tested here."""
    made = api.Options
    monkeypatch.setattr(api, "Options", lambda **chosen: made(**chosen, steps=2))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def words(photos: Path, out: Path, *more: str) -> list[str | Path]:
    ours = [] if "--defences" in more else ["--defences", "facepoison"]
    chains = [] if "--chains" in more else ["--chains", "jpeg75"]
    return ["bench", "protect", "--images", photos, "--out", out, *ours, *chains, *more]


def body_in(out: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((out / "board.json").read_text(encoding="utf-8"))
    return body


def test_a_folder_becomes_tables_and_figures_and_no_picture(deepguard: Run, photo: Photo, out: Path) -> None:
    folder = photo("a.jpg").parent
    photo("deep/b.png")
    result = deepguard(*words(folder, out))
    assert result.exit_code == 0
    assert files_in(out) == {"board.json", "board.md", "board.jsonl"}
    assert files_in(folder) == {"a.jpg", "deep/b.png"}
    body = body_in(out)
    assert (body["schema"], body["complete"]) == ("deepguard/protect-board/1", True)
    assert [each["name"] for each in body["photos"]] == ["photos/a.jpg", "photos/deep/b.png"]
    assert [each["name"] for each in body["photos"][0]["arms"]] == ["facepoison balanced", "noise"]
    assert (out / "board.md").read_text(encoding="utf-8") == markdown(board_of(body))
    assert "| mtcnn | 2/2 |" in markdown(board_of(body))
    assert "the other 1 at this pace: about " in result.stdout


def test_the_same_command_again_goes_on_where_it_was(deepguard: Run, photo: Photo, out: Path) -> None:
    first, second = photo("a.png"), photo("b.png")
    deepguard(*words(first.parent, out))
    before = body_in(out)["photos"]
    lines = (out / "board.jsonl").read_bytes().splitlines(keepends=True)
    (out / "board.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:100])
    result = deepguard(*words(second.parent, out))
    assert result.exit_code == 0
    assert "1 photo known from an earlier run" in result.stdout
    assert "a.png: " not in result.stdout
    after = body_in(out)["photos"]
    assert after[0] == before[0]
    assert [each["judgements"] for each in after[1]["arms"]] == [each["judgements"] for each in before[1]["arms"]]


def test_other_options_are_refused_with_what_to_do(deepguard: Run, photo: Photo, out: Path) -> None:
    folder = photo("a.png").parent
    deepguard(*words(folder, out))
    before = files_in(out), (out / "board.json").read_bytes()
    result = deepguard(*words(folder, out, "--seed", "1"))
    assert result.exit_code == 2
    assert "was begun with other seed; repeat that run's options, choose another --out" in one_sentence(result)
    assert before == (files_in(out), (out / "board.json").read_bytes())


def test_one_broken_photo_does_not_end_the_run_and_is_tried_again_next_time(
    deepguard: Run, photo: Photo, out: Path
) -> None:
    whole, folder = photo("a.png"), photo("a.png").parent
    (folder / "b.png").write_bytes(whole.read_bytes()[:500])
    photo("c.png")
    result = deepguard(*words(folder, out))
    assert result.exit_code == 1
    assert "photos/b.png: b.png is damaged or cut short" in one_sentence(result)
    body = body_in(out)
    assert [each["name"] for each in body["failed"]] == ["photos/b.png"]
    assert len(body["photos"]) == 2
    photo("b.png")
    assert deepguard(*words(folder, out)).exit_code == 0
    assert (len(body_in(out)["photos"]), body_in(out)["failed"]) == (3, [])


def test_photos_without_faces_or_with_too_many_are_left_out_and_named(deepguard: Run, photo: Photo, out: Path) -> None:
    canvas = np.full((220, 460, 3), 100, np.uint8)
    canvas[10:210, 10:210], canvas[10:210, 250:450] = portrait(), portrait()[:, ::-1]
    folder = photo("two.png", canvas).parent
    photo("none.png", GREY)
    result = deepguard(*words(folder, out, "--max-faces", "1"))
    assert result.exit_code == 0
    left_out = {each["name"]: each["reason"] for each in body_in(out)["left_out"]}
    assert left_out["photos/two.png"] == "2 faces, more than --max-faces 1"
    assert left_out["photos/none.png"] == "no face was found"
    assert "two.png: left out, 2 faces" in result.stdout


def test_a_photo_is_counted_once_however_it_is_given_and_the_limit_holds(
    deepguard: Run, photo: Photo, out: Path
) -> None:
    path = photo("a.png")
    photo("b.png")
    deepguard(*words(path, out, "--images", str(path.parent), "--limit", "1"))
    assert [each["name"] for each in body_in(out)["photos"]] == ["photos/a.png"]


def test_nothing_to_measure_is_one_sentence(deepguard: Run, tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = deepguard(*words(tmp_path / "empty", out))
    assert result.exit_code == 1
    assert "no JPEG, PNG, WebP, TIFF, BMP or HEIC photo is in" in one_sentence(result)
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        (("--presets", "balancd"), "did you mean balanced?"),
        (("--defences", "facepoisn"), "did you mean facepoison?"),
        (("--chains", "instagran"), "did you mean instagram?"),
        (("--defences", "facepoison,facepoison-paper"), "none of the detectors that facepoison-paper attacks is here"),
        (("--leave-one-out", "1"), "one detector alone cannot be left out"),
    ],
)
def test_what_is_wrong_for_every_photo_is_said_before_the_first(
    deepguard: Run, photo: Photo, out: Path, more: tuple[str, ...], hint: str
) -> None:
    result = deepguard(*words(photo().parent, out, *more))
    assert result.exit_code == 2
    assert hint in one_sentence(result)
    assert not out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_leaves_a_board_of_what_was_done(home: Path, photo: Photo, out: Path) -> None:
    folder = photo("a.png", GREY).parent
    photo("b.png")
    call = [sys.executable, "-m", "deepguard", *map(str, words(folder, out))]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "b.png: facepoison balanced" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "deepguard: stopped; nothing was left half-written"
    body = body_in(out)
    assert not body["complete"]
    assert ([each["name"] for each in body["left_out"]], body["photos"]) == (["photos/a.png"], [])
    assert "The run was stopped before its end" in (out / "board.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_draws_the_tables_again(
    deepguard: Run, photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deepguard(*words(photo("none.png", GREY), tmp_path / "board"))
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.rstrip() == (tmp_path / "board" / "board.md").read_text(encoding="utf-8").rstrip()


def test_the_page_names_every_file_that_comes_out() -> None:
    assert set(re.findall(r"`(board\.\w+)`", PAGE.read_text(encoding="utf-8"))) == {LINES, JSON, MARKDOWN}
