"""`deepguard bench`: what this version achieves on photos of yours, in figures."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from deepguard import __version__, api
from deepguard.cli.bench_identity import identity
from deepguard.cli.bench_swap import swap
from deepguard.cli.rounds import BYTES, Rounds, board_options, machine, photos_in, write_board
from deepguard.cli.values import Names
from deepguard.errors import OptionError
from deepguard.media.files import check_writable
from deepguard.media.picture import Picture
from deepguard.models.anchors import AnchorDetector
from deepguard.prove.board.arms import PAPER, Bench, Controls, Order, measured
from deepguard.prove.board.journal import Journal
from deepguard.prove.board.markdown import markdown
from deepguard.prove.board.records import SCHEMA, Absent, Board, Photo
from deepguard.prove.board.spread import spread
from deepguard.prove.survey import survey
from deepguard.settings import Settings
from deepguard.transforms.posting import POSTINGS, posting
from deepguard.types import Watch
from deepguard.weights.shelf import Shelf

LINES, JSON, PAGE = "board.jsonl", "board.json", "board.md"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told, as it is written into the board; see its options."""

    defences: tuple[str, ...]
    presets: tuple[str, ...]
    chains: tuple[str, ...]
    limit: int | None
    leave_one_out: int
    paper: int | None
    noise: int | None
    max_faces: int
    seed: int


@click.group()
def bench() -> None:
    """Measure what this version achieves on photos of yours."""


bench.add_command(identity)
bench.add_command(swap)


@bench.command()
@board_options("board", "A folder of photos, or one; repeatable.")
@click.option(
    "--defences", type=Names(), default=("facepoison", PAPER), help="Recipes; otherwise ours and the paper's."
)
@click.option("--presets", type=Names(), default=("balanced",), help="Presets for ours; the controls take the first.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N photos.")
@click.option(
    "--leave-one-out",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="For N photos: leave each detector out in turn and let it judge.",
)
@click.option(
    "--paper", type=click.IntRange(0), help="Only for N photos: the published recipe, one picture a detector."
)
@click.option("--noise", type=click.IntRange(0), help="Only for N photos: noise of the same size.")
@click.option("--chains", type=Names(), help="Posting chains; otherwise all.")
@click.option("--max-faces", type=click.IntRange(1), default=12, show_default=True, help="Leave photos with more out.")
def protect(
    places: tuple[Path, ...], out: Path, device: str | None, chains: tuple[str, ...] | None, **told: Any
) -> None:
    """Measure how well photos are protected, how visibly and how fast, beside noise and the published recipe.

    Writes board.json and board.md into the folder: names and figures, never a picture. A run that was stopped goes on
    where it was when the same command is given again.
    """
    rest = tuple(name for name in POSTINGS if name not in api.VERIFIED_THROUGH)
    wish = Wish(chains=chains or rest, **told)
    for chain in wish.chains:
        posting(chain)
    for order in _orders(wish):
        api.check(_options(order, wish.seed))
    photos = dict(itertools.islice(photos_in(places).items(), wish.limit))
    check_writable(out / JSON)
    settings = Settings.from_environment()
    models = api.load_models(Shelf(settings.models, offline=True), api.device_named(device))
    _check_loaded(wish, models)
    raise SystemExit(Course(wish, photos, models, out).run())


class Course:
    """The photos of one call, and the board that they become."""

    def __init__(self, wish: Wish, photos: Mapping[str, Path], models: api.Models, out: Path) -> None:
        self.wish = wish
        self.models = models
        self.out = out
        self.total = len(photos)
        self.bench = _bench(wish, models)
        journal = Journal(out / LINES, self._head(photos))
        self.rounds = Rounds(photos, journal, self._measured, out / PAGE)

    def run(self) -> int:
        """Measure all photos, write the board, and return the exit code; Ctrl-C leaves a board of what was done."""
        return self.rounds.run(self._write)

    def _measured(self, index: int, name: str, picture: Picture, watch: Watch) -> Photo | Absent:
        faces = survey(picture.images.to(self.models.device), self.models.detectors, watch)
        if not faces:
            return Absent(name, "no face was found", picture.sha256)
        if len(faces) > self.wish.max_faces:
            return Absent(name, f"{len(faces)} faces, more than --max-faces {self.wish.max_faces}", picture.sha256)
        photo = measured(name, picture, self.bench, self._controls(index), watch)
        return dataclasses.replace(photo, memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES)

    def _controls(self, index: int) -> Controls:
        wish, total = self.wish, self.total
        return Controls(
            leave_one_out=index in spread(total, wish.leave_one_out, wish.seed),
            paper=index in spread(total, wish.paper, wish.seed),
            noise=index in spread(total, wish.noise, wish.seed),
        )

    def _head(self, photos: Mapping[str, Path]) -> dict[str, Any]:
        options = dataclasses.asdict(self.wish)
        own = {"device": str(self.models.device), "detectors": list(self.models.detectors), "photos": list(photos)}
        return {"schema": SCHEMA, "version": __version__, "options": options, **own}

    def _write(self, complete: bool) -> None:
        board = Board(
            version=__version__,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            complete=complete,
            machine=machine(self.models.device),
            options=dataclasses.asdict(self.wish),
            detectors=tuple(self.models.detectors),
            missing=self.models.missing,
            photos=tuple(each for each in self.rounds.entries if isinstance(each, Photo)),
            left_out=tuple(each for each in self.rounds.entries if isinstance(each, Absent)),
            failed=tuple(self.rounds.failed),
        )
        write_board(self.out / JSON, board.as_json(), self.out / PAGE, markdown(board))


def _orders(wish: Wish) -> list[Order]:
    return [
        Order(defence, preset)
        for defence in wish.defences
        for preset in (wish.presets[:1] if defence == PAPER else wish.presets)
    ]


def _options(order: Order, seed: int) -> api.Options:
    return api.Options(preset=order.preset, defence=order.defence, detectors=order.detectors, seed=seed)


def _check_loaded(wish: Wish, models: api.Models) -> None:
    """Raise now what every photo would fail with, and what would leave a control empty."""
    for order in _orders(wish):
        if order.defence != PAPER:
            api.check_loaded(models, _options(order, wish.seed))
    if PAPER in wish.defences and not _tapped(models):
        names = "the detectors that facepoison-paper attacks"
        raise OptionError(f"none of {names} is here; run: deepguard models pull, or give --defences facepoison")
    if wish.leave_one_out and len(models.detectors) == 1:
        raise OptionError("one detector alone cannot be left out; run: deepguard models pull")


def _tapped(models: api.Models) -> tuple[str, ...]:
    """Return the detectors whose inner features the published recipe attacks."""
    sources = {name: each for name, each in models.detectors.items() if isinstance(each, AnchorDetector)}
    return tuple(name for name, each in sources.items() if each.taps is not None)


def _bench(wish: Wish, models: api.Models) -> Bench:
    def make(picture: Picture, order: Order, watch: Watch) -> api.Protected:
        return api.protect(picture, models, _options(order, wish.seed), watch=watch)

    return Bench(
        protect=make,
        detectors=models.detectors,
        tapped=_tapped(models),
        measures=models.measures,
        device=models.device,
        defences=wish.defences,
        presets=wish.presets,
        chains=wish.chains,
        seed=wish.seed,
    )
