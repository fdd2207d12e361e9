"""A board as tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

from deepguard.prove.board.figures import RETRY, Count, Group, Mean, count, mean, seen_before
from deepguard.prove.board.records import LARGE, MOST, Absent, Arm, Board, Photo
from deepguard.prove.report import Quality

LEGEND = """\
All is measured on the written file, read back. A face is what at least two detectors see in the untouched photo. A cell
such as 3/41 means: of 41 faces that this detector finds in the untouched photo, it still finds 3; where several changes
are made for one photo, each counts. "Retry" is an attacker who tries again: threshold 0.3, at half, full and twofold
size. The mean is that of the detectors' shares; in brackets its 95 % interval (Wilson) for as many trials as there are
faces, since detectors that look at the same faces are not independent.

- **before**: found in the untouched photo, of all faces.
- **noise of our size**: the change of the first preset with a random sign for each pixel.
- **paper, own / others**: the published recipe, made for one detector and looked at by it / by the others.
- **paper as faint as ours, own / others**: the same change scaled down until it is as visible as that preset's.
- **held-out**: by a detector that was left out when the change was made; **surrogates**: the same photos and detectors,
  none left out.
- **within ceilings**: every measure of visibility within its ceiling, of all pictures made so."""

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
ABOUT_ONE = (0.8, 1.25)
"""Megapixels of photos that are said to have about one."""


def markdown(board: Board) -> str:
    """Return the whole board in Markdown."""
    close = [photo for photo in board.photos if photo.few_and_large]
    others = [photo for photo in board.photos if not photo.few_and_large]
    parts = [
        "# Protection, measured",
        *_about(board),
        LEGEND,
        *_section(f"1-{MOST} faces of {LARGE:.0f} px or more", close, board),
        *_section("Groups and small faces", others, board),
        *_times(board),
        *_absences(board),
    ]
    return "\n\n".join(parts) + "\n"


def _about(board: Board) -> Iterator[str]:
    faces = sum(len(photo.faces) for photo in board.photos)
    left = f", {len(board.left_out)} left out, {len(board.failed)} failed"
    options = "; ".join(f"{name} {_words(value)}" for name, value in board.options.items())
    yield f"{board.created}; deepguard {board.version}; {board.machine}."
    yield f"{counted(len(board.photos), 'photo')} with {counted(faces, 'face')}{left}. {options}."
    if not board.complete:
        yield "The run was stopped before its end; the same command goes on."
    if board.missing:
        yield f"Not at hand, so neither attacked nor asked: {', '.join(board.missing)}."


def counted(number: int, word: str) -> str:
    """Return how many there are of something in words."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _size(photos: Sequence[Photo]) -> str:
    faces = sum(len(photo.faces) for photo in photos)
    return f"{counted(len(photos), 'photo')}, {counted(faces, 'face')}"


