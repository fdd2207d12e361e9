"""The result in words and figures, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from deepguard.prove.report import Quality, Report


def show(console: Console, report: Report) -> None:
    """Print what still finds the faces, how visible the change is, and what the reader should know."""
    console.print(_sightings(report))
    console.print(_qualities(report))
    for sentence in _sentences(report):
        console.print(sentence, highlight=False)


def _sightings(report: Report) -> Table:
    versions = list(report.judgements[0].after)
    table = Table(title="faces still found (in brackets: by an attacker who tries again)", title_justify="left")
    table.add_column("detector")
    table.add_column("before", justify="right")
    for version in versions:
        table.add_column("as delivered" if version == "delivered" else version, justify="right")
    attacked = {model.name: model.attacked for model in report.models}
    for judgement in report.judgements:
        cells = [
            f"{sum(judgement.after[version].found)} ({sum(judgement.after[version].retry)})" for version in versions
        ]
        name = judgement.detector if attacked[judgement.detector] else f"{judgement.detector} (judge)"
        table.add_row(name, f"{sum(judgement.before)} of {len(judgement.before)}", *cells)
    return table


def _qualities(report: Report) -> Table:
    table = Table(title="how close to the original", title_justify="left")
    for heading in ("", "SSIM", "PSNR", "LPIPS"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("picture", *_figures(report.picture_quality))
    for number, quality in zip(report.chosen, report.face_quality, strict=True):
        table.add_row(f"face {number}", *_figures(quality))
    return table


def _figures(quality: Quality) -> Iterable[str]:
    yield f"{quality.ssim:.3f}"
    yield "identical" if quality.psnr is None else f"{quality.psnr:.1f} dB"
    yield "not measured" if quality.lpips is None else f"{quality.lpips:.3f}"


def _sentences(report: Report) -> Iterable[str]:
    seconds = sum(report.seconds.values())
    yield f"{seconds:.1f} s on {report.device}, seed {report.seed}, {report.defence} with preset {report.preset}"
    yield (
        "This raises the cost of misuse; it does not make the picture safe. It was tested against the detectors in "
        f"the table, as of version {report.version}; others may still find the face."
    )
    if report.missing:
        yield f"Not tested, since their weights are not here: {', '.join(report.missing)}; run: deepguard models pull"
    if report.picture_quality.lpips is None:
        yield "LPIPS was not measured, since its weights are not here; run: deepguard models pull lpips"
    yield from report.notes
