"""A board of identity as a page in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from deepguard.prove.board.figures import wilson
from deepguard.prove.board.identity import IdentityBoard, Known, Likened, Person
from deepguard.prove.board.parts import absences, cell, percent, table, words
from deepguard.prove.board.tables import counted
from deepguard.prove.intervals import share_of
from deepguard.prove.proof import DELIVERED, Share

PROBES = ("blur-k3", "jpeg90", "jpeg70", "grain-001", "grain-003", "salt-001", "salt-003")
"""Of the Proactive Defense Benchmark (ICML 2026); its blur of one pixel changes nothing and is left out."""

LEAST = 0.05
"""Cosine that a change must cost as delivered for its robustness to be told: less is chance."""

LEGEND = """\
One photo of each person is protected and compared with the reference; all is measured on the written file, read back,
and cut at the photo's own landmarks. A cell such as 3/41, 7 % [3 %, 19 %] means: in 3 of 41 pairs the encoder takes the
two for one person, with Wilson's 95 % interval. **Attacked**: a change here was made against this encoder; **judge**:
none was. The two are never added up. **clean** is the untouched photo, **noise** the photo with the first change's size
and random signs. **ROB** is the mean over the probes of the Proactive Defense Benchmark (ICML 2026) of min(1, cosine
lost after the probe / cosine lost before)."""


def markdown(board: IdentityBoard) -> str:
    """Return the whole board in Markdown."""
    groups = (
        ("Compared with another photo of the person", [each for each in board.people if each.another]),
        (
            "Compared with their own original",
            [each for each in board.people if not each.another],
        ),
    )
    parts = ["# Identity, measured", *_about(board), LEGEND]
    for title, people in groups:
        if people:
            parts += _section(title, people, board)
    parts += absences(board.left_out, board.failed)
    return "\n\n".join(parts) + "\n"


def _about(board: IdentityBoard) -> Iterator[str]:
    options = "; ".join(f"{name} {words(value)}" for name, value in board.options.items())
    yield f"{board.created}; deepguard {board.version}; {board.machine}."
    left = f", {len(board.left_out)} left out, {len(board.failed)} failed"
    yield f"{counted(len(board.people), 'photo')}{left}. {options}."
    if not board.complete:
        yield "The run was stopped before its end; the same command goes on."


def _section(title: str, people: Sequence[Person], board: IdentityBoard) -> Iterator[str]:
    yield f"## {title}: {len(people)} {'person' if len(people) == 1 else 'people'}"
    names = _names(people)
    heads = ["encoder", *names]
    yield "### Same person at a false-accept rate of 1e-3, as delivered"
    yield table(heads, [*_matches(people, board, names), *_together(people, board, names, [DELIVERED])])
    yield "### The same at 1e-4"
    yield table(heads, _matches(people, board, names, strict=True))
    yield "### The same at 1e-3, mean of all chains"
    yield table(heads, _together(people, board, names, board.columns))
    yield "### Mean cosine, as delivered"
    yield table(heads, ([_titled(each, people), *_means(people, names, each)] for each in board.encoders))
    for name in _names(people, "ours"):
        yield f"### Same person at 1e-3 after posting: {name}"
        yield table(["", *(_titled(each, people, name) for each in board.encoders)], _posted(people, board, name))
    yield "### Visibility: median (worst)"
    sizes = ["", "picture SSIM", "picture LPIPS", "face SSIM", "face LPIPS", "share of a ceiling", "median seconds"]
    yield table(sizes, (_seen(people, name) for name in names if name != "clean"))


def _together(
    people: Sequence[Person], board: IdentityBoard, names: Sequence[str], columns: Sequence[str]
) -> Iterator[list[str]]:
    """Yield the means over encoders and columns: of those that were attacked, of judges of their families, of others.

    The interval is Wilson's for as many trials as there are people: encoders that look at one face are not independent.
    """
    for title, group in _parts(people, board).items():
        yield [f"**{title}**", *(_mean(_arms(people, name), group, columns) for name in names)]


def _parts(people: Sequence[Person], board: IdentityBoard) -> dict[str, list[Known]]:
    aimed = {name for person in people for arm in person.arms for name in arm.attacked}
    families = {known.family for known in board.encoders if known.name in aimed}
    parts: dict[str, list[Known]] = {}
    for known in board.encoders:
        judge = "judges of the same family" if known.family in families else "judges of other families"
        parts.setdefault("attacked" if known.name in aimed else judge, []).append(known)
    return dict(sorted(parts.items()))


def _mean(arms: Sequence[Likened], group: Sequence[Known], columns: Sequence[str]) -> str:
    found = [matched(arms, known, column) for known in group for column in columns]
    shares = [each.share for each in found if each is not None and each.share is not None]
    if not shares:
        return "-"
    share = statistics.fmean(shares)
    return percent(share, *wilson(share, len(arms)))


def _names(people: Sequence[Person], kind: str = "") -> list[str]:
    return list(dict.fromkeys(arm.name for person in people for arm in person.arms if kind in ("", arm.kind)))


def _arms(people: Iterable[Person], name: str) -> list[Likened]:
    return [arm for person in people for arm in person.arms if arm.name == name]


def _titled(known: Known, people: Sequence[Person], name: str | None = None) -> str:
    """Return an encoder's name, family and part: attacked by the change of that name, or by any."""
    arms = [arm for person in people for arm in person.arms if arm.kind == "ours" and name in (None, arm.name)]
    part = "attacked" if any(known.name in arm.attacked for arm in arms) else "judge"
    return f"{known.name} ({known.family}, {part})"


