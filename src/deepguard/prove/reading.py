"""Reports read back from their JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from deepguard.errors import InputError
from deepguard.prove.report import SCHEMA as PROTECTED
from deepguard.prove.report import Report
from deepguard.types import Note

T = TypeVar("T")


def report_from(body: Any, sha256: str = "") -> Report:
    """Return what `Report.as_json` gave, also as one of the photos of a command's report: that with this SHA-256.

    InputError where it is something else, or speaks of other photos only.
    """
    if isinstance(body, Mapping) and isinstance(body.get("photos"), list):
        made = [each for each in body["photos"] if isinstance(each, Mapping) and "output" in each]
        body = next((each for each in made if _digest(each) == sha256), None)
        if body is None:
            raise InputError(
                "this report says nothing of this photo; give the one that was written when it was protected"
            )
        body = {"schema": PROTECTED, **body}
    return read(Report, body, PROTECTED, "deepguard protect --report")


def read(kind: type[T], body: Any, schema: str, command: str) -> T:
    """Return the dataclass of its JSON values, whatever else is there; InputError where they are none of `schema`."""
    if not isinstance(body, Mapping) or body.get("schema") != schema:
        raise InputError(f"this is nothing of the schema {schema}; give what {command} wrote")
    try:
        return typing.cast(T, built(kind, body))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("this report is damaged or was changed by hand; make it again") from error


def built(kind: Any, value: Any) -> Any:
    """Return a value of a type as dataclasses hold it, from JSON's; TypeError or ValueError where it does not fit."""
    if kind is Any or (kind is Note and isinstance(value, str)):
        return value if kind is Any else Note("", value)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value)
    return _composed(kind, value) if typing.get_origin(kind) else _plain(kind, value)


def _composed(kind: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {Union, types.UnionType}:
        return _either(inner, value)
    if origin is tuple:
        return _tuple(inner, value)
    if origin is Literal:
        return _literal(inner, value)
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no object")
    return {_plain(inner[0], key): built(inner[1], each) for key, each in value.items()}


def _dataclass(kind: Any, value: Any) -> Any:
    hints = typing.get_type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind) if field.name in value]
    return kind(**{name: built(hints[name], value[name]) for name in fields})


def _either(kinds: tuple[Any, ...], value: Any) -> Any:
    for kind in kinds:
        if (value is None) != (kind is type(None)):
            continue
        try:
            return built(kind, value)
        except (TypeError, ValueError):
            continue
    raise TypeError(f"{value!r} is none of {kinds}")


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is no list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(built(kinds[0], each) for each in value)
    return tuple(built(kind, each) for kind, each in zip(kinds, value, strict=True))


def _literal(allowed: tuple[Any, ...], value: Any) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {allowed}")
    return value


def _plain(kind: Any, value: Any) -> Any:
    fits = isinstance(value, int | float) and not isinstance(value, bool) if kind is float else type(value) is kind
    if not fits:
        raise TypeError(f"{value!r} is no {kind}")
    return value


def _digest(body: Mapping[str, Any]) -> str:
    given = body.get("input")
    return str(given.get("sha256")) if isinstance(given, Mapping) else ""
