"""How well faces are hidden in real photos, how visibly, and how fast; beside random noise of the same size."""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks._machine import memory, place
from deepguard import api
from deepguard.cli.demo import sample_file
from deepguard.defences.presets import PRESETS
from deepguard.defences.regions import regions
from deepguard.errors import DeepguardError
from deepguard.media.encode import encode
from deepguard.media.files import pictures_below
from deepguard.media.picture import Picture
from deepguard.media.read import decode, read_picture
from deepguard.models.roles import detectors
from deepguard.prove.report import Quality, Report
from deepguard.prove.verify import Judgement, judge
from deepguard.settings import Settings
from deepguard.types import Face, Images, Rng
from deepguard.weights.shelf import Shelf

ALL = "all that were attacked"

LEGEND = """\
Each cell: faces found / found before by the same detector, over all photos; in brackets by an attacker who tries again
(threshold 0.3, at half, full and twofold size). "Before" is found / faces, where a face is what two detectors or
more see. "Noise" is random noise of plus or minus epsilon in each channel, in the same mask, written the same way. All
is measured on the written file, read back."""


@dataclass(frozen=True)
class Run:
    """One protected photo: its name, what came of it, and what the detectors say of noise of the same size."""

    photo: str
    report: Report
    noise: tuple[Judgement, ...]


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown."""
    options = _options(arguments)
    torch.set_flush_denormal(True)  # as the command does
    models = api.load_models(Shelf(options.models, offline=True), api.device_named(options.device), options.detectors)
    photos = (pictures_below(options.data / "portraits") or [sample_file()])[: options.limit]
    print("## Protect", end="\n\n")
    print(f"`python -m benchmarks protect {' '.join(arguments)}`".replace(" `", "`"), end="\n\n")
    print(f"{place()}; {models.device}; seed {options.seed}; photos: {len(photos)}.", end="\n\n")
    print(LEGEND, end="\n\n", flush=True)
    for preset in options.presets:
        chosen = api.Options(
            preset=preset,
            defence=options.defence,
            detectors=options.detectors,
            through=options.through,
            seed=options.seed,
        )
        runs, failures = measured(photos, models, chosen)
        print(section(preset, runs, failures), end="\n\n", flush=True)
    print(f"Peak memory of this process: {memory(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)}.")


def measured(photos: Sequence[Path], models: api.Models, options: api.Options) -> tuple[list[Run], list[str]]:
    """Protect the photos; return what came of each, and a sentence for each that could not be protected."""
    runs, failures = [], []
    for photo in photos:
        try:
            picture = read_picture(photo)
            result = api.protect(picture, models, options, name=photo.name)
        except DeepguardError as error:
            failures.append(f"{photo.name}: {error}")
            continue
        runs.append(Run(photo.name, result.report, control(picture, models, result.report)))
    return runs, failures


def control(picture: Picture, models: api.Models, report: Report) -> tuple[Judgement, ...]:
    """Return what the detectors say of the photo with noise as large as the change may be, written as the result."""
    faces = [report.faces[number - 1] for number in report.chosen]
    epsilon, reach = float(report.options["epsilon"]), float(report.options.get("reach", 0.3))
    changed = noisy(picture, faces, epsilon, reach, Rng().manual_seed(report.seed))
    delivered = decode(encode(picture, changed)).images
    places = picture.images.to(models.device), {"delivered": delivered.to(models.device)}
    return judge(*places, faces, models.detectors)


def noisy(picture: Picture, faces: Sequence[Face], epsilon: float, reach: float, rng: Rng) -> Images:
    """Return the picture with random signs times epsilon, faded at the edge as a defence's change is."""
    changed = picture.images.clone()
    channels = 1 if picture.grey else 3
    for region in regions(faces, picture.height, picture.width, reach=reach, context=0.2):
        window = region.cut(changed)
        height, width = window.shape[-2:]
        signs = torch.randint(2, (1, channels, height, width), generator=rng) * 2.0 - 1
        window.copy_((window + epsilon * region.mask(height, width) * signs).clamp(0, 1))
    return changed


def section(preset: str, runs: Sequence[Run], failures: Sequence[str] = ()) -> str:
    """Return a preset's heading and tables in Markdown."""
    sorry = [f"Not protected: {sentence}" for sentence in failures]
    if not runs:
        return "\n\n".join([f"### `{preset}`", *sorry])
    first = runs[0].report
    options = ", ".join(f"{name} {_short(value)}" for name, value in first.options.items())
    about = f"Defence {first.defence} through {first.through}: {options}."
    parts = [f"### `{preset}`", about, sightings(runs), qualities(runs), times(runs), *sorry]
    return "\n\n".join(parts)


