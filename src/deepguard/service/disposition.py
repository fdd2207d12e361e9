"""How a browser is told what to call a file that it saves."""

from __future__ import annotations

from urllib.parse import quote


def disposition(filename: str, *, inline: bool) -> str:
    """Return the Content-Disposition of a file, with its name in ASCII for old clients and whole (RFC 6266)."""
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\%' else "_" for each in filename)
    whole = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'{"inline" if inline else "attachment"}; filename="{plain}"{whole}'
