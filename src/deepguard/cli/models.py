"""`deepguard models`: what is on the shelf, and how the rest gets there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich import filesize, progress
from rich.console import Console
from rich.table import Table

from deepguard.errors import OptionError, WeightsCorrupt, WeightsError, WeightsMissing, unknown
from deepguard.measures.roles import measures
from deepguard.models.roles import classifiers, detectors, encoders
from deepguard.registry import Extra
from deepguard.settings import Settings
from deepguard.types import Progress
from deepguard.weights.catalogue import Weights
from deepguard.weights.intake import Intake, intake
from deepguard.weights.shelf import Shelf

READY, PACKAGED, MISSING, DAMAGED, BRING = "ready", "in package", "missing", "damaged", "you bring it"
AT_HAND = {READY, PACKAGED}
PIPE_WIDTH = 1000
"""Columns where the output is no terminal: rows stay whole for the next program."""


@dataclass(frozen=True, slots=True)
class Model:
    """A plug-in that needs weights, as the user sees it."""

    kind: str
    name: str
    summary: str
    weights: tuple[Weights, ...]
    extra: Extra | None = None

    @property
    def restricted(self) -> bool:
        """Whether its use is under terms that the user must have seen."""
        return any(weights.terms for weights in self.weights)

    def state(self, shelf: Shelf) -> str:
        """Return the first state of its files that is not good, else that of the files."""
        states = [_state(shelf, weights) for weights in self.weights]
        return next((state for state in states if state not in AT_HAND), states[0])

    def ready(self, shelf: Shelf) -> bool:
        """Return whether all its files are at hand and whole."""
        return self.state(shelf) in AT_HAND


def known() -> tuple[Model, ...]:
    """Return every plug-in that needs weights: detectors, classifiers, encoders, then measures, by name."""
    registries = (detectors, classifiers, encoders, measures)
    entries = [(registry.kind, registry.entry(name)) for registry in registries for name in registry.names()]
    return tuple(
        Model(kind, entry.name, entry.summary, entry.weights, entry.extra) for kind, entry in entries if entry.weights
    )


@click.group()
def models() -> None:
    """List, bring and check model weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def show(as_json: bool) -> None:
    """Show every model, its files and whether they are here."""
    shelf, found = _shelf(), known()
    if as_json:
        click.echo(json.dumps([_described(model, shelf) for model in found], indent=2, ensure_ascii=False))
        return
    table = Table("model", "kind", "file", "size", "licence", "state", title=f"shelf: {shelf.directory}")
    for model in found:
        for weights in model.weights:
            size = filesize.decimal(weights.size) if weights.size else "unknown"
            table.add_row(model.name, model.kind, weights.file, size, weights.licence, _state(shelf, weights))
    _console().print(table)
    for line in _hints(found, shelf):
        click.echo(line)


def _described(model: Model, shelf: Shelf) -> dict[str, Any]:
    files = [asdict(weights) | {"state": _state(shelf, weights)} for weights in model.weights]
    facts = {"name": model.name, "kind": model.kind, "summary": model.summary, "state": model.state(shelf)}
    extra = model.extra and {"name": model.extra.name, "installed": model.extra.installed}
    return facts | {"restricted": model.restricted, "extra": extra, "files": files}


def _hints(found: Sequence[Model], shelf: Shelf) -> Iterator[str]:
    states = {model: model.state(shelf) for model in found}
    for state in (MISSING, DAMAGED):
        names = " ".join(model.name for model in found if states[model] == state and not model.restricted)
        if names:
            yield f"{state}: {names}; run: deepguard models pull"
    for model in found:
        if states[model] == BRING:
            yield _to_bring(model, shelf)
        elif states[model] not in AT_HAND and model.restricted:
            yield f"{model.name}: its use is restricted; to see the terms, run: deepguard models pull {model.name}"
        if model.extra and not model.extra.installed:
            yield f"{model.name}: needs Python packages that are not installed; run: {model.extra.command}"


def _to_bring(model: Model, shelf: Shelf) -> str:
    files = " ".join(weights.file for weights in model.weights if _state(shelf, weights) == BRING)
    return f"{model.name}: no source has {files}; get it yourself and run: deepguard models import DIR"


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--offline", is_flag=True, help="Do not use the network; say what is missing.")
@click.option("--yes", is_flag=True, help="Accept the terms of restricted models without being asked.")
def pull(names: tuple[str, ...], offline: bool, yes: bool) -> None:
    """Fetch the weights of the models NAME, or of all whose use is not restricted."""
    shelf = _shelf(offline)
    absent = []
    for model in _named(names) if names else known():
        if model.ready(shelf):
            click.echo(f"{model.name}: already here")
        else:
            absent.append(model)
    wanted = _accepted(absent, yes) if names else _unrestricted(absent, shelf)
    brought = [model for model in wanted if _brought(model, shelf)]
    if len(brought) < len(absent if names else wanted):
        raise SystemExit(1)


