"""`deepguard doctor`: is this installation whole, and does every model that looks at faces really work?"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click
import psutil
import torch

from deepguard import __version__, api
from deepguard.cli.tables import console_for, plain_table, say
from deepguard.defences.presets import ENCODERS, NINE
from deepguard.errors import DeepguardError
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.models.align import aligned
from deepguard.models.crop import cut
from deepguard.models.roles import Classifier, Encoder, FaceDetector, classifiers, detectors, encoders
from deepguard.registry import Entry, Registry
from deepguard.settings import Settings
from deepguard.types import Box, Face, Images
from deepguard.weights.shelf import Shelf, command

SAMPLE_MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))
SAMPLE_FACE = Face(Box(178, 62, 269, 177), 1.0, SAMPLE_MARKS)
"""Where the sample photo's face is, so that a classifier or encoder can be tried without any detector."""

ALIKE = 0.95
"""The cosine from which two crops look the same to an encoder; upside down a face is below 0.8 to all of them."""


@click.command()
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
def doctor(device: str | None) -> None:
    """Check this installation and try every detector, classifier and encoder on the sample photo.

    Exits with 1 where one whose weights are here does not work.
    """
    settings = Settings.from_environment()
    shelf = Shelf(settings.models, offline=True)
    chosen = api.device_named(device)
    console = console_for()
    facts = plain_table("this installation", "")
    for what, found in machine(settings, chosen):
        facts.add_row(what, found)
    console.print(facts)
    photo = read_picture(sample_file()).images.to(chosen)
    broken = 0
    looks: tuple[tuple[Registry[Any], Callable[..., str]], ...] = (
        (detectors, sees),
        (classifiers, judges),
        (encoders, recognises),
    )
    for registry, look in looks:
        trials = plain_table(registry.kind, "state, tried on the sample photo", "seconds")
        for name in registry.names():
            state, seconds = trial(registry, name, shelf, chosen, partial(look, photo=photo))
            broken += state.startswith("broken")
            trials.add_row(name, state, seconds)
        console.print()
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


def trial(
    registry: Registry[Any], name: str, shelf: Shelf, device: torch.device, look: Callable[[Any], str]
) -> tuple[str, str]:
    """Return a plug-in's state in words, and the seconds that `look` takes, which says what is wrong with it."""
    missing = bringing(registry.entry(name), shelf)
    if missing:
        return f"not here; run: {missing}", ""
    try:
        made = registry.create(name, shelf, device)
        start = time.perf_counter()
        fault = look(made)
    except (DeepguardError, RuntimeError) as error:
        return f"broken: {error}", ""
    seconds = f"{time.perf_counter() - start:.2f}"
    return (f"broken: {fault}" if fault else "works"), seconds


def bringing(entry: Entry[Any], shelf: Shelf) -> str:
    """Return the command that brings what a plug-in lacks, its Python packages first; empty where it lacks nothing."""
    if entry.extra and not entry.installed:
        return entry.extra.command
    missing = [weights for weights in entry.weights if not shelf.holds(weights)]
    if not missing:
        return ""
    own = not any(weights.urls or weights.package for weights in missing)
    return f"{command(missing[0], entry.name)}{', with a file of your own' if own else ''}"


def sees(detector: FaceDetector, photo: Images) -> str:
    """Return what is wrong with a detector, or nothing."""
    return "" if detector.detect(photo)[0] else "finds no face in the sample photo"


def judges(classifier: Classifier, photo: Images) -> str:
    """Return what is wrong with a classifier, or nothing; one face says nothing of how well it judges."""
    with torch.inference_mode():
        fakeness = classifier.fakeness(cut(photo, [SAMPLE_FACE], classifier.crop))
    return "" if fakeness.isfinite().all() else "has no verdict on the sample photo's face"


def recognises(encoder: Encoder, photo: Images) -> str:
    """Return what is wrong with an encoder, or nothing; one face says nothing of how well it tells people apart."""
    crop = aligned(photo, SAMPLE_FACE.landmarks, encoder.template)
    with torch.inference_mode():
        vectors = encoder.embed(torch.cat((crop, crop.flip(-2))))
    if not vectors.isfinite().all():
        return "has no vector for the sample photo's face"
    return "" if vectors[0] @ vectors[1] < ALIKE else "takes the sample photo's face upside down for the same"


def advice(shelf: Shelf) -> str:
    """Return what is here to protect with and what to do next."""
    finding, knowing = (
        sum(name in registry.available(shelf) for name in wanted)
        for registry, wanted in ((detectors, NINE), (encoders, ENCODERS))
    )
    here = f"{finding} of {len(NINE)} detectors and {knowing} of {len(ENCODERS)} encoders to hide from are here"
    if (finding, knowing) == (len(NINE), len(ENCODERS)):
        return f"{here}."
    alone = "" if knowing else "; without an encoder a photo is hidden from detectors alone"
    return f"{here}{alone}. To bring the others: deepguard models pull"


def _graphics(device: torch.device) -> str:
    if not torch.cuda.is_available():
        return "none seen; everything runs on the processor"
    name = torch.cuda.get_device_name()
    return f"{name}, used" if device.type == "cuda" else f"{name}, not used; leave --device out to use it"
