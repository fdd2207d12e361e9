from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import Tensor

from deepguard.filters.photo import Filters
from deepguard.measures.psnr import Psnr
from deepguard.measures.roles import Measure
from deepguard.measures.skin import Chroma, Marbling
from deepguard.measures.ssim import Ssim
from deepguard.prove.posting import posted
from deepguard.prove.quality import compare, excess
from deepguard.prove.report import FileFacts, ModelFacts, Quality, Report
from deepguard.prove.verify import Judgement, Sighting
from deepguard.transforms.posting import POSTINGS, Cap, Compress, Posting, Scale, posting
from deepguard.types import Box, Face, Note

MEASURES: dict[str, Measure] = {"psnr": Psnr(), "ssim": Ssim(), "marbling": Marbling(), "chroma": Chroma()}
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


def picture(height: int, width: int) -> Tensor:
    """Soft shapes with some grain, in 8 bits."""
    y, x = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 4, width)
    soft = torch.stack([(x * (1 + tone)).sin() * (y * (2 - tone)).cos() for tone in (0.0, 0.3, 0.6)])[None]
    grain = torch.rand(soft.shape, generator=torch.Generator().manual_seed(1)) - 0.5
    return ((0.5 + 0.3 * soft + 0.06 * grain).clamp(0, 1) * 255).round() / 255


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", POSTINGS)
def test_every_chain_returns_a_picture_in_eight_bits_that_is_like_the_given_one(name: str) -> None:
    given = picture(60, 90)
    back = posted(given, posting(name), seeded())
    assert back.dtype == torch.float32
    assert (back * 255 - (back * 255).round()).abs().max() < 1e-3
    assert not torch.equal(back, given)
    small = (
        torch.nn.functional.adaptive_avg_pool2d(given, (10, 15)),
        torch.nn.functional.adaptive_avg_pool2d(back, (10, 15)),
    )
    assert (small[0] - small[1]).abs().max() < 0.06


@pytest.mark.parametrize(
    ("size", "cap", "expected"),
    [
        ((60, 90), 45, (30, 45)),
        ((90, 60), 45, (45, 30)),
        ((60, 90), 90, (60, 90)),
        ((60, 90), 500, (60, 90)),
        ((3, 300), 50, (1, 50)),
    ],
)
def test_a_cap_holds_the_long_side_and_never_enlarges(
    size: tuple[int, int], cap: int, expected: tuple[int, int]
) -> None:
    assert tuple(posted(picture(*size), Posting("t", (Cap(cap),), "", ""), seeded()).shape[-2:]) == expected


def test_a_scale_scales_and_steps_follow_each_other() -> None:
    chain = Posting("t", (Scale(0.5), Cap(30), Compress("jpeg", 80, 80)), "", "")
    assert tuple(posted(picture(60, 90), chain, seeded()).shape[-2:]) == (20, 30)


def test_a_chain_without_steps_returns_the_picture() -> None:
    given = picture(20, 30)
    assert torch.equal(posted(given, Posting("t", (), "", ""), seeded()), given)


def test_qualities_are_drawn_from_their_range_by_the_given_chance_alone() -> None:
    given, chain = picture(40, 40), Posting("t", (Compress("jpeg", 30, 95),), "", "")
    before = torch.get_rng_state()
    assert torch.equal(posted(given, chain, seeded(1)), posted(given, chain, seeded(1)))
    drawn = [posted(given, chain, seeded(seed)) for seed in range(6)]
    assert len({float((each - given).abs().sum()) for each in drawn}) > 2
    assert torch.equal(torch.get_rng_state(), before)


def test_a_lower_quality_loses_more() -> None:
    given = picture(40, 40)
    losses = [
        float((posted(given, Posting("t", (Compress("jpeg", each, each),), "", ""), seeded()) - given).square().mean())
        for each in (30, 60, 90)
    ]
    assert losses == sorted(losses, reverse=True)


def test_quality_is_told_of_the_picture_and_of_each_face_by_itself() -> None:
    given = picture(80, 120)
    changed = given.clone()
    changed[..., 20:40, 30:50] += 0.1
    touched, untouched = Face(Box(30, 20, 50, 40), 1), Face(Box(80, 30, 100, 50), 1)
    whole, (first, second) = compare(given, changed, [touched, untouched], MEASURES)
    assert first.psnr == pytest.approx(20, abs=1e-3)  # a tenth of the range in every pixel
    assert second.psnr is None  # identical
    assert second.ssim == pytest.approx(1)
    assert whole.psnr == pytest.approx(20 + 10 * math.log10(80 * 120 / 400), abs=1e-3)
    assert first.ssim < whole.ssim < 1
    assert whole.lpips is None


def test_a_face_that_sticks_out_is_measured_where_it_is_in_the_picture() -> None:
    given = picture(40, 60)
    changed = given.clone()
    changed[..., :10, :10] += 0.1
    _, (only,) = compare(given, changed, [Face(Box(-15.5, -3.2, 9.5, 9.7), 1)], MEASURES)
    assert only.psnr == pytest.approx(20, abs=1e-3)


def test_without_faces_only_the_picture_is_measured() -> None:
    whole, each = compare(picture(20, 20), picture(20, 20), [], MEASURES)
    assert whole == Quality(pytest.approx(1), None, None)
    assert each == ()


