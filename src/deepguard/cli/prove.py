"""`deepguard prove`."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import torch
from rich.console import Console

from deepguard import api
from deepguard.cli.batch import shown
from deepguard.cli.main import Failure
from deepguard.cli.progress import Display
from deepguard.cli.proofs import show, show_changes
from deepguard.cli.tables import console_for, say
from deepguard.cli.values import Names
from deepguard.errors import ImageTooLarge, InputError, NoFace, OptionError
from deepguard.media.files import check_writable, protected_path, write
from deepguard.media.read import read_picture
from deepguard.prove.markdown import markdown
from deepguard.prove.proof import Proof, Statement
from deepguard.settings import Settings
from deepguard.transforms.posting import COLUMNS
from deepguard.weights.shelf import Shelf

EXAMPLES = """
\b
Examples:
  deepguard prove photo.jpg
  deepguard prove photo.jpg photo.protected.jpg --report report.json --out proof.json --markdown proof.md
  deepguard prove photo.jpg --swapper warp --swapper autoencoder --sheet sheet.png --statement self
  deepguard prove --again proof.json
\b
Columns, that is what happens to the picture after it was posted:
  {columns}
\b
The other side of a face swap is a bundled picture, chosen by --counterpart; nobody brings one.
\b
Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 no face found, 130 stopped
"""


def _examples() -> str:
    names = list(COLUMNS)
    return EXAMPLES.format(columns="\n  ".join(", ".join(names[at : at + 8]) for at in range(0, len(names), 8)))


@dataclass(frozen=True, slots=True)
class Places:
    """Where results go, None where they were not asked for; `printed` is the report as JSON on the screen."""

    out: Path | None
    markdown: Path | None
    sheet: Path | None
    clip: Path | None
    language: Literal["ko", "en"]
    printed: bool

    def check(self, inputs: tuple[Path, ...]) -> None:
        """Raise now where a result would hit an input or another result, or cannot be written."""
        taken = {path.resolve() for path in inputs}
        for path in (self.out, self.markdown, self.sheet, self.clip):
            if path is None:
                continue
            if path.resolve() in taken:
                raise OptionError(f"{path} is a file of this call already; give the result another name")
            taken.add(path.resolve())
            check_writable(path)

    def keep(self, proved: api.Proved) -> None:
        """Write what was asked for."""
        if self.out is not None:
            write(self.out, _json(proved.report.as_json()))
        if self.markdown is not None:
            write(self.markdown, markdown(proved.report).encode("utf-8", "backslashreplace"))
        if self.sheet is not None:
            write(self.sheet, proved.sheets[self.language])
        if self.clip is not None and proved.clip is not None:
            write(self.clip, proved.clip)
        for path in (self.out, self.markdown, self.sheet, self.clip):
            if path is not None and not self.printed:
                say(console_for(), f"written: {shown(path)}")


@click.command(epilog=_examples())
@click.argument("photo", required=False, type=click.Path(path_type=Path))
@click.argument("protected", required=False, type=click.Path(path_type=Path))
@click.option("--again", type=click.Path(path_type=Path), metavar="REPORT.json", help="Measure an earlier proof anew.")
@click.option("--report", type=click.Path(path_type=Path), help="What deepguard protect --report wrote of this photo.")
@click.option("--columns", type=Names(), help="Posting chains; otherwise the usual ones. Or all, or none.")
@click.option("--detectors", type=Names(), help="Detectors that attack; otherwise all at hand.")
@click.option("--encoders", type=Names(), help="Encoders that attack; otherwise all at hand.")
@click.option(
    "--swapper", multiple=True, default=("warp",), show_default=True, help="A face swapper; repeatable. Or none."
)
@click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of a swapper's training.")
@click.option("--counterpart", default="hopper", show_default=True, help="The bundled face on the other side.")
@click.option("--preset", default="balanced", show_default=True, help="How a photo is protected that comes alone.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the report as JSON.")
@click.option("--markdown", "page", type=click.Path(path_type=Path), help="Write the report as Markdown.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write what an abuser would get, as PNG.")
@click.option("--clip", type=click.Path(path_type=Path), help="Write the same as a clip of at most 5 s.")
@click.option("--language", type=click.Choice(["ko", "en"]), default="en", show_default=True, help="Of the sheet.")
@click.option(
    "--statement", type=click.Choice(["self", "agreed"]), help="Whose face it is: yours, or its owner agreed."
)
@click.option("--json", "printed", is_flag=True, help="Print the report as JSON and nothing else.")
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all chance.")
@click.option("--offline", is_flag=True, help="Never use the network.")
def prove(
    photo: Path | None,
    protected: Path | None,
    again: Path | None,
    report: Path | None,
    device: str | None,
    offline: bool,
    **told: Any,
) -> None:
    """Attack a photo, its protected version and a control, and show what each gives away.

    PROTECTED is the protected version of PHOTO. Without it, the photo is protected first, and the result written beside
    it as NAME.protected.EXT.
    """
    names = ("out", "sheet", "clip", "language", "printed")
    places = Places(markdown=told.pop("page"), **{name: told.pop(name) for name in names})
    options = _options(places, told)
    api.check_proof(options)
    if again is not None and (places.sheet or places.clip):
        raise OptionError("--again measures figures only; make a sheet or clip with PHOTO and PROTECTED")
    places.check(tuple(path for path in (photo, protected, again, report) if path is not None))
    settings = Settings.from_environment()
    shelf = Shelf(settings.models, offline=offline or settings.offline)
    call = Call(options, places, api.load_models(shelf, api.device_named(device), options.detectors, options.encoders))
    try:
        if again is not None:
            call.again(again, photo, protected)
        elif photo is None:
            raise OptionError("give a photo, or --again and an earlier report")
        else:
            call.once(photo, protected, report)
    except NoFace as error:
        raise Failure(str(error), 3) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ImageTooLarge("there is not enough memory for this picture; make it smaller and try again") from error


@dataclass(frozen=True)
class Call:
    """One call of the command."""

    options: api.ProveOptions
    places: Places
    models: api.Models

    def once(self, photo: Path, protected: Path | None, report: Path | None) -> None:
        """Prove one photo."""
        original = read_picture(photo)
        other = None if protected is None else read_picture(protected)
        target = protected or protected_path(photo, original.coding.container)
        if protected is None and target.exists():
            raise OptionError(f"{target} is there already; give it as PROTECTED, or move it away")
        made = None if report is None else api.report_from(_read(report), original.sha256)
        with Display(self._console(), shown(photo.name)) as watch:
            proved = api.prove(
                original, other, self.models, self.options, made=made, names=(photo.name, target.name), watch=watch
            )
        if proved.protected is not None:
            write(target, proved.protected)
            if not self.places.printed:
                say(console_for(), f"written: {shown(target)}")
        self._tell(proved)

    def again(self, report: Path, photo: Path | None, protected: Path | None) -> None:
        """Measure an earlier proof's pictures anew; those beside the report by the names in it where none are given."""
        before = Proof.from_json(_read(report))
        files = [photo or report.parent / before.original.name, protected or report.parent / before.protected.name]
        for file in files:
            if not file.is_file():
                raise InputError(f"{file} is not there; give both pictures: --again REPORT.json PHOTO PROTECTED")
        original, other = (read_picture(file) for file in files)
        with Display(self._console(), shown(report.name)) as watch:
            changes = api.prove_again(before, original, other, self.models, watch)
        if not self.places.printed:
            show_changes(console_for(), changes)
        self._tell(api.Proved(changes.proof))

    def _console(self) -> Console:
        return console_for(stderr=self.places.printed)

    def _tell(self, proved: api.Proved) -> None:
        if self.places.printed:
            click.echo(_json(proved.report.as_json()))
        else:
            show(console_for(), proved.report)
        self.places.keep(proved)


def _options(places: Places, told: dict[str, Any]) -> api.ProveOptions:
    columns, swapper, by = told.pop("columns"), told.pop("swapper"), told.pop("statement")
    preset, seed = told.pop("preset"), told["seed"]
    said = Statement(by, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")) if by else None
    words = {("all",): tuple(COLUMNS), ("none",): ()}
    return api.ProveOptions(
        columns=words.get(columns, columns),
        swappers=() if "none" in swapper else tuple(dict.fromkeys(swapper)),
        sheet=places.sheet is not None,
        clip=places.clip is not None,
        statement=said,
        protection=api.Options(preset=preset, seed=seed),
        **told,
    )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path} cannot be read ({reason}); give a report that deepguard wrote") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON; give a report that deepguard wrote") from error


def _json(body: Any) -> bytes:
    # a file name that is no UTF-8 becomes JSON's own escapes
    return json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
