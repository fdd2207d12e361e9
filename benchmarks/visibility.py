"""What hiding costs the eye: faces found against the share of the ceilings of visibility, for both shapes of change."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from benchmarks._machine import place
from deepguard import api
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import read_picture
from deepguard.media.sample import sample_file
from deepguard.prove.posting import posted
from deepguard.prove.quality import excess
from deepguard.prove.verify import judge
from deepguard.settings import Settings
from deepguard.transforms.posting import posting
from deepguard.types import Images, Rng
from deepguard.weights.shelf import Shelf

STRENGTHS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
LEVELS = (1, 2, 3, 4, 6, 8, 12)
"""Of 255, the radius of the L-infinity ball."""

HEAD = "| change | of the ceilings | SSIM | LPIPS | pattern | tint | found as delivered | after JPEG 75 |"


def main(arguments: Sequence[str]) -> None:
    """Print the section in Markdown; with --pictures, also write the face of each beside the original."""
    options = _options(arguments)
    torch.set_flush_denormal(True)  # as the command does
    models = api.load_models(Shelf(options.models, offline=True), api.device_named(options.device))
    picture = read_picture(options.photo or sample_file())
    print("## Effect against visibility", end="\n\n")
    print(f"{place()}; seed {options.seed}; {len(models.detectors)} detectors.", end="\n\n")
    print(f"{HEAD}\n|---|{'--:|' * (HEAD.count('|') - 2)}", flush=True)
    for name, chosen in _changes(options.seed):
        made = api.protect(picture, models, chosen)
        print(_row(name, made, models), flush=True)
        if options.pictures is not None:
            options.pictures.mkdir(parents=True, exist_ok=True)
            face = made.report.faces[0].box.grown(0.3).pixels(picture.height, picture.width)
            target = options.pictures / f"{name.replace(' ', '-').replace('/', '-')}.png"
            target.write_bytes(_beside(picture, made.before[..., *face], made.after[..., *face]))


def _changes(seed: int) -> Iterator[tuple[str, api.Options]]:
    for strength in STRENGTHS:
        yield f"ours {strength:g}", api.Options(strength=strength, seed=seed)
    for level in LEVELS:
        yield f"L-infinity {level}/255", api.Options(extra={"epsilon": level / 255}, seed=seed)


def _row(name: str, made: api.Protected, models: api.Models) -> str:
    report = made.report
    faces = [report.faces[number - 1] for number in report.chosen]
    once = posted(made.after, posting("jpeg75"), Rng().manual_seed(report.seed))
    judged = judge(made.before, {"jpeg75": once}, faces, models.detectors, retry=())
    before = sum(sum(each.before) for each in judged)
    found = sum(sum(each.after["delivered"].found) for each in report.judgements)
    later = sum(sum(each.after["jpeg75"].found) for each in judged)
    (quality,) = report.face_quality[:1]
    used = excess(report.picture_quality, report.face_quality)
    figures = f"{used:.2f} | {quality.ssim:.3f} | {_short(quality.lpips)} | {_short(quality.marbling)}"
    return f"| {name} | {figures} | {_short(quality.chroma)} | {found}/{before} | {later}/{before} |"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _beside(picture: Picture, before: Images, after: Images) -> bytes:
    both = dataclasses.replace(picture, images=torch.cat((before, after), dim=-1))
    return encode(both, both.images)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks visibility", description=__doc__)
    parser.add_argument("--photo", type=Path, help="a photo with one face; otherwise the sample photo")
    parser.add_argument("--models", type=Path, default=Settings.from_environment().models, help="the shelf")
    parser.add_argument("--pictures", type=Path, help="folder for each face beside the original")
    parser.add_argument("--device")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)
