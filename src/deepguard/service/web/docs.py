"""`/docs`: the API's description as one plain page, made from `/openapi.json`; it loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

from deepguard.service.web import examples

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 3rem } h3 { margin-top: 2rem } code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow: auto; padding: .5rem; border: 1px solid #8886 } table { border-collapse: collapse }
td, th { padding: .2rem .6rem; border: 1px solid #8886; text-align: left; vertical-align: top }
"""
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
INTRODUCTION = """
<p>Programs send a key, as <code>Authorization: Bearer dg_...</code> or <code>X-API-Key: dg_...</code>; browsers are
known by a cookie that the first upload brings, and see only what they made. Every error has one shape:
<code>{"code", "message", "details", "request_id"}</code>. Every answer tells how much of the rate is left in
<code>RateLimit-Limit</code>, <code>RateLimit-Remaining</code> and <code>RateLimit-Reset</code> (seconds); with 429 and
503 comes <code>Retry-After</code>. The same as a file for programs: <a href="openapi.json">openapi.json</a>.</p>
<p>In the examples <code>$BASE</code> stands for where this service is, such as http://127.0.0.1:5000, and
<code>$KEY</code> for your key; without that header a call is a new visitor's. Progress as it happens: a websocket at
<code>/api/v1/jobs/{job_id}/progress</code> sends the job as <a href="#Job">Job</a>, again with every change, and closes
after the last.</p>
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Show every address of the API."""
    app: FastAPI = request.app
    return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": POLICY})


def page(described: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI description."""
    title = f"{described['info']['title']} {described['info']['version']}"
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: API</title>',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>',
        f"<body><h1>{escape(title)}</h1>{INTRODUCTION}",
    ]
    shapes = described.get("components", {}).get("schemas", {})
    for tag, operations in _by_tag(described).items():
        parts.append(f"<h2>{escape(tag)}</h2>")
        for each in operations:
            parts += [_operation(*each), _example(*each, shapes)]
    parts.append("<h2>Shapes</h2>")
    parts += _shapes(shapes)
    return "\n".join([*parts, "</body></html>"])


def _by_tag(described: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    tags: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in described.get("paths", {}).items():
        for method, operation in methods.items():
            for tag in operation.get("tags", ["more"]):
                tags.setdefault(tag, []).append((method.upper(), path, operation))
    return tags


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [
        f"<h3><code>{method} {escape(path)}</code></h3><p><b>{escape(operation.get('summary', ''))}</b></p>",
        *(f"<p>{escape(each)}</p>" for each in operation.get("description", "").split("\n\n") if each),
    ]
    if parameters := operation.get("parameters"):
        rows = [
            (_code(each["name"]), each["in"], _type(each.get("schema", {})), escape(each.get("description", "")))
            for each in parameters
        ]
        lines.append(_table(("parameter", "in", "type", "meaning"), rows))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"<p>Body: {escape(media)}, {_type(content.get('schema', {}))}</p>")
    answers = [
        (_code(status), _answer(each), escape(each.get("description", "")))
        for status, each in operation["responses"].items()
    ]
    return "\n".join([*lines, _table(("answer", "shape", "meaning"), answers)])


def _example(method: str, path: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> str:
    lines = [f"<pre>{escape(examples.call(method, path, operation, shapes), quote=False)}</pre>"]
    if (answer := examples.answer(operation, shapes)) is not None:
        lines.append(f"<pre>{escape(json.dumps(answer, indent=2, ensure_ascii=False), quote=False)}</pre>")
    return "\n".join(lines)


def _code(word: str) -> str:
    return f"<code>{escape(word)}</code>"


def _answer(response: Mapping[str, Any]) -> str:
    content = response.get("content", {})
    return ", ".join(_type(each.get("schema", {})) or escape(media) for media, each in content.items())


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; the cells are HTML already."""
    lines = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table><tr>{''.join(f'<th>{word}</th>' for word in head)}</tr><tr>{'</tr><tr>'.join(lines)}</tr></table>"


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words, as HTML that links to the shapes it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_type, choices))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return escape(str(schema.get("type", "")))


def _shapes(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p>'
        if fields := schema.get("properties"):
            needed = schema.get("required", ())
            rows = [
                (_code(field), _type(each), "always" if field in needed else "", escape(each.get("description", "")))
                for field, each in fields.items()
            ]
            yield _table(("field", "type", "there", "meaning"), rows)
        else:
            yield f"<pre>{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre>"