def test_marbling_and_chroma_are_told_of_faces_alone_by_the_clean_skin() -> None:
    given = torch.full((1, 3, 90, 120), 0.5)
    changed = given.clone()
    changed[..., 20:70, 30:71:4] += 0.02  # stripes of light
    changed[:, 0, 20:70, 80:110] += 0.02  # red
    striped, stained, untouched = (Face(Box(left, 20.4, left + 20.5, 60), 1) for left in (40.2, 85, 4))
    whole, faces = compare(given, changed, [striped, stained, untouched], MEASURES)
    assert (whole.marbling, whole.chroma) == (None, None)
    place = (..., slice(20, 60), slice(40, 61))
    for name in ("marbling", "chroma"):
        value = MEASURES[name](given[place], changed[place]).item()
        assert getattr(faces[0], name) == pytest.approx(value, abs=1e-6)
    assert faces[0].marbling is not None
    assert faces[0].marbling > 0.5
    assert faces[0].chroma == pytest.approx(0, abs=1e-3)
    assert faces[1].chroma is not None
    assert faces[1].chroma > 1
    assert (faces[2].marbling, faces[2].chroma) == (0, 0)


def test_measures_that_are_not_at_hand_are_told_as_none() -> None:
    given = picture(40, 40)
    _, (only,) = compare(given, given, [Face(Box(4, 4, 30, 30), 1)], {"psnr": Psnr(), "ssim": Ssim()})
    assert only == Quality(pytest.approx(1), None, None, None, None)


@pytest.mark.parametrize(
    ("picture_quality", "faces", "expected"),
    [
        (Quality(1, None, 0), [], 0),
        (Quality(0.95, 20, None), [], 1),
        (Quality(1, None, 0.1), [Quality(1, None, 0)], 2),
        (Quality(1, None, 0), [Quality(0.93, 10, 0, 0, 0), Quality(1, None, 0.045, 0, 0)], 1),
        (Quality(1, None, None), [Quality(1, None, None, 6.0, 0.4)], 2),
        (Quality(1, None, 0), [Quality(1, None, 0.09, 0, 1)], 2.5),
        (Quality(1.0000001, None, 0, 99, 99), [Quality(1, None, None)], 0),
    ],
)
def test_the_excess_is_the_worst_share_of_a_ceiling(
    picture_quality: Quality, faces: list[Quality], expected: float
) -> None:
    assert excess(picture_quality, faces) == pytest.approx(expected)


def told() -> Report:
    file = FileFacts("a.png", "PNG", "0" * 64, 10, 4, 3)
    return Report(
        version="1",
        created="2025-01-01T00:00:00+00:00",
        input=file,
        output=file,
        device="cpu",
        seed=3,
        seconds={"finding": 0.5},
        preset="balanced",
        defence="facepoison",
        through="any",
        options={"strength": 0.7, "steps": 4},
        faces=(Face(Box(1, 2, 3, 4.5), 0.9, ((1.0, 2.0),) * 5),),
        chosen=(1,),
        judgements=(Judgement("toy", (True,), {"delivered": Sighting((False,), (True,))}),),
        models=(ModelFacts("toy", True, {"toy.bin": "f" * 64}),),
        missing=("yunet",),
        picture_quality=Quality(0.99, 40.0, None),
        face_quality=(Quality(0.9, None, 0.01, 1.7, 0.0),),
        filters=Filters(brightness=0.5, blur_others=True),
        notes=(Note("odd", "a note"),),
    )


def as_read(report: Report) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(report.as_json(), allow_nan=False))
    return body


def test_a_report_becomes_json_and_keeps_every_figure() -> None:
    body = as_read(told())
    assert body["schema"].startswith("deepguard/")
    assert body["notes"] == ["a note"]
    assert body["faces"][0]["box"] == {"left": 1, "top": 2, "right": 3, "bottom": 4.5}
    assert body["judgements"][0]["after"]["delivered"] == {"found": [False], "retry": [True]}
    assert body["models"][0]["files"] == {"toy.bin": "f" * 64}
    assert body["face_quality"] == [{"ssim": 0.9, "psnr": None, "lpips": 0.01, "marbling": 1.7, "chroma": 0.0}]
    assert body["picture_quality"] == {"ssim": 0.99, "psnr": 40.0, "lpips": None, "marbling": None, "chroma": None}
    assert body["options"] == {"strength": 0.7, "steps": 4}
    assert (body["filters"]["brightness"], body["filters"]["warmth"], body["filters"]["blur_others"]) == (
        0.5,
        0.0,
        True,
    )
    assert {"version", "created", "input", "output", "device", "seed", "seconds", "missing", "notes"} <= set(body)


def test_measured_quality_fits_the_schema_and_is_read_back_as_it_was() -> None:
    given = picture(90, 120)
    changed = (given + 0.03 * torch.randn(given.shape, generator=seeded())).clamp(0, 1)
    whole, faces = compare(given, changed, [Face(Box(10, 10, 60, 80), 1), Face(Box(80, 10, 84, 15), 1)], MEASURES)
    body = as_read(dataclasses.replace(told(), picture_quality=whole, face_quality=faces))
    jsonschema.validate(
        {"schema": body["schema"], "complete": True, "photos": [body]}, json.loads(SCHEMA.read_text(encoding="utf-8"))
    )
    assert Quality(**body["picture_quality"]) == whole
    assert tuple(Quality(**each) for each in body["face_quality"]) == faces
    assert (faces[1].marbling, faces[1].chroma) == (0, 0)  # too small to show skin


@pytest.mark.parametrize("name", ["marbling", "chroma"])
@pytest.mark.parametrize("value", [-0.1, "1.8"])
def test_the_schema_refuses_what_no_skin_can_have(name: str, value: object) -> None:
    body = as_read(told())
    body["face_quality"][0][name] = value
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid(
        {"schema": body["schema"], "complete": True, "photos": [body]}
    )
