from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from PIL import Image
from tests.attack.toys import Linear
from torch import Tensor

import deepguard
from deepguard.api import Models, Options, Protected, device_named, load_models, protect
from deepguard.api.planning import planned
from deepguard.defences.presets import ENCODERS, NINE
from deepguard.errors import NoFace, OptionError, WeightsMissing
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.detectors.ultralight import WEIGHTS as ULTRALIGHT
from deepguard.types import Box, Face, Progress
from deepguard.weights.shelf import Shelf, digest

CPU = torch.device("cpu")
ALONE = ("mtcnn",)
FEW = Options(detectors=ALONE, steps=3)


@pytest.fixture(scope="module")
def models(empty_shelf: Shelf) -> Models:
    """What a fresh installation has: MTCNN, which comes with its package."""
    return load_models(empty_shelf, CPU)


def file_of(images: Tensor, kind: str = "PNG", **options: int) -> bytes:
    pixels = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def source(astronaut: Tensor) -> bytes:
    """A JPEG of 250 x 200 pixels with one face of some 92 x 115."""
    return file_of(astronaut[..., 20:220, 100:350], "JPEG", quality=92)


@pytest.fixture(scope="module")
def picture(source: bytes) -> Picture:
    return decode(source)


@pytest.fixture(scope="module")
def result(picture: Picture, models: Models) -> Protected:
    return protect(picture, models, dataclasses.replace(FEW, steps=30, strength=4.0, through="none"), name="me.jpg")


def test_the_result_is_a_file_of_the_sources_kind_and_size(result: Protected, picture: Picture) -> None:
    with Image.open(io.BytesIO(result.data)) as opened:
        assert opened.format == "JPEG"
        assert opened.size == (250, 200)
    assert torch.equal(decode(result.data).images, result.after)
    assert torch.equal(picture.images, result.before)
    assert not torch.equal(result.before, result.after)


def test_the_file_facts_are_those_of_the_bytes(result: Protected, source: bytes) -> None:
    given, made = result.report.input, result.report.output
    assert (given.name, given.sha256, given.bytes) == ("me.jpg", hashlib.sha256(source).hexdigest(), len(source))
    assert (made.sha256, made.bytes) == (hashlib.sha256(result.data).hexdigest(), len(result.data))
    assert given.format == made.format == "JPEG"
    assert (given.width, given.height) == (made.width, made.height) == (250, 200)


def test_the_quality_is_what_one_measures_on_the_two_files(result: Protected, source: bytes) -> None:
    with Image.open(io.BytesIO(source)) as one, Image.open(io.BytesIO(result.data)) as other:
        before, after = np.asarray(one, np.float64) / 255, np.asarray(other, np.float64) / 255
    quality = result.report.picture_quality
    assert quality.psnr == pytest.approx(-10 * math.log10(float(((before - after) ** 2).mean())), abs=1e-3)
    assert 0.6 < quality.ssim < 1
    (face,), (of_face,) = result.report.faces, result.report.face_quality
    rows = slice(math.floor(face.box.top), math.ceil(face.box.bottom))
    columns = slice(math.floor(face.box.left), math.ceil(face.box.right))
    error = float(((before[rows, columns] - after[rows, columns]) ** 2).mean())
    assert of_face.psnr == pytest.approx(-10 * math.log10(error), abs=1e-3)
    assert of_face.ssim < quality.ssim


def test_the_judgement_is_what_the_detector_says_of_the_file(result: Protected, models: Models) -> None:
    (judgement,) = result.report.judgements
    (face,) = result.report.faces
    assert judgement.detector == "mtcnn"
    assert judgement.before == (True,)
    seen = models.detectors["mtcnn"].detect(decode(result.data).images)[0]
    assert judgement.after["delivered"].found == (any(face.box.overlap(each.box) >= 0.3 for each in seen),)
    assert {"delivered", "instagram", "kakaotalk"} <= set(judgement.after)
    assert all(len(each.found) == 1 for each in judgement.after.values())
    assert {name: each.retry is not None for name, each in judgement.after.items()} == {
        "delivered": True,
        "instagram": False,
        "kakaotalk": False,
    }


def test_a_fresh_installation_hides_from_what_it_has(result: Protected) -> None:
    (judgement,) = result.report.judgements
    assert judgement.after["delivered"].found == (False,)


def test_the_report_says_how_it_was_made(result: Protected, models: Models) -> None:
    report = result.report
    assert report.version == deepguard.__version__
    assert (report.preset, report.defence, report.through) == ("balanced", "shield", "none")
    assert (report.device, report.seed, report.chosen) == ("cpu", 0, (1,))
    assert report.options["steps"] == 30
    assert report.options["strength"] == 4
    assert {"finding", "protecting", "writing", "verifying"} <= set(report.seconds)
    assert all(seconds >= 0 for seconds in report.seconds.values())
    (model,) = report.models
    assert (model.name, model.attacked) == ("mtcnn", True)
    assert len(model.files) == 3
    assert all(len(each) == 64 for each in model.files.values())
    assert json.loads(json.dumps(report.as_json(), allow_nan=False))["output"]["sha256"] == report.output.sha256


