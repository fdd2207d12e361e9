"""`deepguard bench swap`: do face swaps still work from protected photos?"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Mapping
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
from deepguard.prove.board.arms import Order
from deepguard.prove.board.identity_tables import PROBES
from deepguard.prove.board.journal import Journal
from deepguard.prove.board.records import Absent
from deepguard.prove.board.swap_tables import markdown
from deepguard.prove.board.swaps import SCHEMA, SwapBoard, Swapped
from deepguard.prove.proof import DELIVERED
from deepguard.prove.reading import built
from deepguard.settings import Settings
from deepguard.types import Progress, Watch
from deepguard.weights.shelf import Shelf

LINES, JSON, PAGE = "swap.jsonl", "swap.json", "swap.md"
CHAINS = ("jpeg75", "half", "reposted", *PROBES)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told, as it is written into the board; see its options."""

    defences: tuple[str, ...]
    presets: tuple[str, ...]
    chains: tuple[str, ...]
    swappers: tuple[str, ...]
    counterpart: str
    steps: int | None
    limit: int | None
    seed: int


@click.command()
@board_options("swaps", "A folder of photos, or one; repeatable.")
@click.option("--defences", type=Names(), default=("shield",), show_default=True, help="Recipes.")
@click.option("--presets", type=Names(), default=("balanced",), show_default=True, help="Presets.")
@click.option("--swappers", type=Names(), default=("warp",), show_default=True, help="Face swappers.")
@click.option("--counterpart", default="hopper", show_default=True, help="The bundled face on the other side.")
@click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of a swapper's training.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N photos.")
@click.option("--chains", type=Names(), default=CHAINS, help="Posting chains; otherwise a few, and the probes of ROB.")
def swap(places: tuple[Path, ...], out: Path, device: str | None, **told: Any) -> None:
    """Swap faces from photos, from their protected versions and from noise, and count what still works.

    Writes swap.json and swap.md into the folder: names and figures, never a picture. A run that was stopped goes on
    where it was when the same command is given again.
    """
    wish = Wish(**told)
    orders = tuple(Order(defence, preset) for defence in wish.defences for preset in wish.presets)
    for order in orders:
        api.check(options_of(order, wish).protection)
        api.check_proof(options_of(order, wish))
    photos = dict(itertools.islice(photos_in(places).items(), wish.limit))
    check_writable(out / JSON)
    settings = Settings.from_environment()
    shelf = Shelf(settings.models, offline=True)
    models = api.load_models(shelf, api.device_named(device))
    if not models.encoders:
        raise WeightsMissing("no encoder is on the shelf to judge swaps with; run: deepguard models pull")
    for order in orders:
        api.check_loaded(models, options_of(order, wish).protection)
    raise SystemExit(Course(wish, orders, photos, models, out).run())


class Course:
    """The photos of one call, and the board that they become."""

    def __init__(
        self, wish: Wish, orders: tuple[Order, ...], photos: Mapping[str, Path], models: api.Models, out: Path
    ) -> None:
        self.wish = wish
        self.orders = orders
        self.models = models
        self.out = out
        head = {
            "schema": SCHEMA,
            "version": __version__,
            "options": dataclasses.asdict(wish),
            "device": str(models.device),
            "detectors": list(models.detectors),
            "encoders": list(models.encoders),
            "photos": list(photos),
        }
        journal = Journal(out / LINES, head, lambda body: built(Swapped, body))
        self.rounds = Rounds(photos, journal, self._measured, out / PAGE)

    def run(self) -> int:
        """Measure all photos, write the board, and return the exit code; Ctrl-C leaves a board of what was done."""
        return self.rounds.run(self._write)

    def _measured(self, index: int, name: str, picture: Picture, watch: Watch) -> Swapped:
        proofs = {}
        for order in self.orders:
            title = f"{order.defence} {order.preset}"

            def tell(progress: Progress, title: str = title) -> None:
                watch(dataclasses.replace(progress, stage=f"{title} ({progress.stage})", seconds=None))

            options = options_of(order, self.wish)
            proofs[title] = api.prove(
                picture, None, self.models, options, names=(Path(name).name, ""), watch=tell
            ).report
        return Swapped(name, picture.sha256, proofs)

    def _write(self, complete: bool) -> None:
        entries = self.rounds.entries
        board = SwapBoard(
            version=__version__,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            complete=complete,
            machine=machine(self.models.device),
            options=dataclasses.asdict(self.wish),
            photos=tuple(each for each in entries if isinstance(each, Swapped)),
            left_out=tuple(each for each in entries if isinstance(each, Absent)),
            failed=tuple(self.rounds.failed),
        )
        write_board(self.out / JSON, board.as_json(), self.out / PAGE, markdown(board))


def options_of(order: Order, wish: Wish) -> api.ProveOptions:
    """Return what is asked of `api.prove` for a change."""
    return api.ProveOptions(
        columns=wish.chains,
        swappers=wish.swappers,
        counterpart=wish.counterpart,
        steps=wish.steps,
        swapped=(DELIVERED, *wish.chains),
        seed=wish.seed,
        protection=api.Options(preset=order.preset, defence=order.defence, seed=wish.seed),
    )
