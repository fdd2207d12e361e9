"""A page as it is read, and as it is made."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import httpx


def words(answer: httpx.Response) -> str:
    """Return the text of a page, as it is read."""
    text = re.sub(r"<head>.*?</head>", "", answer.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


class Markup(HTMLParser):
    """What a page is made of: its tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.tags if each == tag]
