"""Examples of calls and answers, made from the examples that stand at the fields of the API's description."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

FORM = "multipart/form-data"
JSON = "application/json"
BINARY = "application/octet-stream"
Schema = Mapping[str, Any]


def call(method: str, path: str, operation: Mapping[str, Any], shapes: Mapping[str, Schema]) -> str:
    """Return a call of an operation as a line for curl; `shapes` are the description's named schemas."""
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(value(each["schema"], shapes)))
    words = ["curl"] if method in {"GET", "POST"} else ["curl", "--request", method]
    body = operation.get("requestBody", {}).get("content", {})
    if method == "POST" and not body:
        words += ["--request", method]
    words.append('--header "Authorization: Bearer $KEY"')
    if JSON in body:
        words += ["--json", shlex.quote(json.dumps(value(body[JSON]["schema"], shapes)))]
    if FORM in body:
        words += [f"--form {name}=@photo.jpg" for name in body[FORM]["schema"]["required"]]
    if BINARY in _answered(operation):
        words.append("--output FILE")
    return " ".join([*words, f'"$BASE{path}"'])


def answer(operation: Mapping[str, Any], shapes: Mapping[str, Schema]) -> Any:
    """Return what an operation answers in JSON when all is well, None where that is something else."""
    content = _answered(operation).get(JSON)
    if content is None:
        return None
    return content["example"] if "example" in content else value(content["schema"], shapes)


def value(schema: Schema, shapes: Mapping[str, Schema]) -> Any:
    """Return an example of what a schema describes; None where it has none."""
    for known in ("examples", "enum"):
        if known in schema:
            return schema[known][0]
    if "$ref" in schema:
        return value(shapes[schema["$ref"].rpartition("/")[2]], shapes)
    if "properties" in schema:
        return {name: value(each, shapes) for name, each in schema["properties"].items()}
    if "items" in schema:
        return [value(schema["items"], shapes)]
    if choices := schema.get("anyOf"):
        return value(choices[0], shapes)
    return schema.get("default")


def _answered(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return media types and what is said of them."""
    first = min(status for status in operation["responses"] if status.startswith("2"))
    found: Mapping[str, Any] = operation["responses"][first].get("content", {})
    return found
