"""`deepguard protect`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from deepguard import api
from deepguard.cli.batch import Batch, Work
from deepguard.cli.values import Drawn, Names, Numbers, Setting
from deepguard.defences.presets import PRESETS
from deepguard.defences.roles import options_of
from deepguard.defences.shield import Shield
from deepguard.errors import InputError, OptionError
from deepguard.filters.photo import Filters
from deepguard.media.files import pictures_below
from deepguard.transforms.posting import POSTINGS
from deepguard.types import Box

EXAMPLES = """
\b
Examples:
  deepguard protect photo.jpg
  deepguard protect holiday/ --out-dir protected/
  deepguard protect photo.jpg --preset strong --through instagram --compare difference.png
  deepguard protect friends.jpg --faces 2 --blur-others --brightness 0.2
\b
Presets:
{presets}
\b
Chains for --through: any (a mixture), none (as delivered only),
  {chains}
\b
Options of the defence for --set: {options}
\b
Exit codes: 0 all done, 1 some failed, 2 wrong usage, 3 no face found, 130 stopped
"""


def _examples() -> str:
    presets = "\n".join(f"  {name}: {preset.summary}" for name, preset in PRESETS.items())
    options = ", ".join(options_of(Shield))
    return EXAMPLES.format(presets=presets, chains=", ".join(POSTINGS), options=options)


@click.command(epilog=_examples())
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the one protected photo goes.")
@click.option("--out-dir", type=click.Path(path_type=Path), help="Folder for the results; folders keep their tree.")
@click.option("--preset", default="balanced", show_default=True, help="A named set of options.")
@click.option("--defence", help="The recipe; otherwise the preset's.")
@click.option("--detectors", type=Names(), help="Detectors to hide from; the others at hand only judge.")
@click.option(
    "--encoders", type=Names(none=True), help="Encoders that are to see a stranger, or none; the others only judge."
)
@click.option("--strength", type=float, help="Most that is used of what the eye forgives, to 4; 1 is hardly seen.")
@click.option("--steps", type=click.IntRange(1, 10_000), help="Steps of the climb.")
@click.option("--through", metavar="CHAIN|none", help="What posting does to the photo that the change must survive.")
@click.option("--faces", type=Numbers(least=1), help="Which faces, counted from 1, left to right.")
@click.option("--box", type=Drawn(), help="A face that you draw yourself, in pixels.")
@click.option("--set", "extra", type=Setting(), multiple=True, help="A further option of the defence; repeatable.")
@click.option("--brightness", type=float, default=0, help="Before protection: -1 darker to 1 brighter.")
@click.option("--contrast", type=float, default=0, help="Before protection: -1 flatter to 1 harder.")
@click.option("--saturation", type=float, default=0, help="Before protection: -1 grey to 1 more colourful.")
@click.option("--warmth", type=float, default=0, help="Before protection: -1 bluer to 1 redder.")
@click.option("--sharpen", type=float, default=0, help="Before protection: 0 to 1.")
@click.option("--blur-others", is_flag=True, help="Blur the faces that were found and are not protected.")
@click.option("--device", help="cpu, cuda or cuda:1; otherwise a GPU where there is one.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all chance.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what was measured as JSON.")
@click.option("--compare", type=click.Path(path_type=Path), help="Write before, after and difference as PNG.")
@click.option("--offline", is_flag=True, help="Never use the network.")
def protect(
    paths: tuple[Path, ...],
    output: Path | None,
    out_dir: Path | None,
    box: Box | None,
    faces: tuple[int, ...] | None,
    extra: tuple[tuple[str, Any], ...],
    device: str | None,
    report: Path | None,
    compare: Path | None,
    offline: bool,
    **choices: Any,
) -> None:
    """Protect photos so that face detectors miss the faces and face encoders take them for strangers.

    A photo's protected version is written beside it as NAME.protected.EXT; the photo itself is never touched.
    A folder is searched for photos in all its folders.
    """
    if output and out_dir:
        raise OptionError("-o and --out-dir exclude each other; -o names one file, --out-dir a folder")
    if faces and box:
        raise OptionError("--faces and --box exclude each other; --faces picks among those found, --box draws one")
    filters = Filters(**{each.name: choices.pop(each.name) for each in dataclasses.fields(Filters)})
    options = api.Options(faces=faces or (), box=box, extra=dict(extra), filters=filters, **choices)
    api.check(options)
    works = plan(paths, output, out_dir)
    if len(works) != 1 and (output or compare or box):
        raise OptionError("-o, --compare and --box take exactly one photo; use --out-dir for several")
    raise SystemExit(Batch(options, device, report, compare, offline).run(works))


def plan(paths: tuple[Path, ...], output: Path | None, out_dir: Path | None) -> list[Work]:
    """Return every photo with its target, each photo once; InputError where there is none."""
    works: dict[Path, Work] = {}
    for path in paths:
        if path.is_dir():
            for source in pictures_below(path):
                works.setdefault(source.resolve(), Work(source, out_dir, path if out_dir else None))
        else:
            inside = path.parent if out_dir else None
            works.setdefault(path.resolve(), Work(path, output or out_dir, inside))
    if not works:
        raise InputError(f"no JPEG, PNG, WebP, TIFF, BMP or HEIC photo is in {', '.join(map(str, paths))}")
    return list(works.values())
