from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.prove.boards import arm, judgement, photo

from deepguard.errors import OptionError, OutputError
from deepguard.prove.board.journal import Journal
from deepguard.prove.board.records import Absent

HEAD = {"version": "1", "options": {"seed": 0, "presets": ("balanced",)}, "photos": ["a.jpg", "b.jpg"]}
PHOTO = photo(arm("ours", judgement("one", 3, delivered=1, retry=2)), name="a.jpg")
ABSENT = Absent("b.jpg", "15 faces", "1" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "board.jsonl"


def test_what_was_written_is_known_to_the_next_run(path: Path) -> None:
    first = Journal(path, HEAD)
    first.add(PHOTO)
    first.add(ABSENT)
    second = Journal(path, HEAD)
    assert second.entries == [PHOTO, ABSENT]
    assert second.entry("a.jpg", "0" * 64) == PHOTO
    assert second.entry("b.jpg", "1" * 64) == ABSENT


def test_a_photo_with_another_content_is_not_known(path: Path) -> None:
    journal = Journal(path, HEAD)
    journal.add(PHOTO)
    assert journal.entry("a.jpg", "2" * 64) is None


def test_a_line_that_a_killed_process_left_half_is_dropped(path: Path) -> None:
    Journal(path, HEAD).add(PHOTO)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"photo": {"name": "b.j')
    journal = Journal(path, HEAD)
    assert journal.entries == [PHOTO]
    assert path.read_bytes() == whole
    journal.add(ABSENT)
    assert Journal(path, HEAD).entries == [PHOTO, ABSENT]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"options": {"seed": 1, "presets": ["balanced"]}}, "begun with other seed;"),
        ({"options": {"seed": 0, "presets": ["strong"]}, "version": "2"}, "begun with other presets, version;"),
        ({"photos": ["a.jpg"]}, "begun with other photos;"),
    ],
)
def test_another_runs_lines_are_neither_used_nor_lost(path: Path, changes: dict[str, object], words: str) -> None:
    Journal(path, HEAD).add(PHOTO)
    before = path.read_bytes()
    with pytest.raises(OptionError, match=words) as refused:
        Journal(path, {**HEAD, **changes})
    assert "choose another --out, or remove the file" in str(refused.value)
    assert path.read_bytes() == before


def test_a_file_of_another_kind_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my notes\n")
    with pytest.raises(OptionError, match="is not what a run wrote"):
        Journal(path, HEAD)
    assert path.read_text() == "my notes\n"


def test_a_line_that_cannot_be_written_says_so(path: Path) -> None:
    journal = Journal(path, HEAD)
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written to"):
        journal.add(PHOTO)


def test_every_line_is_json_by_itself(path: Path) -> None:
    Journal(path, HEAD).add(PHOTO)
    assert [list(json.loads(line)) for line in path.read_text().splitlines()] == [list(HEAD), ["photo"]]
