"""The table of settings says what the code does, in both directions."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pydantic
import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deepguard.service.settings import ServiceSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = {match[1]: (match[2], match[3]) for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
FIELDS = {
    field.alias or f"DEEPGUARD_{name.upper()}": (name, field) for name, field in ServiceSettings.model_fields.items()
}
FACTORIES = {"home": "the platform's user data folder"}
EMPTY = "(empty)"


def default_of(name: str, field: FieldInfo) -> str:
    """The default as the table writes it."""
    if name in FACTORIES:
        return FACTORIES[name]
    value = field.default
    assert value is not PydanticUndefined, f"{name} has no default: the service would not start without settings"
    if isinstance(value, pydantic.SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def test_the_table_names_every_setting_and_no_other() -> None:
    assert set(ROWS) == set(FIELDS)


def test_no_setting_stands_twice() -> None:
    names = [match[1] for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variable", FIELDS)
def test_meaning_and_default_are_those_of_the_code(variable: str) -> None:
    name, field = FIELDS[variable]
    assert field.description, f"{name} has no description"
    assert ROWS.get(variable) == (field.description, default_of(name, field))


@pytest.mark.parametrize("variable", FIELDS)
def test_a_default_of_the_table_is_accepted_as_a_value(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, field = FIELDS[variable]
    written = ROWS[variable][1]
    if written in {EMPTY, *FACTORIES.values()}:
        return
    monkeypatch.setenv(variable, written.strip("`"))
    assert getattr(ServiceSettings(_env_file=None), name) == field.default
