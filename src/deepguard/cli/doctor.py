"""`deepguard doctor`: is this installation whole, and does every detector really work?"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator

import click
import psutil
import torch

from deepguard import __version__, api
from deepguard.cli.tables import console_for, plain_table, say
from deepguard.defences.presets import NINE
from deepguard.errors import DeepguardError
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models.roles import detectors
from deepguard.settings import Settings
from deepguard.types import Images
from deepguard.weights.shelf import Shelf


@click.command()
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
def doctor(device: str | None) -> None:
    """Check this installation and try every detector on the sample photo.

    Exits with 1 where a detector whose weights are here does not work.
    """
    settings = Settings.from_environment()
    shelf = Shelf(settings.models, offline=True)
    chosen = api.device_named(device)
    console = console_for()
    facts = plain_table("this installation", "")
    for what, found in machine(settings, chosen):
        facts.add_row(what, found)
    console.print(facts)
    console.print()
    trials = plain_table("detector", "state, tried on the sample photo", "seconds")
    photo = read_picture(sample_file()).images.to(chosen)
    broken = 0
    for name in detectors.names():
        state, seconds = trial(name, shelf, chosen, photo)
        broken += state.startswith("broken")
        trials.add_row(name, state, seconds)
    console.print(trials)
    say(console, advice(shelf))
    raise SystemExit(1 if broken else 0)


def machine(settings: Settings, device: torch.device) -> Iterator[tuple[str, str]]:
    """Yield what this machine and installation are, as pairs of words."""
    memory = psutil.virtual_memory()
    yield "deepguard", __version__
    yield "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "torch", str(torch.__version__)
    yield "cores", f"{os.cpu_count()}, torch uses {torch.get_num_threads()}"
    yield "memory", f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free"
    yield "GPU", _graphics(device)
    yield "device used", str(device)
    yield "home", str(settings.home)
    yield "shelf", str(settings.models)


def trial(name: str, shelf: Shelf, device: torch.device, photo: Images) -> tuple[str, str]:
    """Return a detector's state in words, and the seconds that one look at the photo takes."""
    entry = detectors.entry(name)
    if not all(shelf.holds(weights) for weights in entry.weights):
        brings = any(weights.urls for weights in entry.weights)
        command = f"models pull {name}" if brings else "models import DIR, with a file of your own"
        return f"not here; run: deepguard {command}", ""
    try:
        detector = detectors.create(name, shelf, device)
        start = time.perf_counter()
        found = detector.detect(photo)[0]
    except (DeepguardError, RuntimeError) as error:
        return f"broken: {error}", ""
    seconds = f"{time.perf_counter() - start:.2f}"
    return ("works" if found else "broken: finds no face in the sample photo"), seconds


def advice(shelf: Shelf) -> str:
    """Return what to do next, in one sentence."""
    missing = [name for name in NINE if name not in detectors.available(shelf)]
    if not missing:
        return "All nine detectors are here."
    return (
        f"{len(NINE) - len(missing)} of {len(NINE)} detectors are here; a photo is protected against those "
        "only. To bring the others: deepguard models pull"
    )


def _graphics(device: torch.device) -> str:
    if not torch.cuda.is_available():
        return "none seen; everything runs on the processor"
    name = torch.cuda.get_device_name()
    return f"{name}, used" if device.type == "cuda" else f"{name}, not used; leave --device out to use it"
