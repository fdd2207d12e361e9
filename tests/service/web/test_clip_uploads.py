"""Clips: let in for the kinds that take them, held to their own limits, and refused in a sentence by all others."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.service.web.callers import ABILITIES, JOBS, caller, report
from tests.service.web.sending import nothing_kept, picture, send

from deepguard.service import estimates
from deepguard.service.guesses import Size
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import Table
from deepguard.service.web.app import make_app

FILM = b"\x00\x00\x00\x1cftypisom" + bytes(8000)
DETECT = ABILITIES["find"] | {"name": "detect", "clips": [2.0, 1.0], "seconds": {"": [1.0, 0.5]}}


@pytest.fixture
def narrow(tmp_path, sent):
    """A service whose pictures may have 6,000 bytes and clips 9,000, with a worker that can detect."""
    settings = ServiceSettings(home=tmp_path / "narrow", upload_bytes=6000, clip_bytes=9000, _env_file=None)
    parts = open_parts(settings)
    Table.metadata.create_all(parts.database.engine)
    report(parts, abilities=ABILITIES | {"detect": DETECT})
    parts.sender.send = lambda job_id: None
    yield parts
    parts.database.close()


@pytest.fixture
def visitor(narrow: Parts) -> TestClient:
    return caller(make_app(narrow), narrow)[0]


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (FILM, "MP4"),
        (b"\x00\x00\x00\x14ftypqt  " + bytes(90), "MP4"),
        (b"\x1a\x45\xdf\xa3" + bytes(90), "MKV"),
        (b"RIFF\x00\x00\x00\x00AVI " + bytes(90), "AVI"),
        (b"GIF89a" + bytes(90), "GIF"),
        ((b"\x47" + bytes(187)) * 30, "TS"),
    ],
)
def test_a_clip_is_kept_by_what_it_is(visitor, data, container):
    shown = send(visitor, data).json()
    assert (shown["container"], shown["size"], shown["width"]) == (container, len(data), None)


def test_a_clip_may_be_as_large_as_clips_may_and_a_picture_as_large_as_pictures_may(visitor, narrow):
    assert send(visitor, FILM).status_code == 201
    larger = send(visitor, FILM + bytes(2000))
    assert (larger.status_code, larger.json()["code"], larger.json()["details"]["limit"]) == (413, "too_large", 9000)
    photo = send(visitor, picture() + bytes(5000))
    assert (photo.status_code, photo.json()["details"]["limit"]) == (413, 6000)


def test_a_kind_that_takes_clips_is_given_one_and_every_other_says_what_to_do(visitor):
    upload = send(visitor, FILM).json()["id"]
    wish = {"upload": upload, "options": {}}
    refused = visitor.post(JOBS, json=wish | {"kind": "find"})
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_clip")
    assert "is a clip, and this is done to pictures only" in refused.json()["message"]
    assert visitor.post("/api/v1/estimates", json=wish | {"kind": "protect"}).status_code == 415
    taken = visitor.post(JOBS, json=wish | {"kind": "detect"})
    assert taken.status_code == 201
    assert taken.json()["estimate"] == pytest.approx(2.0 + len(FILM) / 1e6)


def test_one_call_refuses_a_clip_by_its_beginning_and_keeps_nothing(visitor, narrow):
    refused = visitor.post("/api/v1/run/protect", files={"file": ("clip.mp4", FILM[:5000])})
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_clip")
    assert nothing_kept(narrow)
    assert visitor.post("/api/v1/run/detect?wait=0", files={"file": ("clip.mp4", FILM)}).status_code == 202


def test_the_limits_and_the_kinds_tell_of_clips(visitor):
    limits = visitor.get("/api/v1/limits").json()
    assert (limits["upload_bytes"], limits["clip_bytes"]) == (6000, 9000)
    assert {"MP4", "MKV"} <= set(limits["clip_containers"])
    assert "PNG" not in limits["clip_containers"]
    assert limits["clip_seconds"] >= 60
    assert limits["clip_frames"] >= 30
    kinds = {each["name"]: each["clips"] for each in visitor.get("/api/v1/kinds").json()["kinds"]}
    assert kinds == {"protect": False, "find": False, "detect": True}


def test_a_clip_is_guessed_by_its_bytes_and_a_picture_by_its_pixels(narrow):
    with narrow.database.reading() as session:
        clip = estimates.estimate(session, DETECT, {}, Size(10.0, clip=True))
        photo = estimates.estimate(session, DETECT, {}, Size(10.0))
    assert (clip.seconds, photo.seconds) == (12.0, 6.0)


def test_no_file_is_given_as_many_bytes_as_the_larger_limit_before_it_is_known_what_it_is(visitor, narrow):
    announced = send(visitor, picture() + bytes(300_000))
    assert announced.status_code == 413
    assert nothing_kept(narrow)