def test_what_is_missing_is_named(picture: Picture, models: Models) -> None:
    assert models.missing == tuple(name for name in NINE if name != "mtcnn")
    report = protect(picture, models, Options(steps=1)).report
    assert report.missing == (*models.missing, *ENCODERS)
    assert protect(picture, models, dataclasses.replace(FEW, steps=1, encoders=())).report.missing == ()


@pytest.mark.parametrize(
    ("options", "attacked"),
    [
        (Options(), ENCODERS),
        (Options(preset="patient"), ENCODERS),
        (Options(preset="strong"), ("mtcnn", *ENCODERS)),
        (Options(preset="small-faces"), ("mtcnn", *ENCODERS)),
        (Options(detectors=("mtcnn",)), ("mtcnn", *ENCODERS)),
        (Options(encoders=()), ("mtcnn",)),
        (Options(defence="facepoison"), ("mtcnn",)),
        (Options(defence="leat"), ENCODERS),
    ],
)
def test_a_preset_attacks_detectors_only_where_it_says_so_or_no_encoder_is_there(
    models: Models, options: Options, attacked: tuple[str, ...]
) -> None:
    known = dataclasses.replace(models, encoders={name: Linear() for name in ENCODERS})
    assert planned(known, options).attacked == attacked
    if options.defence is None:
        assert planned(models, options).attacked == ("mtcnn",)


def test_nothing_changes_far_from_the_face_in_a_lossless_file(astronaut: Tensor, models: Models) -> None:
    given = decode(file_of(astronaut[..., 20:220, 100:400], "PNG"))
    made = protect(given, models, FEW)
    change = (made.after - made.before).abs()
    (face,) = made.report.faces
    far = torch.ones(200, 300, dtype=torch.bool)
    wide = face.box.grown(made.report.options["reach"])
    far[
        max(0, math.floor(wide.top)) : math.ceil(wide.bottom), max(0, math.floor(wide.left)) : math.ceil(wide.right)
    ] = 0
    assert far.any()
    assert float(change[..., far].max()) == 0
    assert float(change.max()) > 0


def test_the_baseline_changes_no_pixel_by_more_than_epsilon_and_rounding(astronaut: Tensor, models: Models) -> None:
    given = decode(file_of(astronaut[..., 20:220, 100:350], "PNG"))
    made = protect(given, models, dataclasses.replace(FEW, extra={"epsilon": 8 / 255}))
    assert 0 < float((made.after - made.before).abs().max()) <= 8 / 255 + 0.5 / 255 + 1e-6


def test_a_grey_file_stays_grey(astronaut: Tensor, models: Models) -> None:
    grey = astronaut[..., 20:220, 100:350].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    made = protect(decode(file_of(grey)), models, FEW)
    assert (made.after[:, :1] == made.after).all()
    assert not torch.equal(made.after, made.before)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(picture: Picture, models: Models) -> None:
    one, same, other = (protect(picture, models, dataclasses.replace(FEW, seed=seed)) for seed in (5, 5, 6))
    assert one.data == same.data
    assert one.data != other.data
    assert one.report.seed == 5
    assert one.report.judgements == same.report.judgements


def test_a_chain_that_is_optimised_through_is_verified_too(picture: Picture, models: Models) -> None:
    report = protect(picture, models, dataclasses.replace(FEW, steps=1, through="telegram")).report
    assert report.through == "telegram"
    assert "telegram" in report.judgements[0].after


def test_a_picture_without_faces_says_that_a_box_may_be_drawn(models: Models) -> None:
    with pytest.raises(NoFace, match="--box"):
        protect(decode(file_of(torch.full((1, 3, 120, 160), 0.5))), models, FEW)


def test_a_drawn_box_is_protected_where_nothing_is_found(models: Models) -> None:
    plain = decode(file_of(torch.full((1, 3, 120, 160), 0.5)))
    made = protect(plain, models, dataclasses.replace(FEW, box=Box(100, 60, 400, 110)))
    assert made.report.faces == (Face(Box(100, 60, 160, 110), 1.0),)
    assert made.report.judgements[0].before == (False,)


@pytest.mark.parametrize("box", [Box(500, 500, 600, 600), Box(-50, -50, -1, -1), Box(30, 30, 20, 60)])
def test_a_box_outside_the_picture_is_refused_with_its_size(picture: Picture, models: Models, box: Box) -> None:
    with pytest.raises(OptionError, match="250 x 200"):
        protect(picture, models, dataclasses.replace(FEW, box=box))


def test_a_box_too_small_to_be_a_face_is_refused_with_both_sizes(picture: Picture, models: Models) -> None:
    with pytest.raises(NoFace, match=r"12 pixels.*from 16"):
        protect(picture, models, dataclasses.replace(FEW, box=Box(10, 10, 22, 50)))


