"""Folders of photos whose people, or whose groups, are known: Labeled Faces in the Wild, and UTKFace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepguard.errors import InputError
from deepguard.media.files import pictures_below

PAIRS = "pairs.txt"
OF_PERSON = re.compile(r"(.+)_(\d{4})")
"""A photo's name without its ending, as in Some_Body_0001."""
OF_GROUP = re.compile(r"\d+_([01])_([0-4])_")
"""How a photo's name begins: age, sex and race, as UTKFace's makers labelled them."""
SEXES = ("men", "women")
RACES = ("white", "black", "Asian", "Indian", "other")


@dataclass(frozen=True, slots=True)
class People:
    """Photos of known people.

    Attributes:
        photos: in the order of their names.
        persons: who each photo shows.
        genuine: the protocol's pairs of one person, as places among the photos.
    """

    photos: tuple[Path, ...]
    persons: tuple[str, ...]
    genuine: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Photos of which each shows another person, and the group of each, such as "Asian women"."""

    photos: tuple[Path, ...]
    groups: tuple[str, ...]


def people_in(folder: Path) -> People:
    """Return a folder's photos in the layout of Labeled Faces in the Wild (Huang et al. 2007), with its pairs.txt.

    Photos are called NAME_0001.jpg and lie in the folder or in one of each person's. InputError where that is not so.
    """
    _check_folder(folder)
    found = {path.stem: path for path in pictures_below(folder) if OF_PERSON.fullmatch(path.stem)}
    if not found:
        raise InputError(f"{folder} holds no photo called like Some_Body_0001.jpg; name a folder laid out as LFW is")
    places = {stem: place for place, stem in enumerate(found)}
    return People(
        photos=tuple(found.values()),
        persons=tuple(stem.rpartition("_")[0] for stem in found),
        genuine=tuple(_genuine(folder / PAIRS, places)),
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")


def groups_in(folder: Path) -> Groups:
    """Return a folder's photos called as UTKFace's are (Zhang et al. 2017), with their groups by sex and race.

    InputError where none is.
    """
    _check_folder(folder)
    found = [(path, OF_GROUP.match(path.name)) for path in pictures_below(folder)]
    named = [(path, match) for path, match in found if match]
    if not named:
        raise InputError(
            f"{folder} holds no photo called like 25_1_2_20170116.jpg; name a folder laid out as UTKFace is"
        )
    groups = tuple(f"{RACES[int(match[2])]} {SEXES[int(match[1])]}" for _, match in named)
    return Groups(tuple(path for path, _ in named), groups)


def _genuine(file: Path, places: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the pairs of one person: the lines of a name and two numbers."""
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
        stems = [(f"{name}_{int(one):04}", f"{name}_{int(two):04}") for name, one, two in _threes(lines)]
        pairs = [(places[one], places[two]) for one, two in stems]
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read; it is the list of pairs that comes with LFW") from error
    except KeyError as error:
        raise InputError(f"{file} names the photo {error.args[0]}, which is not there; get the whole set") from error
    if not pairs:
        raise InputError(f"{file} names no pair of one person; it is the list of pairs that comes with LFW")
    return pairs


def _threes(lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return [line for line in lines if len(line) == 3]
