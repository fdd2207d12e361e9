"""The views of the page: one folder each below `static/views`, which nothing else needs to know of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deepguard.service.web.words import STATIC


@dataclass(frozen=True, slots=True)
class View:
    """One view, as its `view.json` says it.

    `path` is where it is, with gaps in braces; `tab` the key of its name in the bar, "" for one without a tab, `order`
    its place there. `script` is the module that shows it, beside `view.json`; "" where the server draws it alone.
    `kinds` names, for kinds of job, the module that shows what came of them.
    """

    name: str
    path: str
    order: int = 0
    tab: str = ""
    script: str = ""
    kinds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@cache
def views() -> tuple[View, ...]:
    """Return all views in the order of their tabs."""
    folders = sorted(each.parent for each in (STATIC / "views").glob("*/view.json"))
    return tuple(sorted((_view(each) for each in folders), key=lambda view: (view.order, view.name)))


@cache
def styles() -> tuple[str, ...]:
    """Return the style sheets by their paths: those of all views after the common ones."""
    found = [
        *sorted(STATIC.glob("style/*.css")),
        *sorted(STATIC.glob("parts/*.css")),
        *sorted(STATIC.glob("views/*/*.css")),
    ]
    return tuple(each.relative_to(STATIC).as_posix() for each in found if each.stem != "plain")


def for_scripts() -> dict[str, Any]:
    """Return what the page's scripts are told of the views and kinds."""
    return {
        "views": [
            {"name": each.name, "path": each.path, "script": f"views/{each.name}/{each.script}"}
            for each in views()
            if each.script
        ],
        "kinds": {kind: f"views/{each.name}/{script}" for each in views() for kind, script in each.kinds.items()},
    }


def _view(folder: Path) -> View:
    return View(name=folder.name, **json.loads((folder / "view.json").read_text(encoding="utf-8")))
