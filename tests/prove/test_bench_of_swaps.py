"""The rules that keep face swapping inside the proof; each test fails when its rule is broken."""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import logging
import typing
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from tests.prove.proofs import Grey

import deepguard
from deepguard.errors import OptionError
from deepguard.models.roles import Template
from deepguard.models.swappers.autoencoder import Autoencoder
from deepguard.models.swappers.roles import portrait
from deepguard.models.swappers.warp import Warp
from deepguard.prove import bench as module
from deepguard.prove.band import COLOUR, FOOT, banded
from deepguard.prove.bench import CLIP_SIDE, Attempt, Bench, attempt, seen
from deepguard.prove.counterparts import SIDE, counterpart, counterparts
from deepguard.prove.driving import PRACTICE, RATE, SEQUENCE
from deepguard.types import Box, Face, Images

SOURCE = Path(str(deepguard.__file__)).parent
MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))
FACE = Face(Box(178, 62, 269, 177), 1.0, MARKS)
RAW = (0.1, 0.9, 0.35)
"""The colour of the toy's swaps, which nothing else has."""


@dataclass
class Painter:
    """Puts a green face on everybody; remembers what it handed out, without keeping it alive."""

    source: Template = field(default_factory=lambda: portrait(64))
    target: Template = field(default_factory=lambda: portrait(64))
    steps: int = 5
    told: list[tuple[int, int, int]] = field(default_factory=list)
    given: list[weakref.ref[torch.Tensor]] = field(default_factory=list)

    @property
    def mask(self) -> torch.Tensor:
        mask = torch.zeros(64, 64)
        mask[4:-4, 4:-4] = 1
        return mask

    def learn(self, source, targets, *, steps, rng, watch=None):
        self.told.append((len(source.images), len(targets.images), steps))
        self.chance = torch.rand(1, generator=rng).item()
        return self

    def swap(self, targets):
        raw = torch.tensor(RAW)[None, :, None, None].expand(len(targets.images), -1, 64, 64).clone()
        self.given.append(weakref.ref(raw))
        return raw


@pytest.fixture(autouse=True)
def few_poses(monkeypatch):
    """Every twelfth pose of the driving sequence, so that clips are quick."""
    monkeypatch.setattr(module, "SEQUENCE", SEQUENCE[::12])


def bench(swapper=None, **changes) -> Bench:
    return Bench(**{"swapper": swapper or Painter(), "counterpart": "hopper", "judges": {}, "owner": {}, **changes})


def calls(name: str) -> list[tuple[str, str]]:
    """Return file and enclosing function of every call of a method with this name in the program."""
    found = []
    for file in SOURCE.rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                found += [
                    (file.relative_to(SOURCE).as_posix(), function.name)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == name
                ]
    return found


@pytest.mark.parametrize("method", ["swap", "learn"])
def test_one_function_alone_lets_a_swapper_learn_and_swap(method):
    # what trains classifiers learns, too, and may not import swappers
    found = [place for place in calls(method) if not place[0].startswith("forensics/")]
    assert found == [("prove/bench.py", "attempt")]


def test_no_other_file_hands_on_what_decodes():
    for file in SOURCE.rglob("*.py"):
        if file.parent.name != "swappers" and file.name != "bench.py":
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            assert "swap" not in {node.attr for node in nodes if isinstance(node, ast.Attribute)}, file


def test_an_attempt_takes_one_picture_and_the_other_side_by_id_alone():
    kinds = typing.get_type_hints(attempt)
    assert [name for name, kind in kinds.items() if kind is Images] == ["victim"]
    fields = typing.get_type_hints(Bench)
    assert fields["counterpart"] is str
    assert Images not in fields.values()
    assert list(inspect.signature(counterpart.__wrapped__).parameters) == ["identifier"]


@pytest.mark.parametrize("identifier", ["../../etc/passwd", "somebody.jpg", ""])
def test_a_counterpart_that_is_not_bundled_is_refused_in_one_sentence(identifier, astronaut):
    with pytest.raises(OptionError, match="there is no counterpart called"):
        attempt(bench(counterpart=identifier), astronaut, FACE)


def test_figures_alone_are_the_default(astronaut):
    result = attempt(bench(), astronaut, FACE)
    assert result.extracted
    assert result.tile is None
    assert result.frames is None


def foot_of(pictures):
    tall = round(FOOT * pictures.shape[-2])
    return pictures[..., -tall:, :]


def has_the_band(pictures) -> bool:
    """Tell whether every picture has the foot, with letters, and repeats across the face that is painted green."""
    foot = foot_of(pictures)
    colour = torch.tensor(COLOUR)[:, None, None]
    ground = ((foot - colour).abs().amax(dim=1) < 0.02).float().mean(dim=(1, 2))
    letters = (foot.amin(dim=1) > 0.95).float().mean(dim=(1, 2))
    green = (pictures - torch.tensor(RAW)[:, None, None]).abs().amax(dim=1)
    face = (green < 0.35).float().mean(dim=(1, 2))
    marked = ((green > 0.05) & (green < 0.35)).float().mean(dim=(1, 2))
    return bool(((ground > 0.5) & (letters > 0.05) & (marked > 0.05 * face) & (face > 0.1)).all())


def test_the_band_is_in_the_pixels_of_the_tile_at_its_foot_and_across_the_face(astronaut):
    tile = attempt(bench(), astronaut, FACE, show="tile").tile
    assert tile is not None
    assert tile.shape == (1, 3, SIDE, SIDE)
    assert SIDE <= 512
    assert has_the_band(tile)


