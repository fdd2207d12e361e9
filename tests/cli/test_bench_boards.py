"""`deepguard bench identity` and `deepguard bench swap`, with an encoder that is a toy."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Photo, Run, files_in, one_sentence, portrait
from tests.prove.proofs import Grey

from deepguard import api
from deepguard.cli.bench_identity import paired
from deepguard.models import thresholds as known
from deepguard.prove.board import identity, identity_tables, swap_tables, swaps

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "measure-protection.md"
GREY = np.full((64, 64, 3), 128, np.uint8)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps against detectors only are enough, and every shelf has a toy that judges identity."""
    made, load = api.Options, api.load_models

    def chosen(**told: object) -> api.Options:
        return made(**{**told, "steps": 2, "through": "none", "defence": "facepoison"})  # type: ignore[arg-type]

    def loaded(*told: object) -> api.Models:
        models = load(*told)  # type: ignore[arg-type]
        return dataclasses.replace(models, encoders={"toy": Grey()}, files={**models.files, "toy": {}})

    monkeypatch.setattr(api, "Options", chosen)
    monkeypatch.setattr(api, "load_models", loaded)
    monkeypatch.setattr(known, "_packaged", lambda: {"toy": known.Thresholds(0.5, 0.7, 1.0, 1.0, {}, {})})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def folder(photo: Photo) -> Path:
    """Two photos of one person, one of another, one without a face."""
    brighter = (portrait().astype(int) + 20).clip(0, 255).astype(np.uint8)
    photo("Some_Body_0002.png", brighter)
    photo("No_Face_0001.png", GREY)
    photo("No_Face_0002.png", GREY)
    return photo("Some_Body_0001.png").parent


def words(kind: str, folder: Path, out: Path, *more: str) -> list[str | Path]:
    return ["bench", kind, "--images", folder, "--out", out, "--chains", "jpeg75", *more]


def test_one_photo_of_each_person_is_protected_and_held_against_another(
    quick: None, deepguard: Run, folder: Path, out: Path
) -> None:
    result = deepguard(*words("identity", folder, out))
    assert result.exit_code == 0
    assert files_in(out) == {"identity.json", "identity.md", "identity.jsonl"}
    board = identity.board_from(json.loads((out / "identity.json").read_text(encoding="utf-8")))
    (person,) = board.people
    assert (person.name, person.reference) == ("photos/Some_Body_0001.png", "photos/Some_Body_0002.png")
    assert [arm.name for arm in person.arms] == ["clean", "shield balanced", "noise"]
    assert [each.name for each in board.left_out] == ["photos/No_Face_0001.png"]
    assert (out / "identity.md").read_text(encoding="utf-8") == identity_tables.markdown(board)
    assert "| toy (toy, judge) | 1/1, 100 % [21 %, 100 %] |" in identity_tables.markdown(board)


def test_a_run_goes_on_where_it_was_and_other_options_are_refused(
    quick: None, deepguard: Run, folder: Path, out: Path
) -> None:
    deepguard(*words("identity", folder, out))
    again = deepguard(*words("identity", folder, out))
    assert "2 photos known from an earlier run" in again.stdout
    other = deepguard(*words("identity", folder, out, "--seed", "1"))
    assert other.exit_code == 2
    assert "was begun with other seed" in one_sentence(other)


def test_swaps_are_counted_over_a_folder(quick: None, deepguard: Run, photo: Photo, out: Path) -> None:
    folder = photo("a.png").parent
    photo("none.png", GREY)
    result = deepguard(*words("swap", folder, out))
    assert result.exit_code == 0
    assert files_in(out) == {"swap.json", "swap.md", "swap.jsonl"}
    assert files_in(folder) == {"a.png", "none.png"}
    board = swaps.board_from(json.loads((out / "swap.json").read_text(encoding="utf-8")))
    (swapped,) = board.photos
    (row,) = swapped.proofs["shield balanced"].swaps
    assert set(row.cosines["noise"]) == {"delivered", "jpeg75"}
    assert [each.name for each in board.left_out] == ["photos/none.png"]
    assert (out / "swap.md").read_text(encoding="utf-8") == swap_tables.markdown(board)
    assert "1 photo known" not in result.stdout
    assert "2 photos known from an earlier run" in deepguard(*words("swap", folder, out)).stdout


def test_an_earlier_result_beside_a_photo_is_no_obstacle(quick: None, deepguard: Run, photo: Photo, out: Path) -> None:
    folder = photo("a.png").parent
    photo("a.protected.png")
    assert deepguard(*words("swap", folder, out)).exit_code == 0


@pytest.mark.parametrize("kind", ["identity", "swap"])
def test_a_shelf_without_encoders_is_said_before_the_first_photo(
    deepguard: Run, photo: Photo, out: Path, kind: str
) -> None:
    result = deepguard(*words(kind, photo("a.png").parent, out))
    assert result.exit_code == 1
    assert "no encoder is on the shelf" in one_sentence(result)
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "more", "hint"),
    [
        ("identity", ("--presets", "balancd"), "did you mean balanced?"),
        ("identity", ("--defences", "shild"), "did you mean shield?"),
        ("identity", ("--chains", "denoize"), "did you mean denoise?"),
        ("swap", ("--chains", "denoize"), "did you mean denoise?"),
        ("swap", ("--swappers", "wrap"), "did you mean warp?"),
        ("swap", ("--counterpart", "astronat"), "did you mean astronaut?"),
    ],
)
def test_what_is_wrong_for_every_photo_is_said_first(
    deepguard: Run, photo: Photo, out: Path, kind: str, more: tuple[str, ...], hint: str
) -> None:
    result = deepguard("bench", kind, "--images", photo("a.png").parent, "--out", out, *more)
    assert result.exit_code == 2
    assert hint in one_sentence(result)
    assert not out.exists()


def test_people_are_paired_by_name_and_singles_only_where_nobody_has_two() -> None:
    names = ["lfw/B_B_0002.jpg", "lfw/B_B_0001.jpg", "lfw/A_A_0001.jpg", "x/C_C_0001.jpg", "x/holiday.jpg"]
    pairs = paired({name: Path(name) for name in names})
    assert {name: other for name, (_, other, _) in pairs.items()} == {
        "lfw/B_B_0001.jpg": "lfw/B_B_0002.jpg",
        "x/C_C_0001.jpg": "x/C_C_0001.jpg",
        "x/holiday.jpg": "x/holiday.jpg",
    }
