"""What the service says of itself: kinds, models, limits, version; and how long work takes."""

from __future__ import annotations

import datetime

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.service.web.callers import ABILITIES, HEALTH, SCHEMA, bring, caller, program, put, report

from deepguard import __version__
from deepguard.service import estimates
from deepguard.service.guesses import Size
from deepguard.service.parts import Parts
from deepguard.service.states import State
from deepguard.service.tables import Outcome, now

API = "/api/v1"
PATHS = ("kinds", "kinds/protect", "models", "limits", "version")


def happened(parts: Parts, *seconds: float, **columns: object) -> None:
    """Let jobs have ended, the first the longest ago; the first guess for them was 18 seconds."""
    values = {"kind": "protect", "state": State.DONE, "variant": "balanced", "guess": 18.0} | columns
    with parts.database.writing() as session:
        for age, took in enumerate(reversed(seconds)):
            ended = now() - datetime.timedelta(seconds=age)
            session.add(Outcome(seconds=took, ended=ended, **values))


@pytest.fixture
def me(app: FastAPI, client: TestClient, parts: Parts) -> tuple[TestClient, str]:
    """Somebody, and who."""
    report(parts)
    return caller(app, parts)


def asked(me: tuple[TestClient, str], parts: Parts, kind: str = "protect", **options: object) -> dict[str, object]:
    """The estimate for a picture of 2 megapixels."""
    somebody, owner = me
    wish = {"kind": kind, "upload": bring(parts, owner), "options": options}
    return somebody.post(f"{API}/estimates", json=wish).json()


def test_kinds_are_shown_as_workers_published_them(client, parts):
    report(parts)
    kinds = {each["name"]: each for each in client.get(f"{API}/kinds").json()["kinds"]}
    assert set(kinds) == set(ABILITIES)
    protect = kinds["protect"]
    assert (protect["schema"], protect["results"]) == (SCHEMA, ["picture", "log"])
    assert (protect["presets"], protect["missing"]) == (
        ABILITIES["protect"]["presets"],
        ABILITIES["protect"]["missing"],
    )
    assert client.get(f"{API}/kinds/protect").json() == protect


def test_a_kind_that_is_not_there_is_answered_with_the_nearest(client, parts):
    report(parts)
    answer = client.get(f"{API}/kinds/protekt")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "did you mean protect?" in answer.json()["message"]


