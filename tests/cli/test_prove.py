"""`deepguard prove` with the detector of the installation, on photos of 200 pixels."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait

from deepguard import api
from deepguard.cli.proofs import folded
from deepguard.prove.markdown import markdown
from deepguard.prove.proof import Proof

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "proof.schema.json").read_text())
QUICK = ("--columns", "jpeg75", "--swapper", "none")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps are enough for what is tested here."""
    made = api.Options
    monkeypatch.setattr(api, "Options", lambda **chosen: made(**{**chosen, "steps": 2, "through": "none"}))


@pytest.fixture
def pair(photo: Photo) -> tuple[Path, Path]:
    """A photo, and a slight change of it."""
    changed = (portrait().astype(int) + np.random.default_rng(1).integers(-6, 7, portrait().shape)).clip(0, 255)
    return photo("me.png"), photo("me.protected.png", changed.astype(np.uint8))


def body_of(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(body, SCHEMA)
    return body


def test_a_photo_alone_is_protected_first_and_everything_is_told(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    source = photo("me.jpg")
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    result = deepguard("prove", source, *QUICK, "--out", tmp_path / "p.json", "--markdown", tmp_path / "p.md")
    assert result.exit_code == 0
    assert files_in(source.parent) == {"me.jpg", "me.protected.jpg"}
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    body = body_of(tmp_path / "p.json")
    assert (body["original"]["name"], body["protected"]["name"]) == ("me.jpg", "me.protected.jpg")
    assert body["protected"]["sha256"] == hashlib.sha256((source.parent / "me.protected.jpg").read_bytes()).hexdigest()
    assert (tmp_path / "p.md").read_text(encoding="utf-8") == markdown(Proof.from_json(body))
    for words in (
        "1 of 1 detectors find the face in the original",
        "can this be trusted?",
        "FAILED: all detectors here were attacked",
        "does not make the picture safe",
        "no encoder is on the shelf",
        f"written: {tmp_path / 'p.json'}",
    ):
        assert words in result.stdout


def test_tables_fit_a_terminal(deepguard: Run, pair: tuple[Path, Path]) -> None:
    lines = deepguard("prove", *pair, "--columns", "all", "--swapper", "none").stdout.splitlines()
    rows = [line for line in lines if line.startswith(("= ", "delivered", "tried", "jpeg", "screenshot", "1     "))]
    assert len(rows) > 10
    assert max(len(line) for line in rows) <= 80


def test_json_alone_goes_to_the_next_program(deepguard: Run, pair: tuple[Path, Path]) -> None:
    result = deepguard("prove", *pair, *QUICK, "--json")
    assert result.exit_code == 0
    jsonschema.validate(json.loads(result.stdout), SCHEMA)


def test_the_report_of_the_protection_says_who_was_attacked(deepguard: Run, photo: Photo, tmp_path: Path) -> None:
    source = photo("me.png")
    deepguard("protect", source, "--report", tmp_path / "r.json")
    made = source.with_name("me.protected.png")
    deepguard("prove", source, made, *QUICK, "--report", tmp_path / "r.json", "--out", tmp_path / "p.json")
    assert [row["attacked"] for row in body_of(tmp_path / "p.json")["detections"]] == [True, None]
    deepguard("prove", source, made, *QUICK, "--out", tmp_path / "q.json")
    assert [row["attacked"] for row in body_of(tmp_path / "q.json")["detections"]] == [None, None]


def test_an_earlier_proof_is_measured_anew_beside_its_pictures(deepguard: Run, pair: tuple[Path, Path]) -> None:
    report = pair[0].with_name("p.json")
    deepguard("prove", *pair, *QUICK, "--out", report)
    result = deepguard("prove", "--again", report)
    assert result.exit_code == 0
    assert "nothing changed: the same models say the same" in result.stdout
    body = body_of(report)
    body["models"]["gone"] = {}
    body["detections"][0]["found"]["protected"]["jpeg75"] = [False]
    report.write_text(json.dumps(body), encoding="utf-8")
    told = deepguard("prove", "--again", report, *pair).stdout
    assert "no longer here: gone" in told
    assert "mtcnn, jpeg75, face 1: not found -> found" in told


def test_again_without_its_pictures_or_with_others_says_what_to_give(
    deepguard: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    report = tmp_path / "p.json"
    deepguard("prove", *pair, *QUICK, "--out", report)
    away = deepguard("prove", "--again", report)
    assert away.exit_code == 1
    assert "me.png is not there; give both pictures: --again REPORT.json PHOTO PROTECTED" in one_sentence(away)
    Image.fromarray(portrait()[::-1]).save(pair[1])
    other = deepguard("prove", "--again", report, *pair)
    assert other.exit_code == 2
    assert "the protected picture is not the one of the report" in one_sentence(other)


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ((), 2, "give a photo, or --again and an earlier report"),
        (("PHOTO", "--columns", "jpeg7"), 2, "did you mean jpeg7"),
        (("PHOTO", "--swapper", "wrap"), 2, "did you mean warp?"),
        (("PHOTO", "--counterpart", "astronat"), 2, "did you mean astronaut?"),
        (("PHOTO", "--sheet", "s.png"), 2, "state whose face it is: --statement self or agreed"),
        (("PHOTO", "--clip", "s.mp4"), 2, "state whose face it is"),
        (("PHOTO", "--sheet", "s.png", "--swapper", "none", "--statement", "self"), 2, "choose one, such as warp"),
        (("PHOTO", "PHOTO"), 2, "one and the same picture"),
        (("PROTECTED",), 2, "is a protected picture itself; give its original first"),
        (("PHOTO", "PLAIN"), 2, "two different pictures"),
        (("PHOTO", "SMALL"), 2, "different sizes, 200 x 200 and 100 x 100 pixels"),
        (("PLAIN", "GREY"), 3, "no face was found"),
        (("PHOTO", "PROTECTED", "--out", "PHOTO"), 2, "is a file of this call already"),
        (("PHOTO", "PROTECTED", "--out", "x", "--markdown", "x"), 2, "is a file of this call already"),
        (("PHOTO", "PROTECTED", "--report", "PHOTO"), 1, "is no JSON"),
        (("PHOTO", "PROTECTED", "--report", "absent"), 1, "cannot be read"),
        (("--again", "PHOTO"), 1, "is no JSON"),
        (("--again", "EMPTY", "--sheet", "s.png", "--statement", "self"), 2, "--again measures figures only"),
        (("--again", "EMPTY"), 1, "nothing of the schema deepguard/prove-report/1"),
        (("PHOTO", "PROTECTED", "--swapper", "inswapper"), 1, "deepguard models"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    deepguard: Run, pair: tuple[Path, Path], photo: Photo, words: tuple[str, ...], code: int, hint: str, tmp_path: Path
) -> None:
    plain = np.full((200, 200, 3), 120, np.uint8)
    (tmp_path / "empty.json").write_text("{}")
    known = {
        "PHOTO": pair[0],
        "PROTECTED": pair[1],
        "PLAIN": photo("plain.png", plain),
        "GREY": photo("grey.png", plain + 1),
        "SMALL": photo("small.png", portrait()[::2, ::2]),
        "EMPTY": tmp_path / "empty.json",
    }
    before = files_in(tmp_path)
    more = () if "--columns" in words or "--swapper" in words else ("--columns", "jpeg75")
    result = deepguard("prove", *(known.get(word, word) for word in words), *more)
    assert (result.exit_code, hint in one_sentence(result)) == (code, True), result.stderr
    assert files_in(tmp_path) == before


def test_an_earlier_protected_version_is_never_overwritten(deepguard: Run, pair: tuple[Path, Path]) -> None:
    result = deepguard("prove", pair[0], *QUICK)
    assert result.exit_code == 2
    assert "me.protected.png is there already; give it as PROTECTED, or move it away" in one_sentence(result)


def test_a_sheet_is_written_in_the_language_asked_for(deepguard: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    sheet, report = tmp_path / "s.png", tmp_path / "p.json"
    words = ("--columns", "none", "--sheet", sheet, "--language", "ko", "--statement", "agreed", "--out", report)
    assert deepguard("prove", *pair, *words).exit_code == 0
    with Image.open(sheet) as opened:
        assert opened.format == "PNG"
    assert body_of(report)["statement"]["by"] == "agreed"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_in_the_middle_of_a_training_leaves_nothing(home: Path, pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = files_in(tmp_path)
    words = ("--columns", "none", "--swapper", "autoencoder", "--steps", "100000", "--out", str(tmp_path / "p.json"))
    call = [sys.executable, "-m", "deepguard", "prove", *map(str, pair), *words]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "me.png: swapping" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "deepguard: stopped; nothing was left half-written"
    assert {name for name in files_in(tmp_path) if not name.startswith("home")} == before


def test_headings_are_folded_after_hyphens_and_spaces() -> None:
    assert list(folded("mobilefacenet-ms1m (judge)", 10)) == ["mobileface", "net-ms1m", "(judge)"]
    assert list(folded("arcface-w600k-r50", 11)) == ["arcface-", "w600k-r50"]
    assert list(folded("any", 3)) == ["any"]
