"""A board's tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

from deepguard.prove.board.figures import RETRY, Count, Group, Mean, count, mean, seen_before
from deepguard.prove.board.parts import percent, printable, table
from deepguard.prove.board.records import Arm, Board, Photo
from deepguard.prove.report import Quality

QUALITIES: tuple[tuple[str, str, str, str], ...] = (
    ("picture SSIM", "picture", "ssim", "{:.3f}"),
    ("picture LPIPS", "picture", "lpips", "{:.3f}"),
    ("face SSIM", "face", "ssim", "{:.3f}"),
    ("face LPIPS", "face", "lpips", "{:.3f}"),
    ("face marbling, /255", "face", "marbling", "{:.2f}"),
    ("face chroma, /255", "face", "chroma", "{:.2f}"),
)
"""Column, of what, the field of `Quality`, and how its figures are written."""

PARTS = ("finding", "protecting", "verifying")
ABOUT_ONE = (0.75, 1.35)
"""Megapixels of photos that are said to have about one."""


def counted(number: int, word: str) -> str:
    """Return how many there are of something in words."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def size(photos: Sequence[Photo]) -> str:
    """Return how many photos and faces there are in words."""
    faces = sum(len(photo.faces) for photo in photos)
    return f"{counted(len(photos), 'photo')}, {counted(faces, 'face')}"


def groups_of(board: Board) -> list[Group]:
    """Return the columns in order: what ours is held against, then ours."""

    def made(kind: str, *, own: bool) -> Callable[[Arm, str], bool]:
        return lambda arm, name: arm.kind == kind and (name in arm.attacked) == own

    return [
        Group("noise of our size", lambda arm, _: arm.kind == "noise"),
        Group("paper, own", made("paper", own=True)),
        Group("paper, others", made("paper", own=False)),
        Group("paper as faint as ours, own", made("scaled", own=True)),
        Group("paper as faint as ours, others", made("scaled", own=False)),
        *(_named(name) for name in ours(board)),
    ]


def _named(name: str) -> Group:
    return Group(name, lambda arm, _: arm.name == name)


def ours(board: Board) -> list[str]:
    """Return the names of the changes that presets make, in the order asked for."""
    return list(dict.fromkeys(arm.name for photo in board.photos for arm in photo.arms if arm.kind == "ours"))


