"""What a run has measured so far, one line a photo, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deepguard.errors import OptionError, OutputError
from deepguard.media.files import write
from deepguard.prove.board.records import Absent, photo_of


class Journal:
    """The file of lines: what was asked for, then each photo that was measured or left out.

    `head` is what was asked for; another run's lines are used only where it is the same. `read` makes of a photo's
    JSON values what was written.
    """

    def __init__(
        self, path: Path, head: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Any] = photo_of
    ) -> None:
        self.path = path
        self.entries: list[Any] = []
        lines = list(_lines(path))
        # as JSON has it: tuples are lists there
        wanted = json.loads(json.dumps(head))
        if lines and lines[0] != wanted:
            raise OptionError(_sentence(path, lines[0], wanted))
        self.entries = [_entry(line, read) for line in lines[1:]]
        write(path, b"".join(_line(line) for line in [wanted, *lines[1:]]))

    def entry(self, name: str, sha256: str) -> Any:
        """Return what is known of a photo of this name and content; None where nothing is."""
        return next((each for each in self.entries if (each.name, each.sha256) == (name, sha256)), None)

    def add(self, entry: Any) -> None:
        """Write one photo's line to the disk: a dataclass with `name` and `sha256`, or what is left out."""
        body = {"left_out" if isinstance(entry, Absent) else "photo": dataclasses.asdict(entry)}
        try:
            with self.path.open("ab") as stream:
                stream.write(_line(body))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(
                f"{self.path} cannot be written to ({reason}); free space or choose another --out"
            ) from error
        self.entries.append(entry)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines; the last one may be cut short where a process was killed."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return
        try:
            yield json.loads(line)
        except ValueError as error:
            raise OptionError(f"{path} is not what a run wrote; remove it or choose another --out") from error


def _line(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _entry(line: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Any]) -> Any:
    return read(line["photo"]) if "photo" in line else Absent(**line["left_out"])


def _sentence(path: Path, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    before, now = ({**each, **each.get("options", {}), "options": 0} for each in (known, wanted))
    others = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return (
        f"{path} was begun with other {', '.join(others)}; repeat that run's options, choose another --out, or remove "
        "the file to begin again"
    )
