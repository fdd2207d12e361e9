"""Photos through `api.protect`, one after the other; one failure does not stop the rest."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from deepguard import api
from deepguard.cli.progress import Display, duration
from deepguard.cli.tables import console_for, say, show
from deepguard.errors import DeepguardError, ImageTooLarge, NoFace, OptionError, OutputError
from deepguard.media.comparison import comparison
from deepguard.media.files import check_writable, protected_path, write
from deepguard.media.read import read_picture
from deepguard.prove.report import SCHEMA, Report
from deepguard.settings import Settings
from deepguard.types import Box
from deepguard.weights.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Work:
    """One photo, the file or folder where its result goes, and the folder whose tree is kept there."""

    source: Path
    out: Path | None = None
    root: Path | None = None


@dataclass(frozen=True)
class Batch:
    """How photos are protected, and where the report (JSON) and the comparison (PNG, of one photo) go."""

    options: api.Options = field(default_factory=api.Options)
    device: str | None = None
    report: Path | None = None
    compare: Path | None = None
    offline: bool = False

    def run(self, works: Sequence[Work]) -> int:
        """Protect all photos, print what came of each, and return the exit code.

        What is wrong for every photo is raised before the first; Ctrl-C still leaves a report of what was done.
        """
        api.check(self.options)
        self._check_places(works)
        settings = Settings.from_environment()
        shelf = Shelf(settings.models, offline=self.offline or settings.offline)
        models = api.load_models(shelf, api.device_named(self.device), self.options.detectors)
        api.check_loaded(models, self.options)
        progress = Rounds(self, works, models)
        try:
            failures = progress.run()
        except KeyboardInterrupt:
            self._report(progress.reports, complete=False)
            raise
        self._report(progress.reports, complete=True)
        if len(works) > 1:
            say(progress.console, f"{len(works) - len(failures)} of {len(works)} photos protected")
        return exit_code(failures)

    def _check_places(self, works: Sequence[Work]) -> None:
        """Raise where a result would hit a source or another result, or cannot be written."""
        extras = [path for path in (self.report, self.compare) if path is not None]
        sources = {work.source.resolve() for work in works}
        taken = sources | {work.out.resolve() for work in works if work.out is not None}
        for path in extras:
            if path.resolve() in taken:
                raise OptionError(f"{path} is a photo or a result of this call; give the report another name")
            taken.add(path.resolve())
        folders = {work.out / "photo" for work in works if work.root is not None and work.out is not None}
        for path in (*extras, *sorted(folders)):
            check_writable(path)

    def _report(self, photos: Sequence[dict[str, Any]], *, complete: bool) -> None:
        if self.report is not None:
            body = {"schema": SCHEMA, "complete": complete, "photos": photos}
            # a file name that is no UTF-8 becomes JSON's own escapes
            write(self.report, json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace"))


class Rounds:
    """The photos of one call: what was reported of each so far."""

    def __init__(self, batch: Batch, works: Sequence[Work], models: api.Models) -> None:
        self.batch = batch
        self.works = works
        self.models = models
        self.console = console_for()
        self.reports: list[dict[str, Any]] = []
        self._targets: set[Path] = {work.source.resolve() for work in works}

    def run(self) -> list[DeepguardError]:
        """Work on all photos and return what went wrong."""
        failures: list[DeepguardError] = []
        forecast = False
        for number, work in enumerate(self.works, start=1):
            start = time.monotonic()
            try:
                self._one(work, self._title(number))
            except DeepguardError as error:
                failures.append(error)
                self._failed(work, error)
                continue
            left = len(self.works) - number
            if left and not forecast:
                forecast = True
                seconds = left * (time.monotonic() - start)
                say(self.console, f"the other {left} at this pace: about {duration(seconds)}")
        return failures

    def _title(self, number: int) -> str:
        name = shown(self.works[number - 1].source.name)
        return name if len(self.works) == 1 else f"[{number}/{len(self.works)}] {name}"

    def _failed(self, work: Work, error: DeepguardError) -> None:
        self.reports.append({"input": {"name": work.source.name}, "error": error.code, "message": str(error)})
        say(console_for(stderr=True), f"deepguard: {shown(placed(work.source, str(error)))}")

    def _one(self, work: Work, title: str) -> None:
        try:
            result, target = self._protected(work, title)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise ImageTooLarge("there is not enough memory for this picture; make it smaller and try again") from error
        report = dataclasses.replace(result.report, output=dataclasses.replace(result.report.output, name=target.name))
        write(target, result.data)
        self.reports.append(report.as_json())
        if self.batch.compare is not None:
            write(self.batch.compare, comparison(result.before, result.after, _boxes(report)))
        show(self.console, report)
        say(self.console, f"written: {shown(target)}")

    def _protected(self, work: Work, title: str) -> tuple[api.Protected, Path]:
        picture = read_picture(work.source)
        target = protected_path(work.source, picture.coding.container, out=work.out, root=work.root)
        if target.resolve() in self._targets:
            raise OutputError(f"{target} is a photo or a result of this call already; protect this one by itself")
        self._targets.add(target.resolve())
        check_writable(target)
        with Display(self.console, title) as watch:
            result = api.protect(picture, self.models, self.batch.options, name=work.source.name, watch=watch)
        return result, target


def exit_code(failures: Sequence[DeepguardError]) -> int:
    """Return 0 without failures, 3 or 2 where the only trouble was missing faces or unfit options, else 1."""
    if not failures:
        return 0
    if all(isinstance(each, NoFace) for each in failures):
        return 3
    return 2 if all(isinstance(each, OptionError) for each in failures) else 1


def shown(text: str | Path) -> str:
    """Return a name as it may be printed: file names can hold line breaks, escape codes and stray bytes."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))


def placed(source: Path, message: str) -> str:
    """Return a message that names the file by its whole path, once."""
    rest = message.removeprefix(str(source)).removeprefix(source.name)
    return f"{source}{rest}" if rest != message else f"{source}: {message}"


def _boxes(report: Report) -> list[Box]:
    return [report.faces[index - 1].box for index in report.chosen]
