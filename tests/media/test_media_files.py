"""Where results go: beside the source, never over it, whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from deepguard.errors import OptionError, OutputError
from deepguard.media import files
from deepguard.media.files import pictures_below, protected_path, write


@pytest.mark.parametrize(
    ("name", "container", "expected"),
    [
        ("photo.jpg", "JPEG", "photo.protected.jpg"),
        ("photo.JPEG", "JPEG", "photo.protected.JPEG"),
        ("a.b.tiff", "TIFF", "a.b.protected.tiff"),
        ("IMG_1.HEIC", "HEIF", "IMG_1.protected.HEIC"),
        ("photo.jpg", "PNG", "photo.protected.png"),
        ("photo", "WEBP", "photo.protected.webp"),
    ],
)
def test_a_result_lies_beside_its_source_and_is_named_by_its_content(name, container, expected):
    assert protected_path(Path("albums") / name, container) == Path("albums") / expected


def test_a_folder_of_results_has_the_sources_tree(tmp_path):
    source = tmp_path / "in" / "2024" / "may" / "photo.jpg"
    target = protected_path(source, "JPEG", out=tmp_path / "out", root=tmp_path / "in")
    assert target == tmp_path / "out" / "2024" / "may" / "photo.protected.jpg"


def test_an_existing_folder_takes_the_result_under_its_own_name(tmp_path):
    assert protected_path(Path("photo.jpg"), "JPEG", out=tmp_path) == tmp_path / "photo.protected.jpg"


def test_a_named_file_is_taken_as_it_is(tmp_path):
    assert protected_path(Path("photo.jpg"), "JPEG", out=tmp_path / "x.jpeg") == tmp_path / "x.jpeg"


def test_a_named_file_of_another_format_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"photo\.jpg is a JPEG picture, so name the result \*\.jpg"):
        protected_path(Path("photo.jpg"), "JPEG", out=tmp_path / "x.png")


def _same(path):
    return path


def _by_detour(path):
    (path.parent / "sub").mkdir()
    return path.parent / "sub" / ".." / path.name


def _by_symbolic_link(path):
    link = path.with_name("link.jpg")
    link.symlink_to(path)
    return link


def _by_hard_link(path):
    link = path.with_name("twin.jpg")
    link.hardlink_to(path)
    return link


@pytest.mark.parametrize("way", [_same, _by_detour, _by_symbolic_link, _by_hard_link])
def test_the_source_is_never_the_target(tmp_path, way):
    source = tmp_path / "photo.jpg"
    source.write_bytes(b"precious")
    with pytest.raises(OutputError, match="is the source itself; choose another name"):
        protected_path(source, "JPEG", out=way(source))
    assert source.read_bytes() == b"precious"


def test_a_link_where_the_result_goes_does_not_lead_to_the_source(tmp_path):
    source = tmp_path / "photo.jpg"
    source.write_bytes(b"precious")
    (tmp_path / "photo.protected.jpg").symlink_to(source)
    with pytest.raises(OutputError, match="is the source itself"):
        protected_path(source, "JPEG")


def test_a_result_is_written_whole_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "new" / "folder" / "photo.protected.jpg"
    write(path, b"first")
    write(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


def test_a_result_can_be_read_by_whoever_may_read_new_files(tmp_path):
    path, plain = tmp_path / "photo.protected.jpg", tmp_path / "plain"
    write(path, b"data")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def _refused(path, data=b"x" * 5000):
    with pytest.raises(OutputError) as caught:
        write(path, data)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_folder_that_is_a_file_cannot_be_written_to(tmp_path):
    (tmp_path / "folder").write_text("not a folder")
    assert "choose another folder" in _refused(tmp_path / "folder" / "photo.protected.jpg")
    assert (tmp_path / "folder").read_text() == "not a folder"


@pytest.fixture
def nobody():
    """An ordinary user: root may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.fixture
def closed(tmp_path):
    """A folder that may be looked into and not written to."""
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


def test_a_folder_without_permission_cannot_be_written_to(closed, nobody):
    sentence = _refused(closed / "photo.protected.jpg")
    assert sentence == (
        f"{closed} cannot be written to (permission denied); choose another folder or change its permissions"
    )


def test_a_folder_that_may_not_be_entered_is_left_to_the_writing_to_name(closed, nobody):
    closed_file = closed / "inner" / "photo.jpg"
    assert protected_path(closed_file, "JPEG", out=closed_file.with_name("x.jpg")) == closed_file.with_name("x.jpg")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_forbidden_folder_is_named_with_its_reason(tmp_path, monkeypatch, number):
    def forbidden(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_fill", forbidden)
    sentence = _refused(tmp_path / "photo.protected.jpg")
    assert str(tmp_path) in sentence
    assert os.strerror(number).lower() in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_half_way_leaves_nothing_and_keeps_the_older_result(tmp_path, monkeypatch):
    path = tmp_path / "photo.protected.jpg"
    write(path, b"older")

    def half(part, data):
        part.write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_fill", half)
    sentence = _refused(path, b"x" * 3_000_000)
    assert sentence == f"the disk of {tmp_path} is full; free 3 MB or choose another folder"
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_real_write_that_stops_half_way_leaves_nothing(tmp_path):
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, allowed[1]))
    try:
        sentence = _refused(tmp_path / "photo.protected.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert "is full" in sentence
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(number):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "photo.protected.jpg", b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_said(tmp_path):
    assert "give the source a shorter name" in _refused(tmp_path / ("x" * 300 + ".jpg"))


def test_a_folder_in_the_results_place_is_said(tmp_path):
    (tmp_path / "photo.protected.jpg").mkdir()
    assert "is a folder; name a file" in _refused(tmp_path / "photo.protected.jpg")


def test_pictures_below_a_folder_are_found_without_results_and_hidden_files(tmp_path):
    wanted = ["a.jpg", "b.JPEG", "deep/er/c.png", "d.webp", "e.tif", "f.tiff", "g.bmp", "h.HEIC", "i.heif"]
    others = ["a.protected.jpg", "b.Protected.JPG", ".hidden.jpg", ".cache/x.png", "notes.txt", "film.mp4", "anim.gif"]
    for name in wanted + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert pictures_below(tmp_path) == sorted(tmp_path / name for name in wanted)


def test_a_hidden_folder_named_by_the_user_is_searched(tmp_path):
    (tmp_path / ".private").mkdir()
    (tmp_path / ".private" / "a.jpg").touch()
    assert pictures_below(tmp_path / ".private") == [tmp_path / ".private" / "a.jpg"]
