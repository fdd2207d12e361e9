"""A job's options, held to the JSON schema that workers published."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from deepguard.errors import unknown
from deepguard.service.web.faults import Fault

SHOWN = 60
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "a text",
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }
)


def check_options(schema: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Raise Fault("option") with one sentence that names the option where `options` do not fit `schema`."""
    try:
        json.dumps(options, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise Fault("option", "the options hold a number or a text that is none; give plain JSON") from error
    worst = best_match(Draft202012Validator(dict(schema)).iter_errors(dict(options)))
    if worst is not None:
        name = ".".join(each for each in worst.absolute_path if isinstance(each, str))
        raise Fault("option", _sentence(name, worst), option=name)


def _sentence(name: str, error: ValidationError) -> str:
    """Say in one sentence what is wrong with the option `name`; no name: with the options as a whole."""
    say = _SENTENCES.get(str(error.validator))
    if say is not None:
        return say(name, error)
    return f"the option {name or 'set'} does not fit: {_short(error.message)}"


def _strange(name: str, error: ValidationError) -> str:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    given: Any = error.instance
    first = next(each for each in sorted(given) if each not in known)
    return str(unknown(f"option of {name}" if name else "option", _short(first), known))


def _other(name: str, error: ValidationError) -> str:
    values: Any = error.validator_value
    return str(unknown(f"value of {name}", _short(error.instance), map(_short, values)))


def _missing(name: str, error: ValidationError) -> str:
    required: Any = error.validator_value
    given: Any = error.instance
    first = next(each for each in required if each not in given)
    whole = f"{name}.{first}" if name else first
    why = error.schema.get("description", "") if isinstance(error.schema, Mapping) else ""
    return f"the option {whole} is missing" + (f": {why}" if why else "")


def _type(name: str, error: ValidationError) -> str:
    wanted: Any = error.validator_value
    words = " or ".join(_WORDS[each] for each in ([wanted] if isinstance(wanted, str) else wanted))
    return f"{name or 'the options'} must be {words}, not {_short(error.instance)}"


def _bound(words: str) -> Callable[[str, ValidationError], str]:
    def say(name: str, error: ValidationError) -> str:
        return f"{name} must be {words} {_short(error.validator_value)}, not {_short(error.instance)}"

    return say


def _short(value: object) -> str:
    """Return a value as it stands in JSON, cut where it is long; texts without their quotes."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


_SENTENCES: Mapping[str, Callable[[str, ValidationError], str]] = MappingProxyType(
    {
        "additionalProperties": _strange,
        "enum": _other,
        "required": _missing,
        "type": _type,
        "minimum": _bound("at least"),
        "maximum": _bound("at most"),
        "exclusiveMinimum": _bound("more than"),
        "exclusiveMaximum": _bound("less than"),
    }
)
