"""One weight file: what it is, under which terms, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """One weight file that a model needs.

    Attributes:
        file: name on the shelf; unique over the whole project.
        size: bytes; 0 where nobody could pin it.
        sha256: 64 hex digits; a shorter string pins the digits that the source publishes; empty means that
            no hash is published, so the shelf notes the first import's hash and holds the file to it.
        licence: what the source states for the file.
        origin: what the file is and who made it, in one sentence.
        urls: pinned sources, tried in this order; empty where the user must bring the file.
        terms: where its use is restricted, the sentence a user must have seen; such files are pulled by name only.
        package: "distribution:path" of an installed Python package that carries the file; it needs no shelf.
        published: the file's name at its source, where that says too little for a shelf of many models.
    """

    file: str
    size: int
    sha256: str
    licence: str
    origin: str
    urls: tuple[str, ...] = ()
    terms: str = ""
    package: str = ""
    published: str = ""