def made_in(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> Iterator[tuple[Photo, Arm]]:
    """Yield the changes of a column, each with its photo."""
    for photo in photos:
        for arm in photo.arms:
            if any(group.counts(arm, name) for name in detectors):
                yield photo, arm


def _title(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> str:
    """Return a column's title, and how many of the photos it speaks of where these are not all."""
    measured = {photo.name for photo, _ in made_in(photos, group, detectors)}
    return (
        group.title
        if len(measured) == len(photos)
        else f"{group.title} ({len(measured)} of {counted(len(photos), 'photo')})"
    )


def _versions(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> list[str]:
    """Return the versions that were judged: as delivered, the retry, then the chains."""
    judged = [judgement.after for _, arm in made_in(photos, group, detectors) for judgement in arm.judgements]
    names = dict.fromkeys(name for after in judged for name in after)
    retried = any(after["delivered"].retry is not None for after in judged if "delivered" in after)
    return [
        *(name for name in names if name == "delivered"),
        *([RETRY] * retried),
        *(n for n in names if n != "delivered"),
    ]


def delivered(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    """Return what each detector still finds in the delivered pictures of each column."""
    rows = [
        [
            name,
            "{}/{}".format(*seen_before(photos, name)),
            *(_cell(count(photos, each, name, "delivered")) for each in groups),
        ]
        for name in detectors
    ]
    means = [_interval(mean(photos, each, detectors, "delivered")) for each in groups]
    return table(
        ["detector", "before", *(_title(photos, each, detectors) for each in groups)], [*rows, ["**mean**", "", *means]]
    )


def means(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    """Return the means over detectors, a row for each of the groups and a column for each version."""
    versions = list(dict.fromkeys(name for group in groups for name in _versions(photos, group, detectors)))
    rows = [
        [_title(photos, group, detectors), *(_interval(mean(photos, group, detectors, each)) for each in versions)]
        for group in groups
    ]
    return table(["", *versions], rows)


def posted(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> str:
    """Return what each detector still finds in each version of one group's pictures."""
    versions = _versions(photos, group, detectors)
    rows = [[name, *(_cell(count(photos, group, name, version)) for version in versions)] for name in detectors]
    means = [_interval(mean(photos, group, detectors, version)) for version in versions]
    return table(["detector", *versions], [*rows, ["**mean**", *means]])


def held_out(photos: Sequence[Photo], board: Board) -> Iterator[str]:
    """Yield the table of detectors that were left out, beside the same ones attacked, on the same photos."""
    chosen = [photo for photo in photos if any(arm.kind == "without" for arm in photo.arms)]
    if not chosen:
        return
    held = Group("held-out", lambda arm, name: arm.kind == "without" and name not in arm.attacked)
    first = next(arm.name for photo in chosen for arm in photo.arms if arm.kind == "ours")
    versions = _versions(chosen, held, board.detectors)
    columns = [(each, version) for version in versions for each in (_named(first), held)]
    titles = [f"{version}: {'held-out' if each is held else 'surrogates'}" for each, version in columns]
    rows = [
        [name, *(_cell(count(chosen, each, name, version)) for each, version in columns)] for name in board.detectors
    ]
    means = [_interval(mean(chosen, each, board.detectors, version)) for each, version in columns]
    yield f"### Leaving one detector out: {first}, {size(chosen)}"
    yield table(["detector", *titles], [*rows, ["**mean**", *means]])


def qualities(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    """Return how visible each group's changes are: median and worst of each measure, and how many keep to all."""
    # own and others are the same pictures
    kept = [group for group in groups if not group.title.endswith("others")]
    rows = []
    for group in kept:
        arms = [arm for _, arm in made_in(photos, group, detectors)]
        within = sum(arm.excess <= 1 for arm in arms)
        cells = [_spread(arms, of, name, form) for _, of, name, form in QUALITIES]
        rows.append([group.title.removesuffix(", own"), *cells, f"{within}/{len(arms)}"])
    return table(["", *(title for title, *_ in QUALITIES), "within ceilings"], rows)


def _spread(arms: Iterable[Arm], of: str, name: str, form: str) -> str:
    qualities: list[Quality] = []
    for arm in arms:
        qualities += [arm.picture_quality] if of == "picture" else arm.face_quality
    known = [value for each in qualities if (value := getattr(each, name)) is not None]
    if not known:
        return "not measured"
    worst = min(known) if name == "ssim" else max(known)
    return f"{form.format(statistics.median(known))} ({form.format(worst)})"


def times(board: Board) -> Iterator[str]:
    """Yield the median seconds of what makes a change from nothing, and the memory."""
    low, high = ABOUT_ONE
    rows = []
    for name, arms in _timed(board).items():
        rows.append([name, *_seconds([arm for _, arm in arms])])
        about = [arm for photo, arm in arms if low <= photo.megapixels <= high]
        if about:
            rows.append([f"{name}, of about 1 megapixel", *_seconds(about)])
    if not rows:
        return
    yield "## Seconds and memory"
    yield table(["median", "pictures", *PARTS, "all"], rows)
    yield f"Largest memory of the process: {max(photo.memory for photo in board.photos) / 2**20:,.0f} MiB."


def _timed(board: Board) -> dict[str, list[tuple[Photo, Arm]]]:
    arms: dict[str, list[tuple[Photo, Arm]]] = {}
    for photo in board.photos:
        for arm in photo.arms:
            if arm.kind in {"ours", "paper"}:
                arms.setdefault("paper, one detector" if arm.kind == "paper" else arm.name, []).append((photo, arm))
    return dict(sorted(arms.items(), key=lambda each: each[0].startswith("paper")))


def _seconds(arms: Sequence[Arm]) -> list[str]:
    medians = [statistics.median(arm.seconds.get(part, 0.0) for arm in arms) for part in PARTS]
    total = statistics.median(sum(arm.seconds.values()) for arm in arms)
    return [str(len(arms)), *(f"{each:.1f}" for each in (*medians, total))]


def each_photo(board: Board) -> Iterator[str]:
    """Yield for each photo what all detectors together still find, how visible the change is, and its seconds."""
    names = ours(board)
    if not names:
        return
    heads = [f"{name}: {what}" for name in names for what in ("found", "share of a ceiling", "s")]
    rows = []
    for photo in board.photos:
        arms = {arm.name: arm for arm in photo.arms}
        cells = [cell for name in names for cell in (_photo(photo, arms[name], board) if name in arms else ["-"] * 3)]
        name = printable(photo.name).replace("|", "\\|")
        rows.append([name, f"{photo.width} x {photo.height}", str(len(photo.faces)), *cells])
    yield "## Each photo, as delivered"
    yield table(["photo", "pixels", "faces", *heads], rows)


def _photo(photo: Photo, arm: Arm, board: Board) -> list[str]:
    counts = [count([photo], _named(arm.name), name, "delivered") for name in board.detectors]
    known = [each for each in counts if each is not None]
    found, before = (sum(getattr(each, part) for each in known) for part in ("found", "before"))
    return [f"{found}/{before}", f"{arm.excess:.2f}", f"{sum(arm.seconds.values()):.1f}"]


def _cell(known: Count | None) -> str:
    return "-" if known is None else f"{known.found}/{known.before}"


def _interval(found: Mean | None) -> str:
    return "-" if found is None else percent(found.share, found.low, found.high)
