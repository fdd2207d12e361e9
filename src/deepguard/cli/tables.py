"""The result in words and figures, for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from deepguard.measures.ceilings import FACE, PICTURE
from deepguard.prove.report import Quality, Report
from deepguard.prove.verify import Judgement, Sighting

DELIVERED = "delivered"
UNCLEAN = "not_clean"
"""Code of the note that some detectors still find a face, since hiding it from them would be seen by everyone."""


def console_for(*, stderr: bool = False) -> Console:
    """Return the console for one of the two streams; it prints text as it is."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def say(console: Console, sentence: str) -> None:
    """Print a sentence; wrapped at words on a terminal, on one line for the next program."""
    console.print(sentence, soft_wrap=not console.is_terminal)


def plain_table(*headings: str) -> Table:
    """Return a table without vertical rules: nine detectors and five versions fit into 80 columns."""
    return Table(*headings, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))


def show(console: Console, report: Report) -> None:
    """Print what still finds the faces, how visible the change is, and what the reader should know."""
    for sentence in (*summary(report), *(note.text for note in report.notes if note.code == UNCLEAN)):
        say(console, sentence)
    console.print()
    say(console, "faces still found (in brackets: by an attacker who tries again)")
    console.print(_sightings(report))
    if report.likenesses:
        say(console, "likeness to the face before, and from where on it counts as the same person")
        console.print(_likenesses(report))
    say(console, "how close to the original")
    console.print(_qualities(report))
    for sentence in _sentences(report):
        say(console, sentence)


def summary(report: Report) -> Iterable[str]:
    """Yield the result in plain words: of the attacked detectors, then of those that only judged."""
    faces = "face" if len(report.chosen) == 1 else "faces"
    attacked = {model.name for model in report.models if model.attacked}
    hidden_from = [each for each in report.judgements if each.detector in attacked and any(each.before)]
    yield from _known(report, attacked)
    judges = [each for each in report.judgements if each.detector not in attacked and any(each.before)]
    alone = all(each.detector not in attacked for each in report.judgements)
    if hidden_from:
        counted = _count(hidden_from, faces)
        yield f"{counted[0].upper()}{counted[1:]}."
    elif not alone:
        yield f"None of the detectors to hide from found the {faces} before."
    if judges:
        whose = "Detectors were left alone: " if alone else "Of those that only judged, "
        yield f"{whose}{_count(judges, faces)}."


def _known(report: Report, attacked: Collection[str]) -> Iterable[str]:
    """Yield how many encoders still take a face for the same person, those that were attacked and judges apart."""
    told = [each for each in report.likenesses if None not in each.matched(DELIVERED)]
    for whose, chosen in (("to hide from", True), ("that only judged", False)):
        group = [each for each in told if (each.encoder in attacked) is chosen]
        if group:
            knowing = sum(any(each.matched(DELIVERED)) for each in group)
            verb = "knows" if knowing == 1 else "know"
            yield f"{knowing or 'None'} of {len(group)} encoders {whose} still {verb} the person."


def _likenesses(report: Report) -> Table:
    versions = list(report.judgements[0].after)
    table = plain_table()
    for heading in ("encoder", "from", *versions):
        table.add_column(heading, justify="right" if heading != "encoder" else "left")
    attacked = {model.name for model in report.models if model.attacked}
    for each in report.likenesses:
        cells = [
            " ".join("-" if cosine is None else f"{cosine:.2f}" for cosine in each.after[name]) for name in versions
        ]
        name = each.encoder if each.encoder in attacked else f"{each.encoder} (judge)"
        table.add_row(name, "-" if each.threshold is None else f"{each.threshold:.2f}", *cells)
    return table


def _count(judgements: Sequence[Judgement], faces: str) -> str:
    total = len(judgements)
    blind = {version: sum(not any(each.after[version].found) for each in judgements) for version in judgements[0].after}
    delivered = blind.pop(DELIVERED)
    if not delivered:
        return f"{'the detector still finds' if total == 1 else f'all {total} detectors still find'} the {faces}"
    verb = "detector no longer finds" if total == 1 else "detectors no longer find"
    words = f"{delivered} of {total} {verb} the {faces}"
    if not blind:
        return words
    worst = min(blind, key=lambda version: blind[version])
    if blind[worst] >= delivered:
        return f"{words}, also after {', '.join(blind)}"
    return f"{words}; after {worst} {blind[worst]} of {total}"


def _sightings(report: Report) -> Table:
    versions = list(report.judgements[0].after)
    table = plain_table()
    table.add_column("detector")
    table.add_column("before", justify="right")
    for version in versions:
        table.add_column(version, justify="right")
    attacked = {model.name: model.attacked for model in report.models}
    for judgement in report.judgements:
        cells = [_counted(judgement.after[version]) for version in versions]
        name = judgement.detector if attacked[judgement.detector] else f"{judgement.detector} (judge)"
        table.add_row(name, f"{sum(judgement.before)} of {len(judgement.before)}", *cells)
    return table


def _counted(sighting: Sighting) -> str:
    found = str(sum(sighting.found))
    return found if sighting.retry is None else f"{found} ({sum(sighting.retry)})"


def _qualities(report: Report) -> Table:
    table = plain_table()
    for heading in ("", "SSIM", "PSNR", "LPIPS", "pattern", "tint"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("picture", *_figures(report.picture_quality))
    for number, quality in zip(report.chosen, report.face_quality, strict=True):
        table.add_row(f"face {number}", *_figures(quality))
    return table


def _figures(quality: Quality) -> Iterable[str]:
    yield f"{quality.ssim:.3f}"
    yield "identical" if quality.psnr is None else f"{quality.psnr:.1f} dB"
    yield "not measured" if quality.lpips is None else f"{quality.lpips:.3f}"
    for level in (quality.marbling, quality.chroma):
        yield "" if level is None else f"{level:.2f}"


def _sentences(report: Report) -> Iterable[str]:
    yield (
        f"Hardly noticed: a picture from SSIM {PICTURE.ssim:g} and to LPIPS {PICTURE.lpips:g}; a face from SSIM "
        f"{FACE.ssim:g} and to LPIPS {FACE.lpips:g}, to a pattern of {FACE.marbling:g} and a tint of {FACE.chroma:g} "
        "levels of 255 on its skin"
    )
    seconds = sum(report.seconds.values())
    yield f"{seconds:.1f} s on {report.device}, seed {report.seed}, {report.defence} with preset {report.preset}"
    yield (
        "This raises the cost of misuse; it does not make the picture safe. It was tested against the models in "
        f"the tables, as of version {report.version}; others may still find or know the face."
    )
    if report.missing:
        yield f"Not tested, since their weights are not here: {', '.join(report.missing)}; run: deepguard models pull"
    if report.picture_quality.lpips is None:
        yield "LPIPS was not measured, since its weights are not here; run: deepguard models pull lpips"
    yield from (note.text for note in report.notes if note.code != UNCLEAN)