def _named(names: Iterable[str]) -> Iterator[Model]:
    found = known()
    for name in dict.fromkeys(names):
        if all(model.name != name for model in found):
            raise unknown("model", name, {model.name for model in found})
    yield from (model for name in dict.fromkeys(names) for model in found if model.name == name)


def _unrestricted(absent: Iterable[Model], shelf: Shelf) -> list[Model]:
    wanted = []
    for model in absent:
        if model.restricted:
            click.echo(
                f"{model.name}: skipped, its use is restricted; "
                f"to see the terms, run: deepguard models pull {model.name}"
            )
        elif model.state(shelf) == BRING:
            click.echo(_to_bring(model, shelf))
        else:
            wanted.append(model)
    return wanted


def _accepted(absent: Iterable[Model], yes: bool) -> list[Model]:
    """Show the terms of restricted models; return the models without terms and those whose terms are accepted."""
    wanted = []
    for model in absent:
        for line in _terms(model):
            click.echo(line)
        if model.restricted and not yes:
            if not sys.stdin.isatty():
                raise OptionError(
                    f"the use of {model.name} is restricted by the terms above; "
                    f"to accept them, run: deepguard models pull --yes {model.name}"
                )
            if not click.confirm("Do you accept these terms?"):
                click.echo(f"{model.name}: not pulled, the terms were not accepted")
                continue
        wanted.append(model)
    return wanted


def _terms(model: Model) -> list[str]:
    terms = dict.fromkeys((weights.licence, weights.terms) for weights in model.weights if weights.terms)
    return [f"{model.name}: {licence}. {sentence}" for licence, sentence in terms]


def _brought(model: Model, shelf: Shelf) -> bool:
    """Fetch one model's files; say how it went and return whether all are here."""
    console = Console(stderr=True)
    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as display:
        for weights in model.weights:
            bar = display.add_task(f"{model.name}: {weights.file}", total=weights.size or None)

            def watch(seen: Progress, bar: progress.TaskID = bar) -> None:
                display.update(bar, completed=seen.done)

            try:
                shelf.fetch(weights, model=model.name, watch=watch)
            except WeightsError as error:
                click.echo(f"{model.name}: not pulled: {error}", err=True)
                return False
    click.echo(f"{model.name}: pulled")
    return True


@models.command("import")
@click.argument(
    "folders", nargs=-1, required=True, metavar="DIR...", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
def bring(folders: tuple[Path, ...]) -> None:
    """Copy weight files that you have onto the shelf; they are known by their content, whatever their names."""
    found = known()
    users: dict[Weights, list[str]] = {}
    for model in found:
        for weights in model.weights:
            users.setdefault(weights, []).append(model.name)
    result = intake(_shelf(), folders, tuple(users))
    for line in _account(result, users):
        click.echo(line)
    for _, reason in result.wrong:
        click.echo(f"not taken: {reason}", err=True)
    if result.wrong:
        raise SystemExit(1)


def _account(result: Intake, users: dict[Weights, list[str]]) -> Iterator[str]:
    for file, weights in result.taken:
        yield f"taken: {file} as {weights.file}, for {', '.join(users[weights])}"
        if weights.terms:
            yield f"  its use is restricted: {weights.terms}"
    for weights in result.present:
        yield f"already here: {weights.file}"
    if not (result.taken or result.present):
        yield "no file in there is one that a model needs"
    if result.missing:
        yield f"still missing: {', '.join(weights.file for weights in result.missing)}"


@models.command()
def verify() -> None:
    """Read every file on the shelf again and compare it with what was pinned."""
    shelf = _shelf()
    whole: set[Weights] = set()
    damaged: set[Weights] = set()
    for model in known():
        for weights in model.weights:
            if weights in whole | damaged or not shelf.holds(weights):
                continue
            try:
                shelf.verify(weights, model=model.name)
                whole.add(weights)
            except WeightsError as error:
                damaged.add(weights)
                click.echo(f"{model.name}: {error}", err=True)
    click.echo(f"whole: {len(whole)}, damaged: {len(damaged)}")
    if damaged:
        raise SystemExit(1)


@models.command()
def licences() -> None:
    """Show under which terms each file stands, and who made it."""
    table = Table("model", "file", "licence", "origin", "terms", "source", show_lines=True)
    for model in known():
        for weights in model.weights:
            source = "\n".join(weights.urls) or weights.package or "you bring it"
            table.add_row(model.name, weights.file, weights.licence, weights.origin, weights.terms, source)
    _console().print(table)


def _shelf(offline: bool = False) -> Shelf:
    settings = Settings.from_environment()
    return Shelf(settings.models, offline=offline or settings.offline)


def _state(shelf: Shelf, weights: Weights) -> str:
    try:
        shelf.path(weights)
    except WeightsMissing:
        return MISSING if weights.urls or weights.package else BRING
    except WeightsCorrupt:
        return DAMAGED
    return PACKAGED if weights.package else READY


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
