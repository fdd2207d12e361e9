"""What a training run is told, as one TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from deepguard.errors import OptionError, unknown

Schedule: TypeAlias = Literal["cosine", "multiplicative"]
Optimiser: TypeAlias = Literal["adamw", "sgd"]


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures of one origin.

    Attributes:
        name: what the log calls it.
        folder: where the pictures are; a relative one counts from the configuration file.
        list: CSV with the columns file, label (real or fake), group, and optionally split (train, validation, test);
            a fake's group is that of the real picture it was made of. Empty: the folder's subfolders `real` and `fake`,
            each picture a group of its own.
        cropped: what the pictures show beyond the face's square, as a share of its side (see `models.crop.shown`),
            where they are faces already; negative for photos, in which the most certain face is searched.
        most: at most so many pictures of each label, drawn by the seed; 0 for all.
        generated: whether the fakes are whole pictures that a network made up, and so belong to no real one.
    """

    name: str
    folder: str
    list: str = ""
    cropped: float = -1.0
    most: int = 0
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """A run. Shares and probabilities lie in [0, 1]; a seed repeats a run on the same device.

    Attributes:
        name: the classifier's.
        sources: where pictures come from.
        seed: of all chance.
        start: weights to start from, a relative path counts from the configuration file; empty for chance.
        changes: folder with protected pictures beside their originals, whose changes are laid over others.
        steps: batches in all.
        batch: pictures in one, half of them real.
        optimiser, rate, momentum, decay: AdamW or SGD with momentum; highest learning rate and weight decay.
        schedule: `cosine` to zero after `warmup` steps, or `multiplicative`: times `factor` after each `every` steps.
        average: decay of the moving average of the weights, which is what is kept.
        blended, generated: shares of the fakes that are self-blended and made up; the rest are forgeries.
        adversarial: share of the pictures that are attacked against the current weights.
        calm: steps at the beginning without attacks, so that there is something worth attacking.
        budgets: the attacks' sizes in 1/255, one drawn for a batch.
        climbs: steps of an attack, one number drawn for a batch.
        protected: share of the pictures that get a protected photo's change laid over them.
        degraded: probability of each of compression, resizing, blur and noise.
        still: whether batch normalisation goes by the statistics that the run started with. A batch holds faces beside
            their own fakes: normalised by the batch, a network learns to compare the two, which no judge can.
        mixed: bfloat16 where the device gains from it.
        every: steps between two validations.
        patience: validations without a better one after which the run ends; 0 for never.
        threads: processor threads; 0 leaves them.
    """

    name: str
    sources: tuple[Source, ...]
    seed: int = 0
    start: str = ""
    changes: str = ""
    steps: int = 4000
    batch: int = 32
    optimiser: Optimiser = "adamw"
    rate: float = 5e-4
    momentum: float = 0.9
    decay: float = 0.01
    schedule: Schedule = "cosine"
    factor: float = 0.95
    warmup: int = 100
    average: float = 0.998
    blended: float = 0.5
    generated: float = 0.1
    adversarial: float = 0.6
    calm: int = 0
    budgets: tuple[float, ...] = (1.0, 2.0, 4.0)
    climbs: tuple[int, ...] = (2, 3)
    protected: float = 0.1
    degraded: float = 0.4
    still: bool = False
    mixed: bool = False
    every: int = 250
    patience: int = 0
    threads: int = 0


def read_config(path: Path) -> Config:
    """Return a configuration file's run, its paths made absolute; OptionError says what is wrong in it."""
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no TOML file: {error}") from error
    sources = body.pop("sources", [])
    if not isinstance(sources, list) or not all(isinstance(each, dict) for each in sources):
        raise OptionError(f"{path}: sources are written as tables, each headed [[sources]]")
    made = tuple(_made(Source, each, f"{path}: sources") for each in sources)
    config: Config = _made(Config, {**body, "sources": made}, str(path))
    _check_kinds(config, str(path))
    for each in config.sources:
        _check_kinds(each, str(path))
    _check(config, path)
    return _absolute(config, path.parent)


def _made(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise OptionError(f"{where}: {unknown('setting', name, fields)}")
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise OptionError(f"{where}: the setting {name} is missing")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _check(config: Config, path: Path) -> None:
    if not config.sources:
        raise OptionError(f"{path}: no sources; name at least one folder of pictures under [[sources]]")
    for name in ("blended", "generated", "adversarial", "protected", "degraded"):
        value = getattr(config, name)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise OptionError(f"{path}: {name} is a share from 0 to 1, not {value}")
    if config.blended + config.generated > 1:
        raise OptionError(f"{path}: blended and generated together are at most 1")
    _check_words_and_counts(config, path)


def _check_kinds(values: Source | Config, where: str) -> None:
    """Raise OptionError where a setting is a word instead of a number, or the other way round."""
    for field in dataclasses.fields(values):
        value = getattr(values, field.name)
        kind = str(field.type)
        if kind.startswith("tuple[") and "Source" not in kind:
            sound = bool(value) and isinstance(value, tuple) and all(_fits(each, "float") for each in value)
        else:
            sound = _fits(value, kind)
        if not sound:
            raise OptionError(f"{where}: {field.name} cannot be {value!r}")


def _fits(value: object, kind: str) -> bool:
    known: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
    return kind not in known or (isinstance(value, known[kind]) and (kind == "bool" or not isinstance(value, bool)))


def _check_words_and_counts(config: Config, path: Path) -> None:
    for name, known in (("schedule", get_args(Schedule)), ("optimiser", get_args(Optimiser))):
        if getattr(config, name) not in known:
            raise OptionError(f"{path}: {unknown(name, str(getattr(config, name)), known)}")
    for name in ("steps", "batch", "every"):
        value = getattr(config, name)
        if not isinstance(value, int) or value < 1:
            raise OptionError(f"{path}: {name} is a whole number from 1 on, not {value}")
    if config.seed < 0:
        raise OptionError(f"{path}: seed is a whole number from 0 on, not {config.seed}")
    if config.batch % 2:
        raise OptionError(f"{path}: batch is even, as half of it is real; not {config.batch}")


def _absolute(config: Config, home: Path) -> Config:
    def placed(path: str) -> str:
        return str(home / path) if path else ""

    sources = tuple(
        dataclasses.replace(each, folder=placed(each.folder), list=placed(each.list)) for each in config.sources
    )
    return dataclasses.replace(config, sources=sources, start=placed(config.start), changes=placed(config.changes))