def test_the_band_is_in_every_frame_of_a_clip_of_five_seconds_at_most(astronaut):
    result = attempt(bench(), astronaut, FACE, show="clip")
    assert result.frames is not None
    assert result.frames.shape == (4, 3, CLIP_SIDE, CLIP_SIDE)
    assert CLIP_SIDE <= 512
    assert len(SEQUENCE) / RATE <= 5
    assert has_the_band(result.frames)
    assert result.tile is not None
    assert has_the_band(result.tile)


def test_the_test_of_the_band_sees_when_there_is_none(astronaut, monkeypatch):
    monkeypatch.setattr(module, "banded", lambda images: images)
    tile = attempt(bench(), astronaut, FACE, show="tile").tile
    assert not has_the_band(tile)


def test_cutting_the_foot_off_leaves_the_text_on_the_face(astronaut):
    clean = torch.full((1, 3, 512, 512), 0.5)
    above = (banded(clean) - clean)[..., : -foot_of(clean).shape[-2], :].abs().amax(dim=1)[0]
    for across in range(8):
        for down in range(8):
            part = above[down * 57 : down * 57 + 57, across * 64 : across * 64 + 64]
            assert part.max() > 0.1, (across, down)


def test_what_the_swapper_made_is_gone_when_the_attempt_is_over(astronaut):
    painter = Painter()
    result = attempt(bench(painter), astronaut, FACE, show="tile")
    gc.collect()
    assert [raw() for raw in painter.given] == [None]
    assert set(vars(Attempt)["__slots__"]) == {"extracted", "cosines", "tile", "frames"}
    assert all(isinstance(value, float) for value in result.cosines.values())


@pytest.fixture
def sealed():
    """Return a context in which no file can be written, by whatever library: the system refuses the first byte."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def seal():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return seal


@pytest.mark.parametrize("swapper", [Warp(), Autoencoder(torch.device("cpu"))])
def test_nothing_reaches_disk_log_or_screen(swapper, sealed, astronaut, caplog, capfd):
    attempt(bench(swapper, steps=1), astronaut, FACE)  # what is made on first use, such as imports' caches, is here now
    caplog.clear()
    capfd.readouterr()
    with caplog.at_level(logging.DEBUG), sealed():
        attempt(bench(swapper, steps=1), astronaut, FACE, show="clip")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_the_seal_holds_against_python_and_against_libraries(sealed, tmp_path):
    with sealed(), pytest.raises(OSError, match="too large"):
        (tmp_path / "raw.png").write_bytes(b"raw")
    with sealed(), pytest.raises(RuntimeError):
        torch.save(torch.ones(9), str(tmp_path / "raw.pt"))
    assert not any(file.stat().st_size for file in tmp_path.iterdir())


@pytest.mark.parametrize("face", [None, Face(FACE.box, 1.0)])
def test_without_a_face_or_its_landmarks_nothing_is_tried(face, astronaut):
    painter = Painter()
    result = attempt(bench(painter, judges={"grey": Grey()}), astronaut, face, show="clip")
    assert (result.extracted, result.cosines) == (False, {"grey": None})
    assert result.tile is result.frames is None
    assert painter.told == []


def test_the_swap_is_compared_with_the_victims_original_where_the_counterparts_landmarks_are(astronaut):
    judges = {"grey": Grey()}
    owner = seen(astronaut, MARKS, judges)
    result = attempt(bench(Warp(), judges=judges, owner=owner), astronaut, FACE)
    other = counterpart("hopper")
    before = float(seen(other.images, other.landmarks, judges)["grey"] @ owner["grey"])
    assert result.cosines["grey"] is not None
    assert result.cosines["grey"] > before


def test_a_judge_to_whom_the_owner_is_not_known_says_nothing(astronaut):
    result = attempt(bench(judges={"grey": Grey()}), astronaut, FACE)
    assert result.cosines == {"grey": None}


def test_all_arms_meet_the_same_chance_the_same_steps_and_the_same_poses(astronaut):
    painter = Painter()
    same = bench(painter)
    chances = []
    for victim, show in ((astronaut, "nothing"), (astronaut * 0.5, "tile"), (astronaut, "clip")):
        attempt(same, victim, FACE, show=show)
        chances.append(painter.chance)
    assert len(set(chances)) == 1
    assert painter.told == [(1, len(PRACTICE), 5)] * 3
    attempt(bench(painter, seed=1, steps=2), astronaut, FACE)
    assert painter.chance != chances[0]
    assert painter.told[-1] == (1, len(PRACTICE), 2)


def test_figures_are_the_same_whether_or_not_anything_is_shown(astronaut):
    judges = {"grey": Grey()}
    known = bench(Warp(), judges=judges, owner=seen(astronaut, MARKS, judges))
    shown = [attempt(known, astronaut, FACE, show=show).cosines for show in ("nothing", "tile", "clip")]
    assert shown[0] == shown[1] == shown[2]


def test_raising_from_the_watch_ends_an_attempt_in_the_middle_of_its_training(astronaut):
    class Stop(Exception):
        pass

    def watch(progress):
        if progress.done == 1:
            raise Stop

    with pytest.raises(Stop):
        attempt(bench(Autoencoder(torch.device("cpu"))), astronaut, FACE, show="tile", watch=watch)


def test_every_counterpart_can_be_swapped_and_says_where_it_comes_from(astronaut):
    assert {"astronaut", "hopper"} <= set(counterparts())
    for identifier in counterparts():
        other = counterpart(identifier)
        assert other.licence == "public domain" or other.licence.startswith("synthetic")
        assert other.origin
        assert set(other.name) == {"ko", "en"}
        assert other.images.shape == (1, 3, SIDE, SIDE)
        assert all(100 < x < 412 and 100 < y < 412 for x, y in other.landmarks)
