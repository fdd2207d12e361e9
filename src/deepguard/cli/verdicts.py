"""A verdict in words and figures, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from deepguard.cli.tables import plain_table, say
from deepguard.forensics.report import Detection
from deepguard.forensics.verdict import FaceVerdict, TrackVerdict, Word

WORDS = {
    Word.LIKELY_REAL: "likely real",
    Word.UNCERTAIN: "uncertain",
    Word.LIKELY_FAKE: "likely fake",
    Word.CANNOT_JUDGE: "cannot judge",
}
NO_PROOF = (
    "A verdict is no proof: forgeries are made that no program here has seen, and real photos are taken for fake. Look "
    "for the source of the file, and for the same scene from elsewhere."
)


def show(console: Console, title: str, report: Detection) -> None:
    """Print the verdict of the whole, that of each face or person with its reasons, and what the figures mean."""
    say(console, f"{title}: {headline(report)}")
    table = _faces(report) if report.faces else _tracks(report)
    if table.row_count:
        console.print(table)
    for sentence in sentences(report):
        say(console, sentence)


def headline(report: Detection) -> str:
    """Return the verdict of the whole in one line."""
    if report.probability is None:
        return WORDS[report.word]
    between = f"{_share(report.probability)}, between {_share(report.low)} and {_share(report.high)}"
    if report.threshold is None:
        return f"{WORDS[report.word]}; a figure of {between}, which is no probability"
    return f"{WORDS[report.word]}; probability of fake {between}"


def sentences(report: Detection) -> Iterator[str]:
    """Yield the reasons, what the threshold costs, how it was done, and what it does not mean."""
    said = [(each.number, each.reasons) for each in report.faces]
    said += [(each.number, each.reasons) for each in report.tracks]
    numbers: dict[str, list[str]] = {}
    for number, reasons in said:
        for reason in reasons:
            numbers.setdefault(reason.text, []).append(str(number))
    one, several = ("face", "faces") if report.faces else ("person", "persons")
    for text, which in numbers.items():
        yield f"{one if len(which) == 1 else several} {', '.join(which)}: {text}"
    yield from (note.text for note in report.notes)
    if report.threshold is not None and report.probability is not None:
        rates = report.threshold
        yield (
            f"Called fake from {_share(rates.fake_from)}, real up to {_share(rates.real_to)}. At these limits "
            f"{rates.false_positive_rate:.1%} of real faces are called fake and {rates.false_negative_rate:.1%} of "
            f"fake ones real, measured on: {rates.validation}."
        )
        yield "Spread: by how much copies of the face with less detail differ; large where pixels were tampered with."
    names = ", ".join(each.name for each in report.classifiers)
    yield f"{sum(report.seconds.values()):.1f} s on {report.device}, judged by {names}, deepguard {report.version}"
    yield NO_PROOF


def _faces(report: Detection) -> Table:
    table = _table("face", "size")
    for each in report.faces:
        box = each.face.box
        table.add_row(str(each.number), f"{box.width:.0f} x {box.height:.0f}", *_figures(each))
    return table


def _tracks(report: Detection) -> Table:
    """Return the persons that were judged: in a crowd most are not."""
    table = _table("person", "seen", "frames")
    table.add_column("loudest at")
    for each in report.tracks:
        if each.word is not Word.CANNOT_JUDGE:
            times = ", ".join(f"{time:.1f}" for time in each.loudest)
            seen = f"{each.first:.1f} - {each.last:.1f} s"
            table.add_row(str(each.number), seen, str(len(each.sightings)), *_figures(each), f"{times} s")
    return table


def _table(*first: str) -> Table:
    table = plain_table()
    for heading in first:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for heading in ("fake", "between", "spread"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _figures(each: FaceVerdict | TrackVerdict) -> Iterator[str]:
    yield WORDS[each.word]
    if each.probability is None or each.spread is None:
        yield from ("", "", "")
        return
    yield _share(each.probability)
    yield f"{_share(each.low)} - {_share(each.high)}"
    yield f"{each.spread * 100:.0f} %"


def _share(probability: float | None) -> str:
    """Return a probability as whole percents, never quite none or all: no classifier is that sure."""
    return f"{min(99, max(1, round((probability or 0) * 100)))} %"
