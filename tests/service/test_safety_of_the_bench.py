"""The rules that make the test bench worth nothing to an abuser: each test fails where its rule is broken."""

from __future__ import annotations

import ast
import dataclasses
import gc
import importlib.resources
import inspect
import logging
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
import torch
from click.testing import CliRunner
from tests.service.kinds.proved import proof, worked
from tests.service.web.conftest import TestClient

from deepguard import api
from deepguard.cli import main as cli
from deepguard.errors import OptionError, WeightsError
from deepguard.media.read import decode
from deepguard.media.sample import sample_file
from deepguard.media.video import open_clip
from deepguard.models.swappers.inswapper import WEIGHTS as INSWAPPER
from deepguard.models.swappers.roles import Crops, Learned, swappers
from deepguard.prove import bench as benches
from deepguard.prove.band import banded
from deepguard.prove.bench import CLIP_SIDE, Attempt, Bench, attempt
from deepguard.prove.clip import clip
from deepguard.prove.counterparts import counterparts
from deepguard.prove.driving import COUNT
from deepguard.prove.sheet import sheet
from deepguard.service.joblogs import LOG
from deepguard.service.kinds.prove import RESULTS
from deepguard.service.parts import open_parts
from deepguard.service.readiness import abilities
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table
from deepguard.service.web.app import make_app
from deepguard.service.web.options import check_options
from deepguard.types import Box, Face, Images
from deepguard.weights.shelf import Shelf

SOURCE = Path(str(importlib.resources.files("deepguard")))
OTHER_SIDE = re.compile(
    r"(?:^|[_.-])(?:source|target|driver|driving|second|other|donor|victim|swap|onto|url|uri|link|face[_-]?2)(?:$|[_.-])"
)
"""Names that would ask for the other side of a swap, or for somewhere to take it from."""
NAMED = {("detect", "source")}
"""The one file that is judged: nothing is made of it."""
MEDIA = re.compile("Picture|Images|Path|bytes")
READ_AS_MEDIA = {
    "protect": {"paths"},
    "prove": {"photo", "protected"},
    "detect": {"paths"},
    "demo": {"photo"},
    "bench protect": {"places"},
    "bench identity": {"places"},
    "bench swap": {"places"},
    "evaluate classifier": {"data"},
    "evaluate encoders": {"lfw", "faces"},
    "export classifier": {"pictures"},
}
"""Command -> its parameters that name pictures. Those of `prove` are one photo and its own protected version."""
OTHER_FILES = {
    "again", "calibration", "compare", "clip", "file", "fit", "folders", "heat", "journal", "markdown", "out",
    "out_dir", "output", "page", "report", "sheet", "weights",
}  # fmt: skip
"""Parameters that name results, reports, weights and folders of these."""
FACE = Face(
    Box(188.0, 62.0, 270.0, 170.0),
    0.99,
    ((207.0, 110.0), (247.0, 109.0), (228.0, 134.0), (212.0, 150.0), (245.0, 149.0)),
)


class Glaring:
    """A swapper whose output is noise that nobody could overlook; it remembers what it gave away."""

    source = target = swappers.create("warp", Shelf(Path("nowhere"), offline=True), torch.device("cpu")).target
    steps = 0

    def __init__(self) -> None:
        self.given: list[weakref.ref[torch.Tensor]] = []

    def learn(self, source: Crops, targets: Crops, **how: Any) -> Learned:
        return self

    @property
    def mask(self) -> torch.Tensor:
        return torch.ones(self.target.height, self.target.width)

    def swap(self, targets: Crops) -> Images:
        made = torch.rand(targets.images.shape, generator=torch.Generator().manual_seed(1))
        self.given.append(weakref.ref(made))
        return made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf", offline=True)


@pytest.fixture(scope="module")
def photo() -> Images:
    return decode(sample_file().read_bytes()).images


def described(tmp_path: Path) -> dict[str, Any]:
    parts = open_parts(ServiceSettings(home=tmp_path / "home", _env_file=None))
    body: dict[str, Any] = make_app(parts).openapi()
    parts.database.close()
    return body


