"""Every sentence of the page, in Korean and English, from the files beside the page's parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

LANGUAGES = ("ko", "en")
STATIC = Path(__file__).parent / "static"
ERROR = "error."
"""How the keys of errors begin; the error's code follows."""
_GAP = re.compile(r"\{(\w+)(?::([^|{}]*)\|([^|{}]*))?\}")
"""{name}, or {name:time|times}: the number, and the word for one or for more."""


LATE = "late"
"""Names the sentences about what came of jobs, as if they were a view's: no first screen needs them."""


def _common(part: str = "") -> tuple[Path, ...]:
    return tuple(sorted((STATIC / "words" / part).glob("*.json")))


def files() -> tuple[Path, ...]:
    """Return the files with sentences: the page's own, and one of each view that has any."""
    return (*_common(), *_common(LATE), *sorted((STATIC / "views").glob("*/words.json")))


def read_words(paths: Iterable[Path]) -> Mapping[str, tuple[str, str]]:
    """Return key -> the sentence in Korean and in English, with its gaps in braces; ValueError for a key twice."""
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        for key, (korean, english) in json.loads(path.read_text(encoding="utf-8")).items():
            if key in found:
                raise ValueError(f"{path.name} says {key} again")
            found[key] = korean, english
    return MappingProxyType(found)


WORDS = read_words(files())


def keys_of(view: str = "") -> tuple[str, ...]:
    """Return the keys that a view's own file has, or `LATE`; those that every view needs where none is named."""
    if view in {"", LATE}:
        return tuple(read_words(_common(view)))
    path = STATIC / "views" / view / "words.json"
    return tuple(read_words([path] if path.exists() else []))


@dataclass(frozen=True, slots=True)
class Words:
    """The page's words in one language."""

    language: str

    def __call__(self, key: str, **gaps: object) -> str:
        """Return a sentence with its gaps filled; KeyError for a sentence or a gap's value that does not exist.

        A gap is {name}, or {name:time|times} for a number with the word for one or for more. Where `count` is 1 and the
        sentence has a form for one (key + ".one"), that is taken.
        """
        one = f"{key}.one"
        pair = WORDS[one if gaps.get("count") == 1 and one in WORDS else key]
        return _GAP.sub(lambda gap: _filled(gap, gaps), pair[LANGUAGES.index(self.language)])

    def known(self, key: str) -> bool:
        """Return whether there is such a sentence."""
        return key in WORDS

    def error(self, code: str) -> str:
        """Return the sentence for an error; the general one for a code of a kind that is not known here."""
        return self(key if self.known(key := ERROR + code) else f"{ERROR}error")

    def program(self, name: str) -> str:
        """Return what people call a program that looks for faces; one that is new goes by the name of its module."""
        return self(key) if self.known(key := f"detector.{name}") else name

    def some(self, keys: Iterable[str]) -> dict[str, str]:
        """Return sentences by their keys."""
        return {key: WORDS[key][LANGUAGES.index(self.language)] for key in keys}

    def duration(self, seconds: float) -> str:
        """Return a rough time in words that suit its length."""
        if seconds < 60:
            return self("unit.seconds", n=max(1, round(seconds)))
        if seconds < 3600:
            return self("unit.minutes", n=round(seconds / 60))
        return self("unit.hours", n=round(seconds / 3600))


def choose(asked: str, accepted: str) -> str:
    """Return the language to use: the one asked for, else the first of the browser's that is here, else English.

    `accepted` is the header Accept-Language; where it is empty, Korean: most users' first language.
    """
    if asked in LANGUAGES:
        return asked
    if not accepted:
        return LANGUAGES[0]
    ranked = sorted((_ranked(each) for each in accepted.split(",")), reverse=True)
    return next((name for weight, name in ranked if weight > 0 and name in LANGUAGES), "en")


def _filled(gap: re.Match[str], gaps: Mapping[str, object]) -> str:
    name, one, more = gap.groups()
    value = gaps[name]
    return str(value) if one is None else f"{value} {one if value == 1 else more}"


def _ranked(part: str) -> tuple[float, str]:
    name, _, weight = part.strip().lower().partition(";q=")
    try:
        return float(weight or 1), name.partition("-")[0]
    except ValueError:
        return 0.0, name