def sightings(runs: Sequence[Run]) -> str:
    """Return how many faces each detector still finds, as a table in Markdown."""
    versions = list(runs[0].report.judgements[0].after)
    titles = ["as delivered" if version == "delivered" else version for version in versions]
    attacked = {model.name for model in runs[0].report.models if model.attacked}
    names = [judgement.detector for judgement in runs[0].report.judgements]
    rows = [
        [name if name in attacked else f"{name} (judge)", *_counts(runs, {name}, versions)]
        for name in sorted(names, key=lambda name: name not in attacked)
    ]
    if len(attacked) > 1:
        rows.append([f"**{ALL}**", *_counts(runs, attacked, versions)])
    return _table(["detector", "before", "noise", *titles], rows)


def _counts(runs: Sequence[Run], names: set[str], versions: Sequence[str]) -> list[str]:
    judged = [each for run in runs for each in run.report.judgements if each.detector in names]
    noised = [each for run in runs for each in run.noise if each.detector in names]
    before = sum(sum(each.before) for each in judged)
    cells = [f"{before}/{sum(len(each.before) for each in judged)}", _share(noised, "delivered", before)]
    return [*cells, *(_share(judged, version, before) for version in versions)]


def _share(judged: Iterable[Judgement], version: str, before: int) -> str:
    seen = [each.after[version] for each in judged]
    found, retry = sum(sum(each.found) for each in seen), sum(sum(each.retry) for each in seen)
    return f"{found}/{before} ({retry})"


def qualities(runs: Sequence[Run]) -> str:
    """Return the medians of the quality of pictures and of faces, as a table in Markdown."""
    pictures = [run.report.picture_quality for run in runs]
    faces = [quality for run in runs for quality in run.report.face_quality]
    rows = [
        [f"{name}, median of {len(found)}", *_medians(found)]
        for name, found in (("picture", pictures), ("face", faces))
    ]
    return _table(["", "SSIM", "PSNR, dB", "LPIPS"], rows)


def _medians(found: Sequence[Quality]) -> Iterable[str]:
    yield _median((each.ssim for each in found), "{:.3f}")
    yield _median((each.psnr for each in found), "{:.1f}")
    yield _median((each.lpips for each in found), "{:.3f}")


def _median(values: Iterable[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return form.format(statistics.median(known)) if known else "not measured"


def times(runs: Sequence[Run]) -> str:
    """Return each photo's seconds and what is still found in it as delivered, and the median, as a table."""
    rows = [_photo(run) for run in runs]
    spent = [run.report.seconds for run in runs]
    medians = [statistics.median(each.get(part, 0.0) for each in spent) for part in spent[0]]
    total = statistics.median(sum(each.values()) for each in spent)
    rows.append(["**median**", "", "", "", *(f"{value:.1f}" for value in medians), f"{total:.1f}"])
    return _table(
        ["photo", "pixels", "faces", "found as delivered", *(f"{part}, s" for part in spent[0]), "all, s"], rows
    )


def _photo(run: Run) -> list[str]:
    report = run.report
    found = {each.detector: sum(each.after["delivered"].found) for each in report.judgements}
    loud = [f"{name} {count}" for name, count in found.items() if count]
    seconds = [f"{value:.1f}" for value in report.seconds.values()]
    size = f"{report.input.width} x {report.input.height}"
    total = f"{sum(report.seconds.values()):.1f}"
    return [run.photo, size, str(len(report.chosen)), ", ".join(loud) or "none", *seconds, total]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: float | int | bool) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks protect", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the folder portraits")
    parser.add_argument("--models", type=Path, default=Settings.from_environment().models, help="the shelf")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["balanced"])
    parser.add_argument("--defence", help="otherwise the presets'")
    parser.add_argument("--through", help="a posting chain, any or none; otherwise the presets'")
    parser.add_argument("--detectors", nargs="+", choices=detectors.names(), help="hide from these; others only judge")
    parser.add_argument("--limit", type=int, help="only so many photos")
    parser.add_argument("--device")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(arguments)
    parsed.detectors = tuple(parsed.detectors) if parsed.detectors else None
    return parsed
