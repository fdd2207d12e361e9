"""Statistics: what became of jobs, by day and kind, and who may know."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.service.web.callers import caller, program

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Outcome, Table, now
from deepguard.service.web import statistics
from deepguard.service.web.app import make_app

ADDRESS = "/api/v1/statistics"
TODAY = now().replace(hour=0, minute=0, second=0, microsecond=0)


def ended(parts: Parts, days_ago: int, **columns: object) -> None:
    """Let a job have ended at the very end of a day, or now."""
    moment = TODAY - datetime.timedelta(days=days_ago - 1) - datetime.timedelta(microseconds=1)
    values = {"kind": "protect", "state": State.DONE, "ended": moment if days_ago else now()} | columns
    with parts.database.writing() as session:
        session.add(Outcome(**values))


def test_days_kinds_states_times_failures_and_effect(any_parts):
    for seconds in range(1, 11):
        ended(any_parts, 1, seconds=float(seconds), waited=seconds / 10, found_before=9, found_after=seconds % 2)
    for code in ("no_face", "no_face", "worker_lost"):
        ended(any_parts, 1, state=State.FAILED, code=code, seconds=500.0)
    ended(any_parts, 1, state=State.CANCELLED)
    ended(any_parts, 1, kind="find", seconds=2.0, waited=0.0)
    ended(any_parts, 2, state=State.FAILED, code="no_face")
    app = make_app(any_parts)
    with TestClient(app) as client:
        days = client.get(ADDRESS).json()["days"]
    yesterday, before = ((TODAY - datetime.timedelta(days=n)).date().isoformat() for n in (1, 2))
    assert [(each["day"], each["kind"]) for each in days] == [
        (yesterday, "find"),
        (yesterday, "protect"),
        (before, "protect"),
    ]
    assert days[1] == {
        "day": yesterday,
        "kind": "protect",
        "states": {"done": 10, "failed": 3, "cancelled": 1},
        "failures": {"no_face": 2, "worker_lost": 1},
        "seconds_median": 5.5,
        "seconds_90": 9.0,
        "waited_median": pytest.approx(0.55),
        "found_before": 9.0,
        "found_after": 0.5,
        "verdicts": {},
    }
    assert (days[0]["seconds_median"], days[0]["seconds_90"], days[0]["found_before"]) == (2.0, 2.0, None)
    assert (days[2]["seconds_median"], days[2]["waited_median"], days[2]["states"]) == (None, None, {"failed": 1})


def test_verdicts_are_counted_by_their_word(client, parts):
    for verdict in ("likely_real", "likely_real", "cannot_judge"):
        ended(parts, 0, kind="detect", verdict=verdict)
    ended(parts, 0, kind="detect", state=State.FAILED, code="unreadable_clip")
    (day,) = client.get(ADDRESS).json()["days"]
    assert day["verdicts"] == {"likely_real": 2, "cannot_judge": 1}


def test_only_as_many_days_are_shown_as_are_asked_for_today_included(client, parts):
    for days_ago in (0, 1, 2, 40):
        ended(parts, days_ago)
    shown = {days: len(client.get(ADDRESS, params={"days": days}).json()["days"]) for days in (1, 2, 3, 41, 366)}
    assert shown == {1: 1, 2: 2, 3: 3, 41: 4, 366: 4}
    assert len(client.get(ADDRESS).json()["days"]) == 3


@pytest.mark.parametrize("days", ["0", "-1", "367", "many", "1e3"])
def test_days_have_their_limits(client, days):
    assert client.get(ADDRESS, params={"days": days}).status_code == 422


def test_medians_are_of_the_last_jobs_and_counts_of_all(client, parts, monkeypatch):
    monkeypatch.setattr(statistics, "MOST_ROWS", 3)
    for seconds in (100.0, 100.0, 100.0, 1.0, 2.0, 3.0):
        ended(parts, 0, seconds=seconds)
    (day,) = client.get(ADDRESS).json()["days"]
    assert (day["states"], day["seconds_median"]) == ({"done": 6}, 2.0)


def test_without_jobs_there_are_no_days(client):
    assert client.get(ADDRESS).json() == {"days": []}


@pytest.mark.parametrize("public", [True, False])
def test_statistics_are_for_everybody_or_for_an_admin_as_the_setting_says(tmp_path: Path, public: bool):
    parts = open_parts(ServiceSettings(home=tmp_path / "home", public_statistics=public, _env_file=None))
    Table.metadata.create_all(parts.database.engine)
    app = make_app(parts)
    with TestClient(app) as anonymous:
        askers = [anonymous, caller(app, parts)[0], program(app, parts)[0], program(app, parts, admin=True)[0]]
        statuses = [each.get(ADDRESS).status_code for each in askers]
        told = anonymous.get(ADDRESS).json().get("code")
    assert statuses == ([200] * 4 if public else [403, 403, 403, 200])
    assert told == (None if public else "forbidden")
