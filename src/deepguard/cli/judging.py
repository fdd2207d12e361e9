"""Photos and clips through `api.detect`, one after the other; one failure does not stop the rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from deepguard import api
from deepguard.cli.batch import exit_code, placed, shown
from deepguard.cli.progress import Display
from deepguard.cli.tables import console_for, say
from deepguard.cli.verdicts import WORDS, show
from deepguard.errors import DeepguardError, ImageTooLarge, NoFace, OptionError
from deepguard.forensics.report import SCHEMA, Detection
from deepguard.forensics.verdict import Word
from deepguard.media.files import check_writable, write
from deepguard.settings import Settings
from deepguard.weights.shelf import Shelf


@dataclass(frozen=True)
class Inquiry:
    """How files are judged, and where the report (JSON) and the heat maps (PNG) go."""

    options: api.DetectOptions = field(default_factory=api.DetectOptions)
    device: str | None = None
    report: Path | None = None
    heat: Path | None = None
    offline: bool = False

    def run(self, files: Sequence[Path]) -> int:
        """Judge all files, print what was found out, and return the exit code.

        What is wrong for every file is raised before the first; Ctrl-C still leaves a report of what was done.
        """
        self._check_places(files)
        settings = Settings.from_environment()
        shelf = Shelf(settings.models, offline=self.offline or settings.offline)
        models = api.load_classifiers(shelf, api.device_named(self.device), self.options.classifiers)
        rounds = Rounds(self, files, models)
        try:
            failures = rounds.run()
        except KeyboardInterrupt:
            self._report(rounds.reports, complete=False)
            raise
        self._report(rounds.reports, complete=True)
        if len(files) > 1:
            say(rounds.console, rounds.summary())
        return exit_code(failures)

    def heat_path(self, file: Path, number: int) -> Path:
        """Return where the heat map of a face or person goes."""
        return (self.heat or Path()) / f"{file.name}.{number}.png"

    def _check_places(self, files: Sequence[Path]) -> None:
        if self.report is not None:
            if self.report.resolve() in {file.resolve() for file in files}:
                raise OptionError(f"{self.report} is one of the files to judge; give the report another name")
            check_writable(self.report)
        if self.heat is not None:
            check_writable(self.heat / "heat")

    def _report(self, files: Sequence[Mapping[str, Any]], *, complete: bool) -> None:
        if self.report is not None:
            body = {"schema": SCHEMA, "complete": complete, "files": files}
            # a file name that is no UTF-8 becomes JSON's own escapes
            write(self.report, json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace"))


class Rounds:
    """The files of one call: what was found out about each so far."""

    def __init__(self, inquiry: Inquiry, files: Sequence[Path], models: api.Judges) -> None:
        self.inquiry = inquiry
        self.files = files
        self.models = models
        self.console = console_for()
        self.reports: list[dict[str, Any]] = []
        self._taken: set[Path] = {file.resolve() for file in files}
        self._words: Counter[Word] = Counter()

    def run(self) -> list[DeepguardError]:
        """Judge all files and return what went wrong; a file without a face counts, though it has a report."""
        failures: list[DeepguardError] = []
        for number, file in enumerate(self.files, start=1):
            try:
                report = self._one(file, self._title(number))
            except DeepguardError as error:
                failures.append(error)
                self._failed(file, error)
                continue
            if any(note.code == NoFace.code for note in report.notes):
                failures.append(NoFace("no face was found"))
        return failures

    def summary(self) -> str:
        """Return how many files got which word."""
        judged = ", ".join(f"{count} {WORDS[word]}" for word, count in self._words.most_common())
        return f"{self._words.total()} of {len(self.files)} files looked at: {judged or 'none'}"

    def _title(self, number: int) -> str:
        name = shown(self.files[number - 1].name)
        return name if len(self.files) == 1 else f"[{number}/{len(self.files)}] {name}"

    def _failed(self, file: Path, error: DeepguardError) -> None:
        self.reports.append({"input": {"name": file.name}, "error": error.code, "message": str(error)})
        say(console_for(stderr=True), f"deepguard: {shown(placed(file, str(error)))}")

    def _one(self, file: Path, title: str) -> Detection:
        try:
            with Display(self.console, title) as watch:
                found = api.detect(file, self.models, self.inquiry.options, watch=watch)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise ImageTooLarge("there is not enough memory for this file; make it smaller and try again") from error
        self.reports.append(found.report.as_json())
        self._words[found.report.word] += 1
        show(self.console, title, found.report)
        for number, data in found.heat.items():
            self._keep(self.inquiry.heat_path(file, number), data)
        return found.report

    def _keep(self, path: Path, data: bytes) -> None:
        """Write a heat map; of two files with one name the second's get a number of their own."""
        target, again = path, 2
        while target.resolve() in self._taken:
            target, again = path.with_name(f"{path.stem}.{again}{path.suffix}"), again + 1
        self._taken.add(target.resolve())
        write(target, data)
        say(self.console, f"written: {shown(target)}")
