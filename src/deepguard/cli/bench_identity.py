"""`deepguard bench identity`: do encoders still know people by their protected photos?"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from deepguard import __version__, api
from deepguard.cli.rounds import Rounds, board_options, machine, photos_in, write_board
from deepguard.cli.values import Names
from deepguard.errors import WeightsMissing
from deepguard.media.files import check_writable
from deepguard.media.picture import Picture
from deepguard.media.read import read_picture
from deepguard.models.roles import Encoder
from deepguard.models.thresholds import thresholds
from deepguard.prove.board.arms import Order
from deepguard.prove.board.identity import SCHEMA, IdentityBoard, Known, Person, Stand, measured
from deepguard.prove.board.identity_tables import markdown
from deepguard.prove.board.journal import Journal
from deepguard.prove.board.records import Absent
from deepguard.prove.board.spread import spread
from deepguard.prove.people import OF_PERSON
from deepguard.prove.reading import built
from deepguard.settings import Settings
from deepguard.transforms.posting import COLUMNS, column
from deepguard.types import Face, Watch
from deepguard.weights.shelf import Shelf

LINES, JSON, PAGE = "identity.jsonl", "identity.json", "identity.md"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told, as it is written into the board; see its options."""

    defences: tuple[str, ...]
    presets: tuple[str, ...]
    chains: tuple[str, ...]
    limit: int | None
    noise: int | None
    seed: int


@click.command()
@board_options("identity", "A folder of photos, laid out as LFW is where people have several; repeatable.")
@click.option("--defences", type=Names(), default=("shield",), show_default=True, help="Recipes.")
@click.option("--presets", type=Names(), default=("balanced",), show_default=True, help="Presets.")
@click.option("--limit", type=click.IntRange(1), help="Only N people, at even distances.")
@click.option("--noise", type=click.IntRange(0), help="Only for N people: noise of the same size.")
@click.option("--chains", type=Names(), help="Posting chains; otherwise all.")
def identity(
    places: tuple[Path, ...], out: Path, device: str | None, chains: tuple[str, ...] | None, **told: Any
) -> None:
    """Protect one photo of each person, and see which encoders still match it with another photo of the person.

    Photos called NAME_0001.jpg are of one person each NAME; where nobody in the folder has two, the other photo is the
    original itself. Writes identity.json and identity.md into the folder: names and
    figures, never a picture. A run that was stopped goes on where it was when the same command is given again.
    """
    wish = Wish(chains=chains or tuple(COLUMNS), **told)
    for chain in wish.chains:
        column(chain)
    orders = tuple(Order(defence, preset) for defence in wish.defences for preset in wish.presets)
    for order in orders:
        api.check(_options(order, wish.seed))
    pairs = paired(photos_in(places))
    chosen = spread(len(pairs), wish.limit, wish.seed)
    pairs = dict(pair for index, pair in enumerate(pairs.items()) if index in chosen)
    check_writable(out / JSON)
    settings = Settings.from_environment()
    shelf = Shelf(settings.models, offline=True)
    models = api.load_models(shelf, api.device_named(device))
    if not models.encoders:
        raise WeightsMissing("no encoder is on the shelf to measure identity with; run: deepguard models pull")
    for order in orders:
        api.check_loaded(models, _options(order, wish.seed))
    raise SystemExit(Course(wish, orders, pairs, models, out).run())


def paired(photos: Mapping[str, Path]) -> dict[str, tuple[Path, str, Path]]:
    """Return for each person their first photo by name: its file, and name and file of the photo to compare with.

    In a folder where people have several photos, people with one are left out: compared with their own original they
    would be another measurement.
    """
    people: dict[tuple[str, str], list[str]] = {}
    for name, path in photos.items():
        match = OF_PERSON.fullmatch(path.stem)
        people.setdefault((str(Path(name).parent) if match else "", match[1] if match else name), []).append(name)
    several = {folder for (folder, _), names in people.items() if len(names) > 1}
    kept = [sorted(names) for (folder, _), names in people.items() if len(names) > 1 or folder not in several]
    return {
        names[0]: (photos[names[0]], other, photos[other])
        for names in kept
        for other in [names[min(1, len(names) - 1)]]
    }


class Course:
    """The people of one call, and the board that they become."""

    def __init__(
        self,
        wish: Wish,
        orders: tuple[Order, ...],
        pairs: Mapping[str, tuple[Path, str, Path]],
        models: api.Models,
        out: Path,
    ) -> None:
        self.wish = wish
        self.pairs = pairs
        self.models = models
        self.out = out
        self.stand = _stand(wish, orders, models)
        self.controlled = spread(len(pairs), wish.noise, wish.seed)
        journal = Journal(out / LINES, self._head(), lambda body: built(Person, body))
        photos = {name: path for name, (path, *_) in pairs.items()}
        self.rounds = Rounds(photos, journal, self._measured, out / PAGE)

    def run(self) -> int:
        """Measure everybody, write the board, and return the exit code; Ctrl-C leaves a board of what was done."""
        return self.rounds.run(self._write)

    def _measured(self, index: int, name: str, picture: Picture, watch: Watch) -> Person:
        _, other, path = self.pairs[name]
        reference = picture if other == name else read_picture(path)
        return measured(name, picture, (other, reference), self.stand, watch, control=index in self.controlled)

    def _head(self) -> dict[str, Any]:
        own = {
            "device": str(self.models.device),
            "detectors": list(self.models.detectors),
            "encoders": list(self.stand.encoders),
            "photos": {name: other for name, (_, other, _) in self.pairs.items()},
        }
        return {"schema": SCHEMA, "version": __version__, "options": dataclasses.asdict(self.wish), **own}

    def _write(self, complete: bool) -> None:
        entries = self.rounds.entries
        board = IdentityBoard(
            version=__version__,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            complete=complete,
            machine=machine(self.models.device),
            options=dataclasses.asdict(self.wish),
            encoders=tuple(_known(name, encoder) for name, encoder in self.stand.encoders.items()),
            columns=self.wish.chains,
            people=tuple(each for each in entries if isinstance(each, Person)),
            left_out=tuple(each for each in entries if isinstance(each, Absent)),
            failed=tuple(self.rounds.failed),
        )
        write_board(self.out / JSON, board.as_json(), self.out / PAGE, markdown(board))


def _stand(wish: Wish, orders: tuple[Order, ...], models: api.Models) -> Stand:
    def make(picture: Picture, order: Order, watch: Watch) -> api.Protected:
        return api.protect(picture, models, _options(order, wish.seed), watch=watch)

    def faces(picture: Picture, watch: Watch) -> Sequence[Face]:
        return [each.face for each in api.find(picture, models, watch)]

    return Stand(
        protect=make,
        faces=faces,
        orders=orders,
        encoders=models.encoders,
        measures=models.measures,
        columns=wish.chains,
        device=models.device,
        seed=wish.seed,
    )


def _known(name: str, encoder: Encoder) -> Known:
    found = thresholds(name)
    return Known(name, encoder.family, found.far_1e3 if found else None, found.far_1e4 if found else None)


def _options(order: Order, seed: int) -> api.Options:
    return api.Options(preset=order.preset, defence=order.defence, seed=seed)
