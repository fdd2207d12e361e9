"""Who a visitor is, and what each may see and do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient, WebSocketDenialResponse
from tests.service.web.visitors import MakeKey, browser, settled, visits

from deepguard.service import keys
from deepguard.service.parts import Parts
from deepguard.service.tables import Key, Upload, Visit, now
from deepguard.service.web import access


@pytest.fixture
def client(parts: Parts) -> Iterator[TestClient]:
    with browser(parts) as made:
        yield made


def cookie(header: str) -> dict[str, str]:
    (morsel,) = SimpleCookie(header).values()
    return {name: str(value) for name, value in morsel.items() if value} | {"value": morsel.value}


def test_a_stranger_who_only_reads_is_nobody_and_gets_no_cookie(client: TestClient, parts: Parts) -> None:
    answer = client.get("/test/read")
    assert answer.json() == {"owner": "", "admin": False}
    assert "set-cookie" not in answer.headers
    assert visits(parts) == 0


def test_whoever_makes_something_becomes_a_visit_that_is_known_again(client: TestClient, parts: Parts) -> None:
    first = client.post("/test/own").json()["owner"]
    assert first.startswith("visit:")
    again = client.post("/test/own")
    assert again.json()["owner"] == first == client.get("/test/read").json()["owner"]
    assert "set-cookie" not in again.headers
    assert visits(parts) == 1


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_only_its_hash_is_kept(
    client: TestClient, parts: Parts
) -> None:
    sent = cookie(client.post("/test/own").headers["set-cookie"])
    assert sent["httponly"] == "True"
    assert (sent["samesite"], sent["path"], sent["max-age"]) == ("Lax", "/", str(30 * 24 * 3600))
    assert "secure" not in sent
    assert len(sent["value"]) >= 43
    with parts.database.reading() as session:
        visit = session.scalars(select(Visit)).one()
        assert visit.token_hash == keys.hashed(sent["value"])
        assert sent["value"] not in repr(vars(visit))


def test_behind_https_and_a_path_the_cookie_keeps_to_both(parts: Parts) -> None:
    with browser(settled(parts, root_path="/deepguard/"), "https://testserver") as client:
        sent = cookie(client.post("/test/own").headers["set-cookie"])
        assert (sent["secure"], sent["path"]) == ("True", "/deepguard")
    with browser(settled(parts, scheme="https")) as client:
        assert "secure" in cookie(client.post("/test/own").headers["set-cookie"])


def test_a_forged_or_forgotten_cookie_is_a_stranger_and_ownership_gets_a_new_one(client: TestClient) -> None:
    client.cookies.set(access.COOKIE, "made-up")
    assert client.get("/test/read").json()["owner"] == ""
    answer = client.post("/test/own")
    assert answer.json()["owner"].startswith("visit:")
    assert cookie(answer.headers["set-cookie"])["value"] != "made-up"


def test_a_sign_of_life_is_written_once_an_hour_and_prolongs_the_cookie(client: TestClient, parts: Parts) -> None:
    client.post("/test/own")
    old = now() - datetime.timedelta(hours=2)
    with parts.database.writing() as session:
        session.execute(update(Visit).values(seen=old))
    renewed = client.get("/test/read")
    assert cookie(renewed.headers["set-cookie"])["value"] == client.cookies[access.COOKIE]
    assert "set-cookie" not in client.get("/test/read").headers
    with parts.database.reading() as session:
        assert session.scalars(select(Visit.seen)).one() > old + datetime.timedelta(hours=1)


def test_a_key_is_taken_from_either_header_and_notes_its_use(
    client: TestClient, parts: Parts, make_key: MakeKey
) -> None:
    token = make_key()
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}, {"authorization": f"bearer  {token}"}):
        answer = client.post("/test/own", headers=headers)
        assert answer.json()["owner"].startswith("key:")
        assert "set-cookie" not in answer.headers
    assert visits(parts) == 0
    with parts.database.reading() as session:
        key = session.scalars(select(Key)).one()
        assert key.used is not None
        assert token not in repr(vars(key))


def test_wrong_and_revoked_keys_are_refused_in_the_same_words(
    client: TestClient, parts: Parts, make_key: MakeKey
) -> None:
    revoked = make_key()
    with parts.database.writing() as session:
        keys.revoke(session, session.scalars(select(Key.id)).one())
    said = []
    for token in ("dg_" + "x" * 43, revoked, "", "§"):
        answer = client.get("/test/read", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        said.append((answer.json()["code"], answer.json()["message"]))
    assert set(said) == {("key_wrong", "the key is wrong or was revoked; ask the operator for another")}


def test_a_wrong_key_does_not_fall_back_on_the_cookie(client: TestClient) -> None:
    client.post("/test/own")
    assert client.get("/test/read", headers={"X-API-Key": "dg_wrong"}).status_code == 401


def test_another_scheme_of_authorization_belongs_to_a_proxy(client: TestClient) -> None:
    assert client.get("/test/read", headers={"Authorization": "Basic dTpw"}).json()["owner"] == ""


def test_guesses_of_keys_are_counted(parts: Parts) -> None:
    with browser(settled(parts, rate="2/minute")) as client:
        codes = [client.get("/test/read", headers={"X-API-Key": f"dg_{n}"}).status_code for n in range(3)]
    assert codes == [401, 401, 429]


def test_only_a_key_that_may_administers(client: TestClient, make_key: MakeKey) -> None:
    client.post("/test/own")
    without = client.get("/test/admin")
    assert (without.status_code, without.json()["code"]) == (401, "key_required")
    plain = client.get("/test/admin", headers={"X-API-Key": make_key()})
    assert (plain.status_code, plain.json()["code"]) == (403, "forbidden")
    chief = {"X-API-Key": make_key(admin=True)}
    assert client.get("/test/admin", headers=chief).json()["owner"].startswith("key:")
    assert client.get("/test/read", headers=chief).json()["admin"] is True


def test_a_stranger_is_told_that_there_is_nothing_and_an_admin_sees_it(parts: Parts, make_key: MakeKey) -> None:
    with browser(parts) as mine, browser(parts) as stranger:
        owner = mine.post("/test/own").json()["owner"]
        upload = Upload(
            owner=owner, name="a.jpg", container="JPEG", size=1, sha256="0" * 64, expires=now() + datetime.timedelta(1)
        )
        with parts.database.writing() as session:
            session.add(upload)
        address = f"/api/v1/uploads/{upload.id}"
        assert mine.get(address).status_code == 200
        assert stranger.get(address).status_code == 404
        stranger.post("/test/own")
        theirs = stranger.get(address)
        nothing = stranger.get(address.replace(upload.id, "0" * 36))
        assert theirs.status_code == nothing.status_code == 404
        assert theirs.json()["message"] == nothing.json()["message"]
        assert stranger.get(address, headers={"X-API-Key": make_key()}).status_code == 404
        assert stranger.get(address, headers={"X-API-Key": make_key(admin=True)}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
    ],
)
def test_another_sites_page_cannot_act_in_a_visitors_name(
    client: TestClient, parts: Parts, make_key: MakeKey, headers: dict[str, str]
) -> None:
    client.post("/test/own")
    refused = client.post("/test/own", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert client.get("/test/read", headers=headers).status_code == 200
    program = client.post("/test/own", headers={**headers, "X-API-Key": make_key()})
    assert program.json()["owner"].startswith("key:")
    client.cookies.clear()
    assert client.post("/test/own", headers=headers).status_code == 403, "it would replace the visitor's own cookie"
    assert visits(parts) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://testserver"},
        {"Origin": "http://TESTSERVER:8080"},
    ],
)
def test_the_own_page_and_programs_without_a_browser_may_write(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/test/own", headers=headers).status_code == 200


def test_a_websocket_knows_its_visitor_and_refuses_other_sites(client: TestClient) -> None:
    owner = client.post("/test/own").json()["owner"]
    with client.websocket_connect("/test/watch") as socket:
        assert socket.receive_text() == owner
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect("/test/watch", headers={"Origin": "https://evil.example"}),
    ):
        pass
    assert denied.value.status_code == 403
    assert denied.value.json()["code"] == "forbidden"


def test_whoever_reads_can_while_nothing_can_be_written(client: TestClient, parts: Parts, tmp_path: Path) -> None:
    client.post("/test/own")
    with parts.database.writing() as session:
        session.execute(update(Visit).values(seen=now() - datetime.timedelta(hours=2)))
    with parts.database.engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE UPDATE ON visits BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        connection.commit()
    answer = client.get("/test/read")
    assert answer.status_code == 200
    assert answer.json()["owner"].startswith("visit:")
