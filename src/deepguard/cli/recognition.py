"""`deepguard evaluate encoders`: from which cosine on an encoder takes two faces for one person."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import click
import torch

from deepguard import __version__, api
from deepguard.cli.batch import shown
from deepguard.cli.progress import Display
from deepguard.cli.tables import console_for, plain_table, say
from deepguard.cli.values import Names
from deepguard.errors import OptionError
from deepguard.media.files import check_writable, write
from deepguard.models.roles import detectors, encoders
from deepguard.models.thresholds import Thresholds, own_file, read, written
from deepguard.prove.people import Groups, People, groups_in, people_in
from deepguard.prove.recognition import Encoded, Level, among, by_group, encoded, impostors, levels
from deepguard.settings import Settings
from deepguard.types import Watch
from deepguard.weights.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told; see its options."""

    lfw: Path
    faces: Path | None
    names: tuple[str, ...]
    detector: str
    commit: str


@click.command("encoders")
@click.option(
    "--lfw",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of photos of known people, laid out as LFW is, with its pairs.txt.",
)
@click.option(
    "--faces",
    type=click.Path(path_type=Path),
    help="Folder of photos called as UTKFace's are, each of another person: results by group.",
)
@click.option("--encoders", "names", type=Names(), help="Otherwise all that are here.")
@click.option("--detector", default="retinaface", show_default=True, help="Whose landmarks are taken.")
@click.option("--commit", default="", help="The commit that is measured, for the record.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the thresholds, otherwise the shelf's own; what it holds of other encoders stays.",
)
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
def encoders_command(out: Path | None, device: str | None, names: tuple[str, ...] | None, **told: object) -> None:
    """Measure from which cosine on encoders take two faces for one person.

    Writes for each encoder the thresholds at false-accept rates of 1e-3 and 1e-4, over all pairs of different people,
    and the share of LFW's pairs of one person above them. Figures only: no face, vector or name is written. On the
    shelf they count for encoders whose thresholds do not come with the installation.
    """
    out = out or own_file()
    check_writable(out)
    known = read(out) if out.exists() else {}
    shelf = Shelf(Settings.from_environment().models, offline=True)
    wish = Wish(names=names or encoders.available(shelf), **told)  # type: ignore[arg-type]
    people = people_in(wish.lfw)
    groups = groups_in(wish.faces) if wish.faces else Groups((), ())
    _check(wish.names)
    console = console_for()
    with Display(console, "encoders") as display:
        made = _measured(wish, people, groups, _Looking(shelf, api.device_named(device), display))
    write(out, written(known | made).encode())
    table = plain_table("encoder", "cosine at 1e-3", "match", "cosine at 1e-4", "match", "ms a face")
    for name, each in made.items():
        levels_told = (f"{each.far_1e3:.4f}", f"{each.match_1e3:.3f}", f"{each.far_1e4:.4f}", f"{each.match_1e4:.3f}")
        table.add_row(name, *levels_told, each.run["milliseconds a face"])
    console.print(table)
    say(console, f"written: {shown(out)}")


@dataclass(frozen=True, slots=True)
class _Looking:
    """What photos are looked at with."""

    shelf: Shelf
    device: torch.device
    watch: Watch

    def encode(self, wish: Wish, photos: tuple[Path, ...]) -> Encoded:
        detector = detectors.create(wish.detector, self.shelf, self.device)
        made = {name: encoders.create(name, self.shelf, self.device) for name in wish.names}
        return encoded(photos, made, detector, self.device, self.watch)


def _check(names: tuple[str, ...]) -> None:
    if not names:
        raise OptionError("no encoder is here; run: deepguard models pull")
    for name in names:
        encoders.entry(name)


def _measured(wish: Wish, people: People, groups: Groups, looking: _Looking) -> dict[str, Thresholds]:
    alike = looking.encode(wish, people.photos)
    apart = looking.encode(wish, groups.photos) if groups.photos else None
    persons = [people.persons[place] for place in alike.seen]
    genuine = among(alike.seen, people.genuine)
    run = _run(wish, people, alike, len(genuine))
    if apart is not None:
        run |= {"photos by group": f"{len(groups.photos)}", "of these without a face": _missed(groups.photos, apart)}
    made = {}
    for name in wish.names:
        loose, strict = levels(alike.vectors[name], persons, genuine)
        rates = {} if apart is None else _rates(apart, name, groups, loose)
        own = {
            "milliseconds a face": f"{alike.seconds[name] * 1000:.1f}",
            "weights": " ".join(weights.sha256[:16] or weights.file for weights in encoders.entry(name).weights),
        }
        made[name] = Thresholds(
            far_1e3=loose.cosine,
            far_1e4=strict.cosine,
            match_1e3=round(loose.matched, 4),
            match_1e4=round(strict.matched, 4),
            groups=rates,
            run=run | own,
        )
    return made


def _rates(apart: Encoded, name: str, groups: Groups, level: Level) -> dict[str, float]:
    rates = by_group(apart.vectors[name], [groups.groups[place] for place in apart.seen], level.cosine)
    return {group: round(rate, 5) for group, rate in rates.items()}


def _run(wish: Wish, people: People, alike: Encoded, genuine: int) -> dict[str, str]:
    seen = [people.persons[place] for place in alike.seen]
    faces = f" --faces {wish.faces.name}" if wish.faces else ""
    return {
        "command": f"deepguard evaluate encoders --lfw {wish.lfw.name}{faces} --detector {wish.detector}",
        "version": __version__,
        "commit": wish.commit or "not told",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "detector": wish.detector,
        "photos": f"{len(people.photos)}",
        "photos without a face": _missed(people.photos, alike),
        "people": f"{len(set(seen))}",
        "pairs of one person": f"{genuine} of {len(people.genuine)}",
        "pairs of different people": f"{impostors(seen)}",
        "threads": f"{torch.get_num_threads()}",
    }


def _missed(photos: tuple[Path, ...], looked: Encoded) -> str:
    return f"{len(photos) - len(looked.seen)}"
