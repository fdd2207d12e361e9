from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from deepguard.service import keys
from deepguard.service.parts import Parts

ADDRESS = "/api/v1/keys"


@pytest.fixture
def chief(parts: Parts) -> dict[str, str]:
    """The header of a key that may administer."""
    with parts.database.writing() as session:
        token = keys.create(session, keys.Wish("chief", "1000/minute", 10, admin=True))[1]
    return {"Authorization": f"Bearer {token}"}


def test_a_key_is_shown_once_works_at_once_and_never_again_after_it_is_revoked(
    client: TestClient, chief: dict[str, str]
) -> None:
    made = client.post(ADDRESS, json={"name": "ci", "rate": "5/minute", "jobs_per_day": 7}, headers=chief)
    assert made.status_code == 201
    key = made.json()
    assert key["token"].startswith(key["hint"])
    assert (key["name"], key["rate"], key["jobs_per_day"], key["scopes"]) == ("ci", "5/minute", 7, ["jobs"])
    listing = client.get(ADDRESS, headers=chief)
    assert [each["name"] for each in listing.json()["keys"]] == ["ci", "chief"]
    assert key["token"] not in listing.text
    mine = {"X-API-Key": key["token"]}
    assert client.get(ADDRESS, headers=mine).status_code == 403
    for _ in range(2):
        gone = client.delete(f"{ADDRESS}/{key['id']}", headers=chief)
        assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(ADDRESS, headers=mine).json()["code"] == "key_wrong"
    assert client.get(ADDRESS, headers=chief).json()["keys"][0]["revoked"].endswith("Z")


def test_what_is_left_out_is_as_for_any_visitor(client: TestClient, chief: dict[str, str], parts: Parts) -> None:
    key = client.post(ADDRESS, json={"name": "plain", "admin": True}, headers=chief).json()
    assert (key["rate"], key["jobs_per_day"]) == (parts.settings.rate, parts.settings.jobs_per_day)
    assert key["scopes"] == ["jobs", "admin"]


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 256},
        {"name": "a\x00b"},
        {"name": "a", "rate": "often"},
        {"name": "a", "rate": "0/minute"},
        {"name": "a", "jobs_per_day": 0},
        {"name": "a", "jobs_per_day": 2**31},
        {"name": "a", "token": "dg_mine"},
    ],
)
def test_a_wish_that_does_not_fit_is_refused_and_makes_nothing(
    client: TestClient, chief: dict[str, str], wish: dict[str, object]
) -> None:
    answer = client.post(ADDRESS, json=wish, headers=chief)
    assert (answer.status_code, answer.json()["code"]) == (422, "option")
    assert len(client.get(ADDRESS, headers=chief).json()["keys"]) == 1


@pytest.mark.parametrize("key_id", ["0" * 36, "nothing", "%00", "..%2F.."])
def test_a_key_that_is_not_there_cannot_be_revoked(client: TestClient, chief: dict[str, str], key_id: str) -> None:
    assert client.delete(f"{ADDRESS}/{key_id}", headers=chief).status_code == 404


def test_nobody_without_an_admins_key_learns_or_changes_anything(client: TestClient, parts: Parts) -> None:
    with parts.database.writing() as session:
        token = keys.create(session, keys.Wish("plain", "1000/minute", 10))[1]
    for headers, status in (({}, 401), ({"X-API-Key": token}, 403), ({"X-API-Key": "dg_no"}, 401)):
        assert client.get(ADDRESS, headers=headers).status_code == status
        assert client.post(ADDRESS, json={"name": "mine", "admin": True}, headers=headers).status_code == status
        assert client.delete(f"{ADDRESS}/{'0' * 36}", headers=headers).status_code == status
    with parts.database.reading() as session:
        assert [key.name for key in keys.every(session)] == ["plain"]
