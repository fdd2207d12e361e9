"""Lists of jobs: their pages, what a search finds, and what they are narrowed by."""

from __future__ import annotations

import datetime

import pytest
from starlette.testclient import TestClient
from tests.service.web.callers import JOBS, caller, put, report

from deepguard.service.states import State
from deepguard.service.tables import now
from deepguard.service.web.app import make_app


def test_pages_are_stable_while_jobs_are_added(any_parts):
    report(any_parts)
    app = make_app(any_parts)
    moment = now()
    with TestClient(app):
        somebody, owner = caller(app, any_parts)
        # some in the same microsecond
        first = {put(any_parts, owner, created=moment - datetime.timedelta(seconds=n // 3)) for n in range(10)}
        listed: list[str] = []
        cursor = ""
        while True:
            page = somebody.get(JOBS, params={"limit": 3, "cursor": cursor}).json()
            listed += [each["id"] for each in page["jobs"]]
            put(any_parts, owner, created=moment + datetime.timedelta(seconds=1))
            cursor = page["next"]
            if cursor is None:
                break
        assert len(listed) == len(first)
        assert set(listed) == first
        newest = somebody.get(JOBS, params={"limit": 100}).json()
    times = [each["created"] for each in newest["jobs"]]
    assert (len(times), newest["next"]) == (14, None)
    assert times == sorted(times, reverse=True)


FOUND = {
    "휴가": ["여름 휴가.jpg"],
    # the same in the form that some systems take names apart into
    "\u1112\u1172\u1100\u1161": ["여름 휴가.jpg"],
    "100%": ["100%_sure.jpg"],
    "%": ["100%_sure.jpg"],
    "_": ["100%_sure.jpg"],
    "HOLIDAY": ["holiday.PNG"],
    ".png": ["holiday.PNG"],
    "\\": ["back\\slash.jpg"],
    "/": [],
    "a\x00b": [],
    "' OR 1=1 --": [],
}


def test_a_search_finds_names_by_their_letters_and_nothing_else(any_parts):
    app = make_app(any_parts)
    with TestClient(app):
        somebody, owner = caller(app, any_parts)
        for name in ("여름 휴가.jpg", "100%_sure.jpg", "holiday.PNG", "back\\slash.jpg"):
            put(any_parts, owner, name=name)
        listed = {text: somebody.get(JOBS, params={"search": text}).json()["jobs"] for text in FOUND}
    assert {text: [each["name"] for each in jobs] for text, jobs in listed.items()} == FOUND


def test_lists_are_narrowed_by_state_and_kind(me, owner, parts):
    done = put(parts, owner, State.DONE)
    other = put(parts, owner, kind="find")
    assert [each["id"] for each in me.get(JOBS, params={"state": "done"}).json()["jobs"]] == [done]
    assert [each["id"] for each in me.get(JOBS, params={"kind": "find"}).json()["jobs"]] == [other]
    assert me.get(JOBS, params={"kind": "\x00"}).json()["jobs"] == []
    (shown,) = me.get(JOBS, params={"state": "done"}).json()["jobs"]
    assert shown == me.get(f"{JOBS}/{done}").json()
    assert [each["name"] for each in shown["results"]] == ["picture"]
    assert me.get(shown["results"][0]["url"]).content == b"picture"


def test_several_states_and_kinds_are_asked_for_at_once(me, owner, parts):
    queued, done, failed = (put(parts, owner, each) for each in (State.QUEUED, State.DONE, State.FAILED))
    found = put(parts, owner, kind="find")
    other = put(parts, owner, kind="detect")
    wanted = {
        "state=queued&state=failed": {queued, failed, found, other},
        "state=queued&state=failed&kind=protect": {queued, failed},
        "state=done&state=done": {done},
        "kind=find&kind=detect": {found, other},
        "kind=find&kind=detect&kind=nothing&kind=": {found, other},
        "kind=": {queued, done, failed, found, other},
    }
    listed = {query: me.get(f"{JOBS}?{query}").json()["jobs"] for query in wanted}
    assert {query: {each["id"] for each in jobs} for query, jobs in listed.items()} == wanted


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"state": "sleeping"},
        {"state": ["done", "sleeping"]},
        {"state": ["done"] * 8},
        {"kind": ["find"] * 21},
        {"kind": ["x" * 33]},
        {"cursor": "nothing"},
        {"cursor": "WzEsMl0="},
        {"cursor": "é"},
        # the first year, which cannot be brought to another time zone
        {"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjAwIiwgIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd"},
        {"search": "x" * 256},
    ],
)
def test_a_list_that_cannot_be_is_refused(me, query):
    answer = me.get(JOBS, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "option")