def _matches(
    people: Sequence[Person], board: IdentityBoard, names: Sequence[str], *, strict: bool = False
) -> Iterator[list[str]]:
    for known in board.encoders:
        cells = [cell(matched(_arms(people, name), known, DELIVERED, strict=strict)) for name in names]
        yield [_titled(known, people), *cells]


def matched(arms: Iterable[Likened], known: Known, column: str, *, strict: bool = False) -> Share | None:
    """Return in how many of these an encoder takes the person for the reference's; None without a threshold."""
    limit = known.far_1e4 if strict else known.far_1e3
    if limit is None:
        return None
    return share_of(arm.cosines[column][known.name] > limit for arm in arms if column in arm.cosines)


def _means(people: Sequence[Person], names: Sequence[str], known: Known) -> Iterator[str]:
    for name in names:
        cosines = [arm.cosines[DELIVERED][known.name] for arm in _arms(people, name)]
        yield f"{statistics.fmean(cosines):.3f}" if cosines else "-"


def _posted(people: Sequence[Person], board: IdentityBoard, name: str) -> Iterator[list[str]]:
    arms = _arms(people, name)
    for column in (DELIVERED, *board.columns):
        yield [column, *(cell(matched(arms, known, column)) for known in board.encoders)]
    means = [_mean(arms, [known], board.columns) for known in board.encoders]
    yield ["**mean of the chains**", *means]
    robust = [robustness(people, name, known.name) for known in board.encoders]
    yield ["**ROB**", *("-" if each is None else f"{each:.2f}" for each in robust)]


def robustness(people: Iterable[Person], name: str, encoder: str) -> float | None:
    """Return ROB of a change for one encoder, in [0, 1]; None where nothing was lost or no probe was taken."""
    kept = []
    for person in people:
        arms = {arm.name: arm.cosines for arm in person.arms}
        if name not in arms:
            continue
        lost = {
            column: arms["clean"][column][encoder] - arms[name][column][encoder]
            for column in (DELIVERED, *PROBES)
            if column in arms[name]
        }
        before = lost.pop(DELIVERED)
        if before >= LEAST and lost:
            kept.append(statistics.fmean(min(1.0, max(0.0, after / before)) for after in lost.values()))
    return statistics.fmean(kept) if kept else None


def _seen(people: Sequence[Person], name: str) -> list[str]:
    arms = _arms(people, name)
    columns = [
        ([getattr(quality, field) for arm in arms if (quality := getattr(arm, of)) is not None], field)
        for of in ("picture_quality", "face_quality")
        for field in ("ssim", "lpips")
    ]
    cells = [_spread([value for value in values if value is not None], field) for values, field in columns]
    seconds = [sum(arm.seconds.values()) for arm in arms if arm.seconds]
    timed = f"{statistics.median(seconds):.1f}" if seconds else "-"
    return [name, *cells, _spread([arm.excess for arm in arms], "excess"), timed]


def _spread(values: Sequence[float], field: str) -> str:
    if not values:
        return "not measured"
    worst = min(values) if field == "ssim" else max(values)
    return f"{statistics.median(values):.3f} ({worst:.3f})"