def operations(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def properties(schema: Any, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a JSON schema, however deep."""
    if isinstance(schema, list):
        for each in schema:
            yield from properties(each, body)
        return
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield from properties(body["components"]["schemas"][schema["$ref"].rpartition("/")[2]], body)
    for name, value in schema.get("properties", {}).items():
        yield name, value
        yield from properties(value, body)
    for key in ("items", "anyOf", "oneOf", "allOf", "if", "then", "else", "additionalProperties"):
        yield from properties(schema.get(key), body)


def inputs(operation: dict[str, Any], body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that a caller of one address can say, by name."""
    for each in operation.get("parameters", ()):
        yield each["name"], each["schema"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from properties(content["schema"], body)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))
    else:
        yield " ".join(path), command


# 1. Nobody gives a second picture


def test_no_address_of_the_api_takes_a_second_picture_or_says_where_one_is(tmp_path: Path) -> None:
    body = described(tmp_path)
    seen = set()
    for address, operation in operations(body):
        given = list(inputs(operation, body))
        files = [name for name, schema in given if schema.get("format") == "binary" or "contentMediaType" in schema]
        assert len(files) <= 1, address
        assert not [name for name, _ in given if OTHER_SIDE.search(name)], address
        uploads = [schema for name, schema in given if "upload" in name]
        assert len(uploads) <= 1, address
        assert all(schema.get("type") == "string" for schema in uploads), address
        seen |= {address for _ in files}
    # what is looked for is there
    assert {"post /api/v1/uploads", "post /api/v1/run/{kind}"} <= seen


def test_no_kind_of_job_has_an_option_for_a_second_picture(shelf: Shelf) -> None:
    every = abilities(shelf)
    assert {"protect", "prove", "find", "detect"} <= set(every)
    for kind, ability in every.items():
        for name, schema in properties(ability["schema"], {}):
            assert not OTHER_SIDE.search(name), f"{kind}: {name}"
            free = schema.get("type") == "string" and "enum" not in schema
            # a text that anybody may write could name a file; that of `of` names a job of one's own
            assert not free or (kind, name) == ("prove", "of"), f"{kind}: {name}"


def test_a_form_with_two_files_is_refused(tmp_path: Path) -> None:
    parts = open_parts(ServiceSettings(home=tmp_path / "home", _env_file=None))
    Table.metadata.create_all(parts.database.engine)
    picture = sample_file().read_bytes()
    with TestClient(make_app(parts), raise_server_exceptions=False) as client:
        two = [("file", ("me.png", picture, "image/png")), ("file", ("you.png", picture, "image/png"))]
        assert client.post("/api/v1/uploads", files=two).status_code == 422
        beside = [("file", ("me.png", picture, "image/png")), ("target", ("you.png", picture, "image/png"))]
        assert client.post("/api/v1/uploads", files=beside).status_code == 422


def test_no_command_takes_a_second_picture() -> None:
    seen = set()
    for name, command in commands(cli.main):
        for parameter in command.params:
            spoken = [parameter.name or "", *(each.lstrip("-") for each in parameter.opts)]
            assert not [each for each in spoken if OTHER_SIDE.search(each)], f"{name}: {spoken}"
            if isinstance(parameter.type, click.Path | click.File):
                media = parameter.name in READ_AS_MEDIA.get(name, ())
                assert media or parameter.name in OTHER_FILES, f"{name}: what does {parameter.name} name?"
        seen.add(name)
    assert {"protect", "prove", "detect"} <= seen


def test_no_function_of_the_library_takes_a_second_picture() -> None:
    for name in api.__all__:
        value = getattr(api, name)
        if inspect.isfunction(value):
            given = inspect.signature(value).parameters
            assert not [each for each in given if OTHER_SIDE.search(each) and (name, each) not in NAMED], name
            media = [
                each for each, kind in given.items() if re.search("Picture|Images|Path|bytes", str(kind.annotation))
            ]
            # a photo and its own protected version: the next test
            assert len(media) <= (2 if name in {"prove", "prove_again"} else 1), f"{name}: {media}"
        elif dataclasses.is_dataclass(value) and name.endswith("Options"):
            for field in dataclasses.fields(value):
                assert not OTHER_SIDE.search(field.name), f"{name}.{field.name}"
                assert not MEDIA.search(str(field.type)), f"{name}.{field.name}"


def test_the_protected_picture_of_a_proof_must_be_the_same_photo(shelf: Shelf, photo: Images) -> None:
    original = decode(sample_file().read_bytes())
    models = api.load_models(shelf, torch.device("cpu"))
    mirrored = dataclasses.replace(original, images=photo.flip(-1), sha256="0" * 64)
    face = photo.clone()
    # somebody else's face at its place
    face[..., 62:170, 188:270] = photo[..., 300:408, 300:382]
    elsewhere = dataclasses.replace(original, images=face, sha256="1" * 64)
    for other in (mirrored, elsewhere):
        with pytest.raises(OptionError, match=r"never a picture of somebody else|two different pictures"):
            api.prove(original, other, models)


def test_the_other_side_is_one_of_a_closed_set_that_comes_with_the_installation(shelf: Shelf) -> None:
    for wrong in ("../../me.png", "/etc/passwd", "https://example.org/me.png", "me"):
        with pytest.raises(OptionError):
            api.check_proof(api.ProveOptions(counterpart=wrong))
    schema = abilities(shelf)["prove"]["schema"]["properties"]["counterpart"]
    assert schema["enum"] == list(counterparts())


# 2. What is seen of a swap has the band in it, is small and short


def test_the_band_lies_in_the_pixels_of_all_that_leaves_the_bench(
    photo: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare: list[Images] = []
    monkeypatch.setattr(benches, "banded", lambda images: (bare.append(images.clone()), banded(images))[1])
    shown = attempt(Bench(Glaring(), "astronaut", {}, {}), photo, FACE, show="clip")
    assert len(bare) == 2
    for marked, raw in zip((shown.tile, shown.frames), bare, strict=True):
        assert marked is not None
        assert max(marked.shape[-2:]) <= 512
        tall = marked.shape[-2] // 10
        # whatever was swapped, the foot is the band alone
        assert torch.equal(marked[..., -tall:, :], banded(torch.zeros_like(marked))[..., -tall:, :])
        changed = (marked != raw).any(dim=1).float().mean(dim=(-2, -1))
        assert float(changed.min()) > 0.15
        # and it lies across the face in the middle too
        height, width = marked.shape[-2:]
        middle = slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4)
        assert float((marked != raw)[..., middle[0], middle[1]].float().mean()) > 0.05


def test_figures_alone_leave_the_bench_unless_more_was_asked_for(photo: Images) -> None:
    found = attempt(Bench(Glaring(), "astronaut", {}, {}), photo, FACE)
    assert (found.tile, found.frames) == (None, None)
    tensors = [field.name for field in dataclasses.fields(Attempt) if "Images" in str(field.type)]
    assert tensors == ["tile", "frames"]


def test_a_raw_swap_is_gone_once_the_bench_is_left_and_is_never_written_or_logged(
    photo: Images, caplog: pytest.LogCaptureFixture
) -> None:
    swapper = Glaring()
    attempt(Bench(swapper, "astronaut", {}, {}), photo, FACE)
    never = AssertionError("nothing is written while a swap exists")
    with (
        caplog.at_level(logging.DEBUG),
        mock.patch("builtins.open", side_effect=never),
        mock.patch.object(Path, "open", side_effect=never),
        mock.patch.object(torch, "save", side_effect=never),
    ):
        attempt(Bench(swapper, "astronaut", {}, {}), photo, FACE, show="clip")
    gc.collect()
    assert swapper.given
    assert not [each for each in swapper.given if each() is not None]
    assert caplog.records == []


def test_nobody_but_the_bench_asks_a_swapper_for_a_swap() -> None:
    asking = []
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = (each.func for each in ast.walk(tree) if isinstance(each, ast.Call))
        if any(isinstance(each, ast.Attribute) and each.attr == "swap" for each in calls):
            asking.append(file.relative_to(SOURCE).as_posix())
    assert asking == ["prove/bench.py"]


# 3. Figures are the default, and what is seen needs a statement


def test_a_proof_shows_nothing_unless_it_was_asked_and_it_was_stated_whose_face_it_is(shelf: Shelf) -> None:
    usual = api.ProveOptions()
    assert (usual.sheet, usual.clip, usual.statement) == (False, False, None)
    schema = abilities(shelf)["prove"]["schema"]
    assert [schema["properties"][name]["default"] for name in ("sheet", "clip")] == [False, False]
    assert "default" not in schema["properties"]["statement"]
    check_options(schema, {})
    for name in ("sheet", "clip"):
        with pytest.raises(Exception, match="statement is missing"):
            check_options(schema, {name: True})
        with pytest.raises(OptionError, match="whose face it is"):
            api.check_proof(dataclasses.replace(usual, **{name: True}))
        check_options(schema, {name: True, "statement": "self"})
    assert {each.name for each in worked(proof()).made} == {"report", "picture", "thumbnail"}


def test_the_command_too_shows_nothing_without_a_statement(tmp_path: Path) -> None:
    for wish in ("--sheet", "--clip"):
        found = CliRunner().invoke(
            cli.main, ["prove", str(sample_file()), wish, str(tmp_path / "seen.png"), "--offline"]
        )
        assert found.exit_code != 0
        assert "whose face" in found.output
    assert list(tmp_path.iterdir()) == []


# 4. It is shared with nobody and lives an hour; the rest is in web/test_proofs.py


def test_the_kind_says_that_it_is_of_the_bench_and_an_hour_is_the_default(shelf: Shelf) -> None:
    every = abilities(shelf)
    assert [name for name, ability in every.items() if ability["bench"]] == ["prove"]
    assert ServiceSettings(_env_file=None).proof_seconds == 3600


def test_nothing_of_a_proof_is_copied_with_the_logs_of_jobs() -> None:
    assert LOG not in RESULTS
    assert LOG not in {each.name for each in worked(proof()).made}


def test_all_that_can_be_looked_at_says_in_its_own_file_that_it_is_a_composite() -> None:
    mark = b"compositeWithTrainedAlgorithmicMedia"
    nothing = {"original": None, "protected": None}
    for language in ("ko", "en"):
        assert mark in sheet(proof(), {}, {}, language)
    assert mark in clip(nothing)


def test_a_clip_is_short(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(clip({"original": torch.zeros(COUNT, 3, CLIP_SIDE, CLIP_SIDE), "protected": None}))
    assert 0 < open_clip(file).duration <= 5
    assert CLIP_SIDE <= 512


# 5. Weights of swappers are not shipped


def test_the_file_of_inswapper_is_neither_shipped_nor_fetched_and_held_to_its_hash(tmp_path: Path) -> None:
    assert (INSWAPPER.urls, INSWAPPER.package) == ((), "")
    assert re.fullmatch("[0-9a-f]{64}", INSWAPPER.sha256)
    assert INSWAPPER.terms
    shipped = [each.name for each in SOURCE.rglob("*") if each.is_file()]
    assert not [name for name in shipped if "inswapper" in name and not name.endswith((".py", ".pyc"))]
    swapping = SOURCE / "models" / "swappers"
    assert not [each for each in swapping.rglob("*") if each.suffix in {".onnx", ".pth", ".pt", ".safetensors", ".pkl"}]
    shelf = Shelf(tmp_path / "shelf", offline=True)
    with pytest.raises(WeightsError):
        swappers.create("inswapper", shelf, torch.device("cpu"))
    fake = tmp_path / INSWAPPER.file
    fake.write_bytes(b"something else")
    with pytest.raises(WeightsError):
        shelf.take(fake, INSWAPPER)


def test_what_serves_everyone_needs_no_weights(shelf: Shelf) -> None:
    assert {"warp", "autoencoder"} <= set(swappers.available(shelf))
    assert "inswapper" not in swappers.available(shelf)
