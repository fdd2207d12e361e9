"""Values on the command line."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import click

from deepguard.types import Box


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them, such as 1,3."""

    name = "N,N,..."

    def __init__(self, count: int | None = None, least: int | None = None) -> None:
        self.count = count
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not whole numbers with commas between them", param, ctx)
        if self.count is not None and len(numbers) != self.count:
            self.fail(f"{value!r} has {len(numbers)} numbers, not {self.count}", param, ctx)
        if self.least is not None and min(numbers) < self.least:
            self.fail(f"{min(numbers)} is too small; numbers start at {self.least}", param, ctx)
        return numbers


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them; with `none`, the word none for an empty list."""

    name = "NAME,NAME,..."

    def __init__(self, *, none: bool = False) -> None:
        self.none = none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, without repetitions."""
        if isinstance(value, tuple):
            return value
        if self.none and value == "none":
            return ()
        names = tuple(dict.fromkeys(part.strip() for part in str(value).split(",") if part.strip()))
        if not names:
            self.fail("name at least one", param, ctx)
        return names


class Drawn(click.ParamType[Box]):
    """A box as left edge, upper edge, width and height in whole pixels."""

    name = "X,Y,W,H"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """Return the box."""
        if isinstance(value, Box):
            return value
        left, top, width, height = Numbers(4).convert(value, param, ctx)
        if width < 1 or height < 1:
            self.fail(f"{value!r} is empty; width and height start at 1 pixel", param, ctx)
        return Box(left, top, left + width, top + height)


class Setting(click.ParamType[tuple[str, Any]]):
    """An option of a defence, as name=value; the value is a number, true or false."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Return name and value."""
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if not sign:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        if text.lower() in {"true", "false"}:
            return key, text.lower() == "true"
        try:
            return key, int(text) if text.lstrip("-").isdigit() else float(Fraction(text))
        except (ValueError, ZeroDivisionError, OverflowError):
            self.fail(f"{text!r} is neither a number nor true or false", param, ctx)
