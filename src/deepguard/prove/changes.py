"""What an earlier proof would say today: other models, other figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deepguard.prove.proof import COMBINED, PROTECTED, Proof

MOVED = 0.02
"""Cosine from which a figure counts as moved: codecs of two versions differ by less."""


@dataclass(frozen=True, slots=True)
class Move:
    """One figure of the protected picture that is another one now; face counted from 1."""

    model: str
    column: str
    face: int
    before: bool | float | None
    now: bool | float | None

    @property
    def text(self) -> str:
        """The change in words."""
        return f"{self.model}, {self.column}, face {self.face}: {_told(self.before)} -> {_told(self.now)}"


@dataclass(frozen=True)
class Changes:
    """An earlier proof held against one of today.

    Attributes:
        before: when the earlier one was made, and by which version.
        proof: today's.
        new: models that the earlier one did not have.
        gone: models that it had and that are not here now.
        replaced: models of the same name whose files are others now.
        moves: what the same models say otherwise.
    """

    before: tuple[str, str]
    proof: Proof
    new: tuple[str, ...]
    gone: tuple[str, ...]
    replaced: tuple[str, ...]
    moves: tuple[Move, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what changed and the new proof as JSON values."""
        body = dataclasses.asdict(dataclasses.replace(self, proof=None))  # type: ignore[arg-type]
        return {**body, "proof": self.proof.as_json()}

    def sentences(self) -> Iterator[str]:
        """Yield what changed in words."""
        yield f"Held against the proof of {self.before[0]} by version {self.before[1]}:"
        for title, names in (
            ("new here", self.new),
            ("no longer here", self.gone),
            ("here with other files", self.replaced),
        ):
            if names:
                yield f"{title}: {', '.join(names)}"
        yield from (move.text for move in self.moves)
        if not (self.new or self.gone or self.replaced or self.moves):
            yield "nothing changed: the same models say the same"
        elif not self.moves:
            yield "no figure of the models that both have moved"


def changes(before: Proof, now: Proof) -> Changes:
    """Return what is new, gone and moved from one proof of a pair of pictures to another."""
    return Changes(
        before=(before.created, before.version),
        proof=now,
        new=tuple(name for name in now.models if name not in before.models),
        gone=tuple(name for name in before.models if name not in now.models),
        replaced=tuple(
            name for name, files in now.models.items() if name in before.models and before.models[name] != files
        ),
        moves=tuple(_moves(before, now)),
    )


def _moves(before: Proof, now: Proof) -> Iterator[Move]:
    found = ({row.detector: row.found for row in each.detections if row.detector != COMBINED} for each in (before, now))
    yield from _moved(*found)
    cosines = ({row.encoder: row.cosines for row in each.likenesses} for each in (before, now))
    yield from _moved(*cosines)


def _moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Move]:
    for model in before:
        known, seen = (each.get(model, {}).get(PROTECTED, {}) for each in (before, now))
        for column in known:
            pairs = zip(known[column], seen.get(column, ()), strict=False)
            for face, (first, second) in enumerate(pairs, start=1):
                if _differs(first, second):
                    yield Move(model, column, face, first, second)


def _differs(before: bool | float | None, now: bool | float | None) -> bool:
    if before is None or now is None or isinstance(before, bool):
        return before is not now
    return abs(before - now) >= MOVED


def _told(figure: bool | float | None) -> str:
    if figure is None:
        return "not measured"
    if isinstance(figure, bool):
        return "found" if figure else "not found"
    return f"{figure:.2f}"