def _words(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "all" if value is None else str(value)


def _section(title: str, photos: Sequence[Photo], board: Board) -> Iterator[str]:
    yield f"## {title}: {_size(photos)}"
    groups = [group for group in _groups(board) if any(_arms(photos, group, board.detectors))]
    if not groups:
        return
    yield "### Still found, as delivered"
    yield _delivered(photos, groups, board.detectors)
    yield "### Mean of the detectors' shares, as delivered and after posting"
    yield _means(photos, groups, board.detectors)
    for group in groups:
        if group.title in _ours(board):
            yield f"### Still found after posting: {group.title}"
            yield _posted(photos, group, board.detectors)
    yield from _held_out(photos, board)
    yield "### Visibility: median (worst)"
    yield _qualities(photos, groups, board.detectors)


def _groups(board: Board) -> list[Group]:
    """Return the columns in order: what ours is held against, then ours."""

    def made(kind: str, *, own: bool) -> Callable[[Arm, str], bool]:
        return lambda arm, name: arm.kind == kind and (name in arm.attacked) == own

    return [
        Group("noise of our size", lambda arm, _: arm.kind == "noise"),
        Group("paper, own", made("paper", own=True)),
        Group("paper, others", made("paper", own=False)),
        Group("paper as faint as ours, own", made("scaled", own=True)),
        Group("paper as faint as ours, others", made("scaled", own=False)),
        *(_named(name) for name in _ours(board)),
    ]


def _named(name: str) -> Group:
    return Group(name, lambda arm, _: arm.name == name)


def _ours(board: Board) -> list[str]:
    """Return the names of the changes that presets make, in the order asked for."""
    return list(dict.fromkeys(arm.name for photo in board.photos for arm in photo.arms if arm.kind == "ours"))


def _arms(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> Iterator[tuple[Photo, Arm]]:
    """Yield the changes of a column, each with its photo."""
    for photo in photos:
        for arm in photo.arms:
            if any(group.counts(arm, name) for name in detectors):
                yield photo, arm


def _versions(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> list[str]:
    """Return the versions that were judged: as delivered, the retry, then the chains."""
    judged = [judgement.after for _, arm in _arms(photos, group, detectors) for judgement in arm.judgements]
    names = dict.fromkeys(name for after in judged for name in after)
    retried = any(after["delivered"].retry is not None for after in judged if "delivered" in after)
    return [
        *(name for name in names if name == "delivered"),
        *([RETRY] * retried),
        *(n for n in names if n != "delivered"),
    ]


def _delivered(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    rows = [
        [
            name,
            "{}/{}".format(*seen_before(photos, name)),
            *(_cell(count(photos, each, name, "delivered")) for each in groups),
        ]
        for name in detectors
    ]
    means = [_interval(mean(photos, each, detectors, "delivered")) for each in groups]
    return _table(["detector", "before", *(each.title for each in groups)], [*rows, ["**mean**", "", *means]])


def _means(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    versions = list(dict.fromkeys(name for group in groups for name in _versions(photos, group, detectors)))
    rows = [
        [group.title, *(_interval(mean(photos, group, detectors, version)) for version in versions)] for group in groups
    ]
    return _table(["", *versions], rows)


def _posted(photos: Sequence[Photo], group: Group, detectors: Sequence[str]) -> str:
    versions = _versions(photos, group, detectors)
    rows = [[name, *(_cell(count(photos, group, name, version)) for version in versions)] for name in detectors]
    means = [_interval(mean(photos, group, detectors, version)) for version in versions]
    return _table(["detector", *versions], [*rows, ["**mean**", *means]])


def _held_out(photos: Sequence[Photo], board: Board) -> Iterator[str]:
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
    yield f"### Leaving one detector out: {first}, {_size(chosen)}"
    yield _table(["detector", *titles], [*rows, ["**mean**", *means]])


def _qualities(photos: Sequence[Photo], groups: Sequence[Group], detectors: Sequence[str]) -> str:
    # own and others are the same pictures
    kept = [group for group in groups if not group.title.endswith("others")]
    rows = []
    for group in kept:
        arms = [arm for _, arm in _arms(photos, group, detectors)]
        within = sum(arm.excess <= 1 for arm in arms)
        cells = [_spread(arms, of, name, form) for _, of, name, form in QUALITIES]
        rows.append([group.title.removesuffix(", own"), *cells, f"{within}/{len(arms)}"])
    return _table(["", *(title for title, *_ in QUALITIES), "within ceilings"], rows)


def _spread(arms: Iterable[Arm], of: str, name: str, form: str) -> str:
    qualities: list[Quality] = []
    for arm in arms:
        qualities += [arm.picture_quality] if of == "picture" else arm.face_quality
    known = [value for each in qualities if (value := getattr(each, name)) is not None]
    if not known:
        return "not measured"
    worst = min(known) if name == "ssim" else max(known)
    return f"{form.format(statistics.median(known))} ({form.format(worst)})"


def _times(board: Board) -> Iterator[str]:
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
    yield _table(["median", "pictures", *PARTS, "all"], rows)
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


def _absences(board: Board) -> Iterator[str]:
    for title, absent in (("Left out", board.left_out), ("Failed", board.failed)):
        if absent:
            yield f"## {title}"
            yield "\n".join(f"- {_safe(each)}" for each in absent)


def _safe(absent: Absent) -> str:
    """Return the sentence in one line: file names can hold line breaks and stray bytes."""
    return "".join(letter if letter.isprintable() else "?" for letter in f"{absent.name}: {absent.reason}")


def _cell(counted: Count | None) -> str:
    return "-" if counted is None else f"{counted.found}/{counted.before}"


def _interval(found: Mean | None) -> str:
    return "-" if found is None else f"{found.share:.0%} [{found.low:.0%}, {found.high:.0%}]".replace("%", " %")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
