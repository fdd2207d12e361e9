"""Where pictures are found and where results go: beside the source, never over it, whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from deepguard.errors import OptionError, OutputError
from deepguard.media.signatures import Container

MARK = ".protected"
EXTENSIONS: dict[Container, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "HEIF": (".heic", ".heif", ".hif"),
}
"""File name endings of each container; the first is given to a result whose source is named as something else."""

CLIP_EXTENSIONS = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".flv"),
    *(".wmv", ".asf", ".ogv", ".gif", ".apng"),
)
"""File name endings of clips; an animated WebP or PNG has that of a picture."""

_ENDINGS = {ending for group in EXTENSIONS.values() for ending in group}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def pictures_below(folder: Path) -> list[Path]:
    """Return the pictures in `folder` and its subfolders by file name ending, sorted; no results, nothing hidden."""
    return [path for path in _below(folder, _ENDINGS) if Path(path.stem).suffix.lower() != MARK]


def media_below(folder: Path) -> list[Path]:
    """Return the pictures and clips in `folder` and its subfolders, results too, by file name ending; sorted."""
    return _below(folder, _ENDINGS | set(CLIP_EXTENSIONS))


def protected_path(source: Path, container: Container, *, out: Path | None = None, root: Path | None = None) -> Path:
    """Return where the result of `source` goes.

    Without `out`: NAME.protected.EXT beside the source. With `out` and `root`: the same name in the folder `out`, at
    the place that the source has below `root`. With `out` alone: into that folder if it is one, else that very file.
    EXT is the source's own if it fits its content, else the content's usual one. OptionError where `out` names
    another format; OutputError where the result would be the source itself.
    """
    name = protected_name(source, container)
    if out is None:
        target = source.with_name(name)
    elif root is not None:
        target = out / source.parent.relative_to(root) / name
    elif _is_folder(out):
        target = out / name
    else:
        target = out
        if out.suffix.lower() not in EXTENSIONS[container]:
            raise OptionError(f"{source.name} is a {container} picture, so name the result *{EXTENSIONS[container][0]}")
    if _is_same(target, source):
        raise OutputError(f"{target} is the source itself; choose another name for the result")
    return target


def protected_name(source: Path, container: Container) -> str:
    """Return NAME.protected.EXT for the result of a source of that name; see `protected_path`."""
    return f"{source.stem}{MARK}{_ending(source, container)}"


def write(path: Path, data: bytes) -> None:
    """Write the whole file or nothing, making its folder; OutputError says what to do."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _fill(part, data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_sentence(path, len(data), error)) from error


def check_writable(path: Path) -> None:
    """Raise now what `write` would raise later, as far as can be told without writing."""
    if path.is_dir():
        raise OutputError(_sentence(path, 0, OSError(errno.EISDIR, os.strerror(errno.EISDIR))))
    nearest = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    code = 0 if os.access(nearest, os.W_OK | os.X_OK) else errno.EACCES
    code = code if nearest.is_dir() else errno.ENOTDIR
    if code:
        raise OutputError(_sentence(path, 0, OSError(code, os.strerror(code))))


def _below(folder: Path, endings: set[str]) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _ending(source: Path, container: Container) -> str:
    fits = source.suffix.lower() in EXTENSIONS[container]
    return source.suffix if fits else EXTENSIONS[container][0]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # a place that may not be looked at; writing will say so
        return False


def _is_same(target: Path, source: Path) -> bool:
    """Return whether both names lead to one file, through links and on disks that ignore case."""
    try:
        return target.samefile(source)
    except OSError:
        return False


def _fill(part: Path, data: bytes) -> None:
    with part.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sentence(path: Path, size: int, error: OSError) -> str:
    if error.errno in _FULL:
        return f"the disk of {path.parent} is full; free {max(1, round(size / 1e6))} MB or choose another folder"
    if error.errno == errno.ENAMETOOLONG:
        return f"the name {path.name} is too long; give the source a shorter name"
    if error.errno == errno.EISDIR:
        return f"{path} is a folder; name a file for the result"
    reason = (error.strerror or str(error)).lower()
    return f"{path.parent} cannot be written to ({reason}); choose another folder or change its permissions"
