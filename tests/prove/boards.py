"""Boards of made-up photos: what its tables and files are tested with."""

from __future__ import annotations

from collections.abc import Sequence

from deepguard.prove.board.records import Absent, Arm, Board, Kind, Photo
from deepguard.prove.report import Quality
from deepguard.prove.verify import Judgement, Sighting
from deepguard.types import Box, Face

LARGE = Face(Box(10, 10, 130, 160), 0.9)
SMALL = Face(Box(10, 10, 50, 70), 0.9)
CLOSE = Quality(ssim=0.95, psnr=40.0, lpips=0.05, marbling=1.0, chroma=0.2)


def flags(count: int, of: int) -> tuple[bool, ...]:
    """The first `count` of so many faces."""
    return tuple(index < count for index in range(of))


def judgement(detector: str, before: int, *, of: int = 3, retry: int | None = None, **found: int) -> Judgement:
    """A judgement by counts: of each version; of a retry, of the delivered picture only."""
    after = {
        version: Sighting(flags(count, of), flags(retry, of) if retry is not None and version == "delivered" else None)
        for version, count in found.items()
    }
    return Judgement(detector, flags(before, of), after)


def arm(
    name: str,
    *judgements: Judgement,
    kind: Kind = "ours",
    attacked: tuple[str, ...] = ("one", "two"),
    quality: Quality = CLOSE,
    excess: float = 0.9,
    total: float = 3.0,
) -> Arm:
    """A change whose finding took a third of its seconds."""
    seconds = {"finding": total / 3, "protecting": total / 3, "verifying": total / 3}
    faces = (quality,) * len(judgements[0].before)
    return Arm(name, kind, attacked, judgements, quality, faces, excess, seconds, {"steps": 2})


def photo(*arms: Arm, name: str = "a.jpg", faces: Sequence[Face] = (LARGE,) * 3, small: int = 0) -> Photo:
    """A photo of one megapixel."""
    return Photo(name, "0" * 64, 1000, 1000, tuple(faces), small, arms, 3 * 2**30)


def board(
    *photos: Photo, left_out: Sequence[Absent] = (), failed: Sequence[Absent] = (), complete: bool = True
) -> Board:
    """A board of two detectors."""
    return Board(
        version="1",
        created="2026-01-01T00:00:00+00:00",
        complete=complete,
        machine="cpu with 2 threads",
        options={"presets": ("balanced",), "limit": None, "seed": 0},
        detectors=("one", "two"),
        missing=("three",),
        photos=photos,
        left_out=tuple(left_out),
        failed=tuple(failed),
    )
