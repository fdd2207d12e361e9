"""Does a worker work, what can it be asked for, and what is wrong with its models?"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
import structlog
import torch
from sqlalchemy.exc import OperationalError
from tests.service.benches import bench_in, wait_for, worker_of

from deepguard.errors import WeightsMissing
from deepguard.models.detectors import mtcnn
from deepguard.models.detectors.ultralight import WEIGHTS as ULTRALIGHT
from deepguard.models.roles import detectors
from deepguard.service import readiness as subject
from deepguard.service import schema
from deepguard.service.database import Database
from deepguard.service.loaded import missing, models
from deepguard.service.parts import Parts, open_parts
from deepguard.service.readiness import Readiness, abilities, health, trial
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Worker
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


@pytest.fixture
def readiness(parts: Parts) -> Readiness:
    return Readiness(parts, "one", CPU, bench_in(parts).guard)


def test_a_worker_finds_the_face_in_the_sample_photo(empty_shelf: Shelf) -> None:
    found = trial(empty_shelf, CPU)
    assert found.fault == ""
    assert 0 < found.seconds < 30


def test_a_worker_whose_detector_sees_nothing_is_not_ready(
    parts: Parts, readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "_sample", lambda device: torch.zeros(1, 3, 64, 64))
    with structlog.testing.capture_logs() as told:
        readiness.check()
    row = worker_of(parts, "one")
    assert row is not None
    assert not row.ready
    assert any("no face" in each.get("fault", "") for each in told)


def test_a_worker_whose_own_weights_are_damaged_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(mtcnn.ONET, sha256="0" * 64)
    entry = dataclasses.replace(detectors.entry("mtcnn"), weights=(mtcnn.PNET, mtcnn.RNET, broken))
    monkeypatch.setitem(detectors._entries, "mtcnn", entry)
    shelf = Shelf(tmp_path)
    assert "is damaged" in trial(shelf, CPU).fault
    state = dict(health(shelf))["mtcnn"]
    assert (state["available"], "is damaged" in state["fault"]) == (False, True)


def test_the_row_says_who_the_worker_is_and_that_it_works(parts: Parts, readiness: Readiness) -> None:
    readiness.introduce()
    first = worker_of(parts, "one")
    assert first is not None
    assert not first.ready
    assert set(first.abilities) >= {"protect", "find"}
    readiness.check()
    second = worker_of(parts, "one")
    assert second is not None
    assert second.ready
    assert second.inferred is not None
    assert second.inference_seconds is not None
    assert second.started == first.started
    assert (second.device, second.pid > 0, bool(second.host), bool(second.version)) == ("cpu", True, True, True)
    readiness.stop()
    third = worker_of(parts, "one")
    assert third is not None
    assert not third.ready


def test_the_models_of_a_fresh_installation_are_told_with_what_brings_the_others(empty_shelf: Shelf) -> None:
    told = dict(health(empty_shelf))
    assert set(told) >= set(detectors.names()) | {"ssim", "psnr", "lpips"}
    fields = {"role", "available", "summary", "licence", "missing", "fault"}
    assert all(set(each) == fields for each in told.values())
    assert (told["mtcnn"]["available"], told["mtcnn"]["missing"], told["mtcnn"]["role"]) == (True, "", "detector")
    assert (told["yunet"]["available"], told["yunet"]["missing"]) == (False, "deepguard models pull yunet")
    assert told["dsfd-vgg16"]["missing"] == "deepguard models import DIR"
    assert (told["lpips"]["role"], told["ssim"]["available"]) == ("measure", True)
    json.dumps(told, allow_nan=False)


def test_a_damaged_file_on_the_shelf_is_a_fault_of_its_model(tmp_path: Path) -> None:
    (tmp_path / ULTRALIGHT.file).write_bytes(b"damaged")
    state = dict(health(Shelf(tmp_path)))["ultralight"]
    assert (state["available"], state["missing"]) == (False, "")
    assert "is damaged" in state["fault"]


def test_abilities_are_json_with_schemas_that_their_own_presets_fit(empty_shelf: Shelf) -> None:
    told = json.loads(json.dumps(abilities(empty_shelf), allow_nan=False))
    for name, each in told.items():
        assert each["name"] == name
        schema = each["schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
        for preset in each["presets"]:
            jsonschema.Draft202012Validator(schema).validate(preset["options"])
    assert set(told["protect"]["missing"]) == set(missing(empty_shelf)) >= {"yunet"}


def test_weights_that_arrive_later_are_used_and_nothing_is_loaded_twice(
    tmp_path: Path, stock: Callable[..., Shelf]
) -> None:
    source = stock(ULTRALIGHT).path(ULTRALIGHT)
    shelf = Shelf(tmp_path)
    first = models(shelf, CPU)
    assert models(shelf, CPU) is first
    assert "ultralight" in first.missing
    with pytest.raises(WeightsMissing, match="models pull ultralight"):
        models(shelf, CPU, ("ultralight",))
    shelf.take(source, ULTRALIGHT)
    second = models(shelf, CPU, ("ultralight",))
    assert "ultralight" in second.detectors
    assert models(shelf, CPU) is second


def test_a_worker_waits_for_its_database(parts: Parts, readiness: Readiness, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = Database.writing, [2]

    @contextlib.contextmanager
    def writing(self: Database) -> Iterator[object]:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("BEGIN", {}, Exception("starting up"))
        with real(self) as session:
            yield session

    monkeypatch.setattr(Database, "writing", writing)
    monkeypatch.setattr(subject, "PAUSES", (0.01, 0.01))
    with structlog.testing.capture_logs() as told:
        readiness.introduce()
    assert len(told) == 2
    assert worker_of(parts, "one") is not None


def test_a_worker_that_is_told_to_stop_waits_for_no_database(
    readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def away(self: Database) -> Iterator[None]:
        raise OperationalError("BEGIN", {}, Exception("gone"))
        yield

    monkeypatch.setattr(Database, "writing", away)
    with structlog.testing.capture_logs():
        waiting = threading.Thread(target=readiness.introduce)
        waiting.start()
        readiness.hurry()
        waiting.join(5)
        assert not waiting.is_alive()
        readiness.stop()


def test_a_worker_that_was_forgotten_introduces_itself_again(parts: Parts) -> None:
    bench = bench_in(parts)
    readiness = Readiness(parts, "one", CPU, bench.guard)
    readiness.introduce()
    with parts.database.writing() as session:
        session.delete(session.get_one(Worker, "one"))
    readiness.start()
    bench.guard.unlisted.set()
    wait_for(lambda: worker_of(parts, "one") is not None, 10)
    readiness.hurry()


class Worked:
    """Stands for the guard of a worker that works."""

    busy = True
    unlisted = threading.Event()


def test_an_idle_worker_is_tried_again_and_a_busy_one_is_left_alone(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "CHECK_SECONDS", 0.0)
    guard = Worked()
    readiness = Readiness(parts, "one", CPU, guard)
    readiness.introduce()
    readiness.start()
    threading.Event().wait(1.5)
    assert not worker_of(parts, "one").ready
    guard.busy = False
    wait_for(lambda: worker_of(parts, "one").ready, 10)
    readiness.hurry()


def test_a_worker_that_never_rests_is_tried_beside_its_work(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "BUSY_SECONDS", 0.0)
    readiness = Readiness(parts, "one", CPU, Worked())
    readiness.introduce()
    readiness.start()
    wait_for(lambda: worker_of(parts, "one").ready, 10)
    readiness.hurry()


def test_a_fault_while_weights_are_brought_leaves_the_worker_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, wanted: object) -> int:
        raise ZeroDivisionError

    parts = open_parts(ServiceSettings(home=tmp_path, _env_file=None))
    schema.upgrade(parts.database)
    monkeypatch.setattr(subject.Depot, "bring_all", broken)
    monkeypatch.setattr(subject, "CHECK_SECONDS", 0.0)
    readiness = Readiness(parts, "one", CPU, bench_in(parts).guard)
    readiness.introduce()
    with structlog.testing.capture_logs() as told:
        readiness.start()
        wait_for(lambda: worker_of(parts, "one").ready, 10)
        readiness.hurry()
    assert any(each.get("exc_info") for each in told)
    parts.database.close()
