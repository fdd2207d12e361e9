"""Photos through `api.protect`, one after the other; one failure does not stop the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from deepguard import api
from deepguard.cli.progress import Display
from deepguard.cli.tables import show
from deepguard.errors import DeepguardError, NoFace, OptionError, OutputError
from deepguard.media.comparison import comparison
from deepguard.media.files import protected_path, write
from deepguard.media.read import read_picture
from deepguard.prove.report import SCHEMA, Report
from deepguard.settings import Settings
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
        """Protect all photos, print what came of each, and return the exit code."""
        settings = Settings.from_environment()
        torch.set_flush_denormal(True)
        shelf = Shelf(settings.models, offline=self.offline or settings.offline)
        models = api.load_models(shelf, api.device_named(self.device), self.options.detectors)
        console = Console()
        reports: list[dict[str, Any]] = []
        failures: list[DeepguardError] = []
        targets: set[Path] = set()
        for number, work in enumerate(works, start=1):
            title = work.source.name if len(works) == 1 else f"[{number}/{len(works)}] {work.source.name}"
            try:
                reports.append(self._one(work, models, console, title, targets).as_json())
            except DeepguardError as error:
                failures.append(error)
                reports.append({"input": {"name": work.source.name}, "error": error.code, "message": str(error)})
                Console(stderr=True).print(f"deepguard: {work.source}: {error}", highlight=False, markup=False)
        if self.report is not None:
            body = {"schema": SCHEMA, "photos": reports}
            write(self.report, json.dumps(body, indent=2, ensure_ascii=False).encode())
        if len(works) > 1:
            console.print(f"{len(works) - len(failures)} of {len(works)} photos protected", highlight=False)
        return exit_code(failures)

    def _one(self, work: Work, models: api.Models, console: Console, title: str, targets: set[Path]) -> Report:
        picture = read_picture(work.source)
        target = protected_path(work.source, picture.coding.container, out=work.out, root=work.root)
        if target in targets:
            raise OutputError(f"another photo of this call was written to {target}; protect this one by itself")
        targets.add(target)
        with Display(console, title) as watch:
            result = api.protect(picture, models, self.options, name=work.source.name, watch=watch)
        write(target, result.data)
        if self.compare is not None:
            boxes = [result.report.faces[index - 1].box for index in result.report.chosen]
            write(self.compare, comparison(result.before, result.after, boxes))
        show(console, result.report)
        console.print(f"written: {target}", highlight=False, soft_wrap=True)
        return result.report


def exit_code(failures: Sequence[DeepguardError]) -> int:
    """Return 0 without failures, 3 or 2 where the only trouble was missing faces or unfit options, else 1."""
    if not failures:
        return 0
    if all(isinstance(each, NoFace) for each in failures):
        return 3
    return 2 if all(isinstance(each, OptionError) for each in failures) else 1