def test_before_a_worker_has_reported_there_are_no_kinds_and_no_models(client):
    for path in ("kinds", "kinds/protect"):
        answer = client.get(f"{API}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "starting")
    models = client.get(f"{API}/models")
    assert (models.status_code, models.json()) == (200, {"models": [], "workers": 0, "ready": 0})


def test_the_last_started_worker_that_told_anything_has_the_word_even_after_its_death(client, parts):
    older = {"find": ABILITIES["find"]}
    report(parts, "old", age=9000, abilities=older, health={})
    report(parts, "dead", age=5000, ready=False)
    report(parts, "young", age=1, abilities={}, health={}, ready=False)
    assert {each["name"] for each in client.get(f"{API}/kinds").json()["kinds"]} == {"protect", "find"}
    models = client.get(f"{API}/models").json()
    assert {each["name"] for each in models["models"]} == set(HEALTH["models"])
    # the dead one is not counted
    assert (models["workers"], models["ready"]) == (1, 0)


def test_models_tell_what_is_missing_and_what_brings_it(client, parts):
    report(parts)
    models = {each.pop("name"): each for each in client.get(f"{API}/models").json()["models"]}
    assert models == HEALTH["models"]


def test_limits_are_the_settings_and_the_callers_own(app, client, parts):
    limits = client.get(f"{API}/limits").json()
    settings = parts.settings
    for name in ("upload_bytes", "pixels", "keep_hours", "keep_days", "job_seconds", "queue_length", "rate"):
        assert limits[name] == getattr(settings, name)
    assert {"JPEG", "PNG", "HEIF"} <= set(limits["containers"])
    assert program(app, parts, jobs_per_day=7)[0].get(f"{API}/limits").json()["jobs_per_day"] == 7


def test_the_version_is_the_programs(client):
    assert client.get(f"{API}/version").json() == {"version": __version__, "api": "v1"}


@pytest.mark.parametrize("path", PATHS)
def test_everybody_may_ask_and_a_wrong_key_may_not(app, client, parts, path):
    report(parts)
    askers = (client, caller(app, parts)[0], program(app, parts)[0], program(app, parts, admin=True)[0])
    assert [each.get(f"{API}/{path}").status_code for each in askers] == [200] * 4
    answer = client.get(f"{API}/{path}", headers={"X-API-Key": "dg_wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_wrong")
    assert "set-cookie" not in client.get(f"{API}/{path}").headers


def test_every_field_of_the_description_is_explained_and_has_an_example(client):
    described = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("Job", "Upload", "Result", "Progress", "Wish", "Problem", "Kind", "Limits", "Day", "Estimate"):
        for field, schema in described[name]["properties"].items():
            assert schema.get("description"), (name, field)
            nested = "$ref" in str(schema)
            assert nested or schema.get("examples"), (name, field)


def test_without_experience_the_first_guess_of_the_preset_counts(me, parts):
    assert asked(me, parts) == {
        "seconds": 14.0, "waiting_seconds": 0.0, "based_on": "first guess", "samples": 0
    }  # fmt: skip
    assert asked(me, parts, preset="strong")["seconds"] == 28.0
    assert asked(me, parts, "find")["seconds"] == 2.5


def test_experience_corrects_the_first_guess_by_its_median_error(me, parts):
    happened(parts, 9.0, 1800.0)
    assert asked(me, parts)["samples"] == 0
    happened(parts, 36.0)
    # the guess of 14 seconds for 2 megapixels, twice, as the last jobs took twice as long as was guessed
    assert asked(me, parts) == {"seconds": 28.0, "waiting_seconds": 0.0, "based_on": "experience", "samples": 3}
    # the preset that is meant when none is named
    assert asked(me, parts, preset="balanced")["seconds"] == 28.0


def test_only_the_last_fifty_count(any_parts):
    happened(any_parts, *[99.0] * 30, *[9.0] * 50)
    with any_parts.database.reading() as session:
        guess = estimates.estimate(session, ABILITIES["protect"], {}, Size(3.0))
        unknown = estimates.estimate(session, ABILITIES["protect"], {}, None)
    assert (guess.seconds, guess.samples) == (8.0, 50)
    assert unknown.seconds == (10.0 + 2.0 * estimates.USUAL.amount) / 2


def test_an_estimate_follows_the_users_own_options(me, parts):
    protect = ABILITIES["protect"] | {"still": 0.2, "grows": {"steps": {"": 40, "strong": 80}, "detectors": {"": 2}}}
    report(parts, "newer", abilities=ABILITIES | {"protect": protect})
    assert asked(me, parts)["seconds"] == pytest.approx(14.0)
    assert asked(me, parts, steps=20)["seconds"] == pytest.approx(14.0 * (0.2 + 0.8 / 2))
    assert asked(me, parts, steps=80)["seconds"] == pytest.approx(14.0 * (0.2 + 0.8 * 2))
    assert asked(me, parts, preset="strong", steps=80)["seconds"] == pytest.approx(28.0)
    assert asked(me, parts, detectors=["mtcnn"])["seconds"] == pytest.approx(14.0 * (0.2 + 0.8 / 2))
    assert asked(me, parts, detectors=["mtcnn"], steps=20)["seconds"] == pytest.approx(14.0 * (0.2 + 0.8 / 4))
    happened(parts, 36.0, 36.0, 36.0)
    assert asked(me, parts, steps=20)["seconds"] == pytest.approx(2 * 14.0 * (0.2 + 0.8 / 2))


@pytest.mark.parametrize(
    "columns",
    [{"kind": "find"}, {"variant": "strong"}, {"state": State.FAILED}, {"guess": None}, {"guess": 0.0}, {"guess": 2.0}],
)
def test_what_was_something_else_is_no_experience(me, parts, columns):
    happened(parts, 1.0, 1.0, 1.0, **columns)
    assert asked(me, parts)["based_on"] == "first guess"


def test_waiting_is_what_comes_before_shared_by_the_workers_that_live(me, parts):
    report(parts, "second")
    report(parts, "dead", age=600)
    put(parts, "visit:2", State.RUNNING, estimate=30.0)
    assert asked(me, parts)["waiting_seconds"] == 0.0
    put(parts, "visit:2", State.RUNNING, estimate=10.0)
    put(parts, "visit:2", State.QUEUED, estimate=20.0)
    put(parts, "visit:2", State.QUEUED, estimate=None)
    put(parts, "visit:2", State.DONE, estimate=500.0)
    assert 25.0 < asked(me, parts)["waiting_seconds"] <= 30.0


def test_a_job_that_waits_already_is_told_of_those_before_it_alone(me, parts):
    somebody, owner = me
    put(parts, "visit:2", State.RUNNING, estimate=10.0)
    mine = put(parts, owner, State.QUEUED, estimate=20.0)
    foreign = put(parts, "visit:2", State.QUEUED, estimate=40.0)
    wish = {"kind": "protect", "upload": bring(parts, owner), "job": mine}
    assert 5.0 < somebody.post(f"{API}/estimates", json=wish).json()["waiting_seconds"] <= 10.0
    assert somebody.post(f"{API}/estimates", json=wish | {"job": foreign}).status_code == 404


def test_a_job_that_takes_longer_than_thought_makes_nobody_wait_less_than_nothing(me, parts):
    put(parts, "visit:2", State.RUNNING, estimate=1.0, started=now() - datetime.timedelta(hours=1))
    assert asked(me, parts)["waiting_seconds"] == 0.0


def test_an_estimate_of_what_cannot_be_done_is_refused(me, app, parts):
    somebody, owner = me
    upload = bring(parts, owner)
    ask = [
        ({"kind": "protect", "upload": upload, "options": {"steps": 0}}, 422),
        ({"kind": "none", "upload": upload}, 422),
        ({"kind": "protect", "upload": bring(parts, "visit:2")}, 404),
        ({"kind": "protect", "upload": bring(parts, owner, hours=-1)}, 410),
    ]
    assert [somebody.post(f"{API}/estimates", json=wish).status_code for wish, _ in ask] == [code for _, code in ask]
    stranger = TestClient(app).post(f"{API}/estimates", json={"kind": "protect", "upload": upload})
    assert stranger.status_code == 404
