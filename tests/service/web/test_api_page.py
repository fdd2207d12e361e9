"""The description of the API as a page: an example for each address, and all of them fit."""

from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.service.web.conftest import TestClient

from deepguard.service.web.faults import STATUS
from deepguard.service.web.jobs import MOST_WAIT_SECONDS

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "use-the-api.md"
JSON = "application/json"
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture
def sections(client: TestClient) -> dict[str, list[str]]:
    """`METHOD PATH` -> the examples that the page shows there: the call, and the answer in JSON where it is that."""
    parts = re.split(r"<h[23]", client.get("/docs").text)
    titled = ((re.search(r"<code>([A-Z]+ /[^<]*)</code></h3>", part), part) for part in parts)
    return {
        html.unescape(title[1]): [html.unescape(each) for each in re.findall("<pre>(.*?)</pre>", part, re.DOTALL)]
        for title, part in titled
        if title
    }


def operations(described: dict[str, Any]) -> list[Operation]:
    return [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def misfits(described: dict[str, Any], schema: dict[str, Any], example: Any) -> list[str]:
    """What a schema of the description has against an example."""
    whole = {**schema, "components": described["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(example)]


def test_every_address_is_described_in_words(described: dict[str, Any]) -> None:
    assert len(operations(described)) > 20
    for method, path, operation in operations(described):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert [each["name"] for each in operation.get("parameters", ()) if not each.get("description")] == []


def test_every_address_has_a_call_whose_body_fits(described: dict[str, Any], sections: dict[str, list[str]]) -> None:
    for method, path, operation in operations(described):
        words = shlex.split(sections[f"{method} {path}"][0])
        assert words[0] == "curl"
        assert re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/{}]+", re.escape(f"$BASE{path}")), words[-1])
        posts = bool({"--json", "--form"} & set(words))
        assert method == (words[words.index("--request") + 1] if "--request" in words else "POST" if posts else "GET")
        body = operation.get("requestBody", {}).get("content", {})
        assert posts == bool(body)
        if JSON in body:
            assert misfits(described, body[JSON]["schema"], json.loads(words[words.index("--json") + 1])) == []


def test_every_answer_in_json_is_shown_and_fits(described: dict[str, Any], sections: dict[str, list[str]]) -> None:
    for method, path, operation in operations(described):
        first = min(status for status in operation["responses"] if status.startswith("2"))
        content = operation["responses"][first].get("content", {})
        shown = sections[f"{method} {path}"][1:]
        assert len(shown) == (JSON in content), (method, path)
        if shown:
            assert misfits(described, content[JSON]["schema"], json.loads(shown[0])) == [], (method, path)
            assert json.loads(shown[0]), (method, path)


def test_the_guide_names_every_status_of_an_error_and_puts_codes_where_they_belong() -> None:
    named = set()
    for statuses, codes in re.findall(
        r"^\| ([45]\d\d[\d, ]*) \| (.*?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE
    ):
        here = {int(each) for each in statuses.split(",")}
        assert {STATUS[code] for code in re.findall(r"`(\w+)`", codes)} == here
        named |= here
    assert named == set(STATUS.values())


def test_the_guide_says_how_long_one_may_wait_for_a_job() -> None:
    assert f"?wait={MOST_WAIT_SECONDS}`" in GUIDE.read_text(encoding="utf-8")
