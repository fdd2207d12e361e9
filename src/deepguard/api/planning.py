"""What a user chose, and the defence that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deepguard.api.loading import Models
from deepguard.defences.painter import CONTEXT
from deepguard.defences.presets import NINE, Preset, preset
from deepguard.defences.regions import regions
from deepguard.defences.roles import Defence, Recipe, attacked_by, defaults_of, defences, equipped, settings_of
from deepguard.defences.through import through
from deepguard.errors import OptionError, WeightsMissing, unknown
from deepguard.filters.photo import Filters
from deepguard.media.picture import Picture
from deepguard.models.roles import Encoder, detectors, encoders
from deepguard.types import Box, Face

VERIFIED_THROUGH = ("instagram", "kakaotalk")
"""Posting chains that every report measures, besides the one that the picture was optimised through."""

REGION, STEP, VERSION = 5.0, 0.45, 2.0
"""What preparing and finishing a region takes, one step of the climb on a region as large as the picture, and judging
one version, in units of one look of the same detectors at the picture. Measured with all nine on photos of 0.6 to 3.3
megapixels with one to three faces: what was estimated so was off by up to a factor of two."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose; None leaves it to the preset.

    Attributes:
        preset: see `deepguard.defences.presets`.
        defence: the recipe.
        detectors: names of the detectors to hide from; the others at hand only judge.
        encoders: names of the encoders that are to take the faces for strangers'; empty for none; the others at hand
            only judge.
        strength: most that may be used of what the eye forgives, in (0, 4]; at 1 the change is hardly seen.
        steps: steps of the climb.
        through: a posting chain's name, "any" for a mixture of what posting does, "none" for as delivered only.
        faces: which faces to protect, counted from 1, left to right; empty means all.
        box: a face that the user drew, in pixels of the upright picture; replaces the search.
        extra: further options of the defence by name.
        seed: of all chance; the same seed on the same device gives the same file.
        filters: what is done to the photo before; faces are searched, and so counted, in the photo as it was given.
    """

    preset: str = "balanced"
    defence: str | None = None
    detectors: tuple[str, ...] | None = None
    encoders: tuple[str, ...] | None = None
    strength: float | None = None
    steps: int | None = None
    through: str | None = None
    faces: tuple[int, ...] = ()
    box: Box | None = None
    extra: Mapping[str, float | int | bool] = field(default_factory=dict)
    seed: int = 0
    filters: Filters = field(default_factory=Filters)


def check(options: Options) -> None:
    """Raise OptionError with the nearest name where an option names what does not exist; needs no weights."""
    chosen = preset(options.preset)
    defences.entry(options.defence or chosen.defence)
    for name in options.detectors or ():
        detectors.entry(name)
    for name in options.encoders or ():
        encoders.entry(name)
    through(options.through or chosen.through)


def check_loaded(models: Models, options: Options) -> None:
    """Raise now what `protect` would raise of options and models for every picture."""
    planned(models, options)


@dataclass(frozen=True)
class Plan:
    """The options after the preset has filled the gaps."""

    defence: str
    wanted: tuple[str, ...]
    attacked: tuple[str, ...]
    lacking: tuple[str, ...]
    through: str
    options: Mapping[str, float | int | bool]
    recipe: Defence


def planned(models: Models, options: Options) -> Plan:
    """Return the options after the preset has filled the gaps; raises as `api.protect` does."""
    chosen = preset(options.preset)
    defence = options.defence or chosen.defence
    known = _strangers(models, options, chosen)
    route = options.through or chosen.through
    # a preset's options are its own defence's; another one may not know them
    values = {**(chosen.options if defence == chosen.defence else {}), **options.extra}
    for key in ("strength", "steps"):
        if getattr(options, key) is not None:
            values[key] = getattr(options, key)
    make = defences.create(defence, models.shelf, models.device)
    _check_values(defence, make, values)
    tools = equipped(make, {"measures": models.measures, "encoders": known})
    wanted = options.detectors or chosen.detectors or (() if tools.get("encoders") else NINE)
    for name in wanted:
        detectors.entry(name)
    here = {name: models.detectors[name] for name in wanted if name in models.detectors}
    if wanted and not here:
        raise WeightsMissing(f"none of {', '.join(wanted)} is on the shelf; run: deepguard models pull")
    recipe = make(here, through(route), **tools, **values)
    asked = chosen.encoders if "encoders" in tools and options.encoders is None else ()
    lacking = tuple(name for name in asked if name not in models.encoders)
    return Plan(defence, wanted, attacked_by(recipe), lacking, route, settings_of(recipe), recipe)


def _strangers(models: Models, options: Options, chosen: Preset) -> dict[str, Encoder]:
    """Return the encoders to hide from: those asked for, else the preset's that are at hand."""
    for name in options.encoders or ():
        if name not in models.encoders:
            raise WeightsMissing(f"{name} is not on the shelf; run: deepguard models pull {name}")
        if not models.encoders[name].gradient:
            raise OptionError(f"{name} has no gradient, so that it can only judge; choose another of --encoders")
    wanted = chosen.encoders if options.encoders is None else options.encoders
    return {name: models.encoders[name] for name in wanted if name in models.encoders}


def _check_values(defence: str, make: Recipe, values: Mapping[str, float | int | bool]) -> None:
    known = defaults_of(make)
    for key, value in values.items():
        if key not in known:
            raise unknown(f"option of {defence}", key, known)
        kind = type(known[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise OptionError(f"the option {key} of {defence} is {words[kind]}, not {value}")


def estimate(finding: float, plan: Plan, models: Models, shares: Sequence[float]) -> float:
    """Return the seconds that protecting and verifying will take, from those that finding took.

    `shares` are the shares of the picture that the regions cover.
    """
    attacked = finding * len(plan.attacked) / len(models.detectors)
    steps = float(plan.options.get("steps", 1))
    climb = (REGION * len(shares) + STEP * sum(shares) * steps) * attacked
    versions = 1 + len(VERIFIED_THROUGH) + (plan.through not in {"any", "none", *VERIFIED_THROUGH})
    return climb + finding * VERSION * versions


def shares_of(faces: Sequence[Face], picture: Picture, reach: float) -> list[float]:
    """Return the share of the picture that each region around these faces covers."""
    height, width = picture.height, picture.width
    found = regions(faces, height, width, reach=reach, context=CONTEXT)
    return [each.window.area / (height * width) for each in found]