@pytest.mark.parametrize("faces", [(0,), (2,), (1, 7), (-1,)])
def test_a_face_that_does_not_exist_is_refused_with_their_number(
    picture: Picture, models: Models, faces: tuple[int, ...]
) -> None:
    with pytest.raises(OptionError, match="the picture has 1, counted from left to right"):
        protect(picture, models, dataclasses.replace(FEW, faces=faces))


def test_only_the_chosen_face_is_changed_and_judged(astronaut: Tensor, models: Models) -> None:
    one = astronaut[..., 20:220, 100:320]
    made = protect(decode(file_of(torch.cat((one, one), dim=3))), models, dataclasses.replace(FEW, faces=(2,)))
    assert len(made.report.faces) == 2
    assert made.report.chosen == (2,)
    assert len(made.report.face_quality) == 1
    assert len(made.report.judgements[0].before) == 1
    assert torch.equal(made.after[..., :220], made.before[..., :220])
    assert not torch.equal(made.after[..., 220:], made.before[..., 220:])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"preset": "balancd"}, "did you mean balanced"),
        ({"defence": "facepoisn"}, "did you mean facepoison"),
        ({"through": "instagran"}, "did you mean instagram"),
        ({"detectors": ("mtcn",)}, "did you mean mtcnn"),
        ({"detectors": ("mtcnn", "yunett")}, "did you mean yunet"),
        ({"extra": {"rech": 0.2}}, "did you mean reach"),
        ({"extra": {"reach": True}}, "reach of shield is a number"),
        ({"strength": 0.0}, "strength 0 is outside 0 to 4; 1 is usual"),
        ({"strength": 4.5}, "strength 4.5 is outside 0 to 4; 1 is usual"),
        ({"strength": -1.0}, "strength -1 is outside 0 to 4; 1 is usual"),
        ({"strength": math.nan}, "strength nan is outside 0 to 4; 1 is usual"),
        ({"strength": "much"}, "strength of shield is a number, not much"),
        ({"strength": True}, "strength of shield is a number, not True"),
        ({"extra": {"epsilon": 1.5}}, "epsilon 1.5 is outside"),
        ({"extra": {"minimal": True}}, "no option of shield called minimal"),
        ({"steps": 2.5}, "steps of shield is a whole number, not 2.5"),
        ({"steps": 0}, "must be at least 1"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_in_one_sentence(
    picture: Picture, models: Models, changes: Mapping[str, object], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        protect(picture, models, dataclasses.replace(FEW, **changes))


def test_options_are_refused_before_any_work_is_done(picture: Picture, models: Models) -> None:
    told: list[Progress] = []
    with pytest.raises(OptionError):
        protect(picture, models, Options(preset="nothing"), watch=told.append)
    assert told == []


def test_wanting_only_what_is_not_here_says_how_to_get_it(picture: Picture, models: Models) -> None:
    with pytest.raises(WeightsMissing, match="deepguard models pull"):
        protect(picture, models, Options(detectors=("yunet",)))


def test_a_chosen_detector_that_is_not_here_is_refused_with_the_command(empty_shelf: Shelf) -> None:
    with pytest.raises(WeightsMissing, match="yunet is not on the shelf; run: deepguard models pull yunet"):
        load_models(empty_shelf, CPU, ("yunet",))


def test_a_chosen_detector_that_does_not_exist_names_the_nearest(empty_shelf: Shelf) -> None:
    with pytest.raises(OptionError, match="did you mean yunet"):
        load_models(empty_shelf, CPU, ("yunett",))


def test_watching_sees_the_whole_work_and_raising_stops_it(picture: Picture, models: Models) -> None:
    told: list[Progress] = []
    protect(picture, models, FEW, watch=told.append)
    stages = list(dict.fromkeys(each.stage.split()[0] for each in told))
    assert stages == ["looking", "protect", "verifying"]
    assert all(0 <= each.done <= each.total for each in told)

    def stop(progress: Progress) -> None:
        if progress.stage == "protect":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        protect(picture, models, FEW, watch=stop)


def test_a_device_that_is_not_here_is_refused() -> None:
    assert device_named("cpu") == CPU
    assert device_named("auto") == device_named()
    with pytest.raises(OptionError, match="no device nonsense"):
        device_named("nonsense")


def test_detectors_that_are_not_chosen_only_judge(stock: Callable[..., Shelf], picture: Picture) -> None:
    shelf = stock(ULTRALIGHT)
    models = load_models(shelf, CPU)
    report = protect(picture, models, dataclasses.replace(FEW, steps=1, encoders=())).report
    assert {model.name: model.attacked for model in report.models}["mtcnn"]
    assert not {model.name: model.attacked for model in report.models}["ultralight"]
    assert {each.detector for each in report.judgements} == set(models.detectors)
    assert report.missing == ()
    (files,) = (model.files for model in report.models if model.name == "ultralight")
    assert files == {ULTRALIGHT.file: digest(shelf.path(ULTRALIGHT))}
