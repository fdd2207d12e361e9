"""Import of a folder: content decides, and one bad file does not stop the rest."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deepguard.errors import OutputError
from deepguard.weights.catalogue import Weights
from deepguard.weights.intake import intake
from deepguard.weights.shelf import Shelf

Describe = Callable[..., Weights]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    return folder


def pinned(file: str, content: bytes) -> Weights:
    return Weights(file, len(content), hashlib.sha256(content).hexdigest(), "MIT", "made by the tests")


def test_a_renamed_file_is_found_by_its_content_in_a_folder_below(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes
) -> None:
    file = folder / "below" / "model(2).bin"
    file.write_bytes(content)
    result = intake(shelf, [folder], [weights_of()])
    assert result.taken == ((file, weights_of()),)
    assert (result.present, result.wrong, result.missing) == ((), (), ())
    assert shelf.path(weights_of()).read_bytes() == content
    assert file.read_bytes() == content


def test_a_bad_file_is_named_and_does_not_stop_the_rest(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes
) -> None:
    cut, good = weights_of(file="a_cut.onnx"), pinned("z_good.pth", b"good")
    (folder / "a_cut.onnx").write_bytes(content[:-9])
    (folder / "z_good.pth").write_bytes(b"good")
    result = intake(shelf, [folder], [cut, good])
    assert [weights for _, weights in result.taken] == [good]
    assert [file.name for file, _ in result.wrong] == ["a_cut.onnx"]
    assert "has 262,135 bytes instead of 262,144" in result.wrong[0][1]
    assert result.missing == (cut,)


def test_foreign_files_are_left_alone(shelf: Shelf, folder: Path, weights_of: Describe, content: bytes) -> None:
    (folder / "holiday.jpg").write_bytes(b"picture")
    (folder / "same size").write_bytes(content[::-1])
    (folder / "dead link").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "toy.onnx")
    result = intake(shelf, [folder], [weights_of()])
    assert (result.taken, result.present, result.wrong) == ((), (), ())
    assert result.missing == (weights_of(),)
    assert not shelf.directory.exists()


def test_what_is_on_the_shelf_already_is_said_once(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes
) -> None:
    for name in ("one", "two"):
        (folder / name).write_bytes(content)
    assert intake(shelf, [folder], [weights_of()]).present == ()
    again = intake(shelf, [folder], [weights_of()])
    assert (again.taken, again.present) == ((), (weights_of(),))


def test_a_damaged_file_on_the_shelf_is_replaced(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes
) -> None:
    (folder / "toy.onnx").write_bytes(content)
    intake(shelf, [folder], [weights_of()])
    (shelf.directory / "toy.onnx").write_bytes(b"damaged")
    assert len(intake(shelf, [folder], [weights_of()]).taken) == 1
    assert shelf.path(weights_of()).read_bytes() == content


def test_without_a_published_hash_the_name_decides_and_the_first_import_counts(
    shelf: Shelf, folder: Path, weights_of: Describe
) -> None:
    weights = weights_of(size=0, sha256="")
    (folder / "other name").write_bytes(b"first")
    assert intake(shelf, [folder], [weights]).missing == (weights,)
    (folder / "toy.onnx").write_bytes(b"first")
    assert [taken for _, taken in intake(shelf, [folder], [weights]).taken] == [weights]
    (folder / "toy.onnx").write_bytes(b"second")
    result = intake(shelf, [folder], [weights])
    assert "imported first" in result.wrong[0][1]
    assert shelf.path(weights).read_bytes() == b"first"


def test_a_file_is_known_by_its_name_at_the_source_too_and_others_of_that_name_are_passed_over(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes
) -> None:
    pinned = weights_of(file="toy.safetensors", published="model.safetensors", size=0)
    unpinned = weights_of(file="toy.json", published="config.json", sha256="", size=2)
    (folder / "config.json").write_bytes(b"not this one")
    (folder / "model.safetensors").write_bytes(b"not this one")
    (folder / "below" / "config.json").write_bytes(b"{}")
    (folder / "below" / "model.safetensors").write_bytes(content)
    result = intake(shelf, [folder], [pinned, unpinned])
    assert {weights.file for _, weights in result.taken} == {"toy.safetensors", "toy.json"}
    assert (result.wrong, result.missing) == ((), ())
    assert shelf.path(unpinned).read_bytes() == b"{}"


def test_importing_the_shelf_itself_trusts_what_was_laid_there_by_hand(shelf: Shelf, weights_of: Describe) -> None:
    weights = weights_of(size=0, sha256="")
    shelf.directory.mkdir()
    (shelf.directory / "toy.onnx").write_bytes(b"by hand")
    intake(shelf, [shelf.directory], [weights])
    assert shelf.path(weights).read_bytes() == b"by hand"


def test_several_folders_are_read_and_files_of_packages_are_not_asked_for(
    shelf: Shelf, tmp_path: Path, folder: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    one, two = pinned("one", b"1"), pinned("two", b"2")
    packaged = Weights("p", 0, "", "MIT", "in a package", package="no-such-distribution:p")
    (folder / "one").write_bytes(b"1")
    (other / "two").write_bytes(b"2")
    result = intake(shelf, [folder, other], [one, two, packaged])
    assert [weights for _, weights in result.taken] == [one, two]
    assert result.missing == ()


def test_a_full_disk_ends_the_import(
    shelf: Shelf, folder: Path, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (folder / "toy.onnx").write_bytes(content)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left on device"):
        intake(shelf, [folder], [weights_of()])
