"""What a kind of job is, and the registry of kinds.

Only workers import kinds: the web process knows them by the descriptions that workers publish, and so loads neither
torch nor weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import torch

from deepguard.registry import Registry
from deepguard.types import Watch
from deepguard.weights.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Ability:
    """What a worker publishes of one kind; JSON values throughout.

    Attributes:
        name: the kind's name in the API.
        summary: one sentence.
        schema: JSON schema (2020-12) of the options; unknown ones are refused; every option has a description and,
            where it has one, a default.
        presets: the named sets of options, each with `name`, `summary`, `options`.
        seconds: preset or "" -> (seconds, seconds per megapixel): a first guess until there is experience here.
        still: the share of those seconds, in [0, 1], that does not grow with the options of `grows`.
        grows: option -> preset or "" -> the amount for which `seconds` holds; the rest of the seconds is proportional
            to every one of them. The amount of a list is its length.
        results: the names of the files that a job makes, the most important first.
        missing: what would take part if its weights were here, each with the command that brings it.
        clips: seconds and seconds per megabyte for a clip, as `seconds` for a picture; empty where it takes no clips.
        of: kind of a finished job that the option `of` may name -> the results of it that are read.
        bench: whether it makes things of the test bench: they are shared with nobody, live no longer than
            DEEPGUARD_PROOF_SECONDS, and are counted by DEEPGUARD_PROOF_RATE.
    """

    name: str
    summary: str
    schema: Mapping[str, Any]
    presets: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, tuple[float, float]]
    results: tuple[str, ...]
    missing: Mapping[str, str]
    still: float = 1.0
    grows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    clips: tuple[float, ...] = ()
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bench: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """One job as its kind sees it: the uploaded file, the user's name for it, and the options, checked.

    `facts` are what the job's log should tell as well: its id, attempt and worker. `clip_seconds` is the longest clip
    that is allowed, `clip_frames` the most of its frames that may be looked at; no limit where they are not given.
    `earlier` are the results, by name, of the finished job that the option `of` names; empty where it names none.
    """

    file: Path
    name: str
    options: Mapping[str, Any]
    pixels: int
    shelf: Shelf
    device: torch.device
    watch: Watch
    facts: Mapping[str, Any] = field(default_factory=dict)
    clip_seconds: float = math.inf
    clip_frames: float = math.inf
    earlier: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """One file that a job made. `filename` is what a browser saves it as."""

    name: str
    filename: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """What a job made, and a few figures of it for lists and statistics.

    `summary` may hold `variant` (the preset), `megapixels`, `found_before` and `found_after` (detectors that find a
    face), and whatever a list of jobs should show.
    """

    made: tuple[Made, ...]
    summary: Mapping[str, Any]


class Kind(Protocol):
    """One kind of job."""

    @property
    def spans(self) -> Mapping[str, tuple[float, float]]:
        """Stage that `watch` is told -> from which to which share of the whole job it goes, each in [0, 1]."""

    def ability(self, shelf: Shelf) -> Ability:
        """Return what may be asked of it, with the weights that are here."""

    def run(self, work: Work) -> Done:
        """Do the work. DeepguardError says what was wrong; what `work.watch` raises must pass."""


LONGEST_NAME = 200
"""Letters of a name before its ending."""


def saved_as(name: str) -> Path:
    """Return a name under which a browser can save something; the user's own name is data and may be anything."""
    last = PurePosixPath(name.replace("\\", "/")).name
    path = Path("".join(letter for letter in last if letter.isprintable()) or "picture")
    return Path(path.stem[:LONGEST_NAME] + path.suffix[:16])


kinds: Registry[Kind] = Registry("kind of job", "deepguard.service.kinds")
