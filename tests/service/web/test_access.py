from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from sqlalchemy import func, select, update
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient, WebSocketDenialResponse
from tests.service.servers import redis_server

from deepguard.errors import OptionError
from deepguard.service import keys
from deepguard.service.database import Database
from deepguard.service.parts import Parts
from deepguard.service.tables import Key, Quota, Upload, Visit, now
from deepguard.service.web import access
from deepguard.service.web import rates as rates_module
from deepguard.service.web.access import Admin, Owner, Reader, Visitor
from deepguard.service.web.app import Open, make_app
from deepguard.service.web.faults import Fault
from deepguard.service.web.rates import Rates

MakeKey = Callable[..., str]


def with_addresses(app: FastAPI) -> FastAPI:
    """Add an address for each way in."""

    @app.get("/test/read")
    def read(visitor: Reader) -> dict[str, object]:
        return {"owner": visitor.owner, "admin": visitor.admin}

    @app.post("/test/own")
    def own(visitor: Owner) -> dict[str, object]:
        return {"owner": visitor.owner}

    @app.post("/test/job")
    def job(visitor: Owner, parts: Open) -> dict[str, object]:
        with parts.database.writing() as session:
            access.spend(session, visitor)
        return {"owner": visitor.owner}

    @app.get("/test/admin")
    def administer(visitor: Admin) -> dict[str, object]:
        return {"owner": visitor.owner}

    @app.websocket("/test/watch")
    async def watch(websocket: WebSocket) -> None:
        visitor = await run_in_threadpool(access.of_websocket, websocket)
        await websocket.accept()
        await websocket.send_text(visitor.owner)
        await websocket.close()

    return app


@contextmanager
def browser(parts: Parts, base_url: str = "http://testserver", host: str = "203.0.113.7") -> Iterator[TestClient]:
    """A browser at an address of the internet, in front of an application of its own."""
    yield TestClient(
        with_addresses(make_app(parts)), base_url=base_url, client=(host, 50000), raise_server_exceptions=False
    )


@pytest.fixture
def client(parts: Parts) -> Iterator[TestClient]:
    with browser(parts) as made:
        yield made


@pytest.fixture
def make_key(parts: Parts) -> MakeKey:
    def make(rate: str = "1000/minute", jobs_per_day: int = 10, *, admin: bool = False) -> str:
        with parts.database.writing() as session:
            return keys.create(session, keys.Wish("test", rate, jobs_per_day, admin))[1]

    return make


def settled(parts: Parts, **changes: object) -> Parts:
    return replace(parts, settings=parts.settings.model_copy(update=changes))


def visits(parts: Parts) -> int:
    with parts.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Visit)) or 0


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


def test_every_answer_tells_what_is_left_and_over_the_rate_when_it_goes_on(parts: Parts) -> None:
    with browser(settled(parts, rate="3/second")) as client:
        client.post("/test/own")
        seen = [client.get("/test/read") for _ in range(4)]
        assert [each.status_code for each in seen] == [200, 200, 200, 429]
        assert [each.headers["ratelimit-remaining"] for each in seen] == ["2", "1", "0", "0"]
        assert {each.headers["ratelimit-limit"] for each in seen} == {"3"}
        assert seen[-1].json()["code"] == "rate"
        assert seen[-1].headers["retry-after"] == "1"
        assert int(seen[-1].headers["ratelimit-reset"]) <= 1
        time.sleep(1.1)
        assert client.get("/test/read").status_code == 200


def test_each_key_has_its_own_rate_and_the_tightest_window_is_told(client: TestClient, make_key: MakeKey) -> None:
    slow, fast = {"X-API-Key": make_key("100/minute; 2/hour")}, {"X-API-Key": make_key("100/minute")}
    codes = [client.get("/test/read", headers=slow) for _ in range(3)]
    assert [each.status_code for each in codes] == [200, 200, 429]
    assert codes[0].headers["ratelimit-limit"] == "2"
    assert 3500 < int(codes[2].headers["retry-after"]) <= 3600
    assert client.get("/test/read", headers=fast).headers["ratelimit-remaining"] == "99"


def test_dropping_the_cookie_neither_renews_the_rate_nor_makes_visits_without_end(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "VISITS", "2/minute")
    with browser(parts) as client:
        codes = []
        for _ in range(3):
            client.cookies.clear()
            codes.append(client.post("/test/own").status_code)
        assert codes == [200, 200, 429]
        assert visits(parts) == 2
    with browser(settled(parts, rate="2/minute")) as client:
        assert [client.get("/test/read").status_code for _ in range(3)] == [200, 200, 429]


def test_a_rate_that_is_none_is_refused_at_the_start(parts: Parts) -> None:
    with pytest.raises(OptionError, match="DEEPGUARD_RATE is wrong: 'often' is no rate"):
        make_app(settled(parts, rate="often"))


def test_while_redis_is_silent_requests_are_counted_in_memory_and_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = Rates("redis://127.0.0.1:1/0")
    assert [rates.take("2/minute", "somebody").allowed for _ in range(3)] == [True, True, False]
    monkeypatch.setattr(rates._redis, "incr", None)
    assert not rates.take("2/minute", "somebody").allowed, "Redis is not asked again for a while"


def test_processes_that_share_redis_count_together_and_go_on_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates_module, "SILENT_SECONDS", 0.0)
    with redis_server() as server:
        one, other = Rates(server.url), Rates(server.url)
        assert [each.take("3/hour", "somebody").remaining for each in (one, other, one)] == [2, 1, 0]
        refused = other.take("3/hour", "somebody")
        assert not refused.allowed
        assert 3500 < refused.reset <= 3600
        server.stop()
        began = time.monotonic()
        assert one.take("3/hour", "somebody").remaining == 2, "memory begins anew"
        assert time.monotonic() - began < 2
        server.start()
        assert one.take("3/hour", "somebody").remaining == 2, "this Redis kept nothing either"
        assert other.take("3/hour", "somebody").remaining == 1


def test_the_quota_ends_the_day_and_says_when_there_is_more(parts: Parts) -> None:
    with browser(settled(parts, jobs_per_day=2)) as client:
        assert [client.post("/test/job").status_code for _ in range(2)] == [200, 200]
        over = client.post("/test/job")
        assert (over.status_code, over.json()["code"]) == (429, "quota")
        tomorrow = now().date() + datetime.timedelta(1)
        midnight = datetime.datetime.combine(tomorrow, datetime.time(), datetime.UTC)
        assert f"{tomorrow.isoformat()} 00:00 UTC" in over.json()["message"]
        assert abs(int(over.headers["retry-after"]) - (midnight - now()).total_seconds()) < 5
        client.cookies.clear()
        assert client.post("/test/job").status_code == 429, "the address counts too"
    with browser(settled(parts, jobs_per_day=2), host="203.0.113.8") as elsewhere:
        assert elsewhere.post("/test/job").status_code == 200


def test_one_network_of_the_sixth_version_counts_as_one_address(parts: Parts) -> None:
    few = settled(parts, jobs_per_day=1)
    hosts = ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1", "::ffff:203.0.113.9", "203.0.113.9")
    codes = []
    for host in hosts:
        with browser(few, host=host) as client:
            codes.append(client.post("/test/job").status_code)
    assert codes == [200, 429, 200, 200, 429]
    with parts.database.reading() as session:
        kept = " ".join(session.scalars(select(Quota.owner)))
    assert "2001" not in kept
    assert "203.0" not in kept


def test_a_key_has_its_own_quota_and_leaves_the_addresses_alone(client: TestClient, make_key: MakeKey) -> None:
    headers = {"X-API-Key": make_key(jobs_per_day=1)}
    assert [client.post("/test/job", headers=headers).status_code for _ in range(2)] == [200, 429]
    assert client.post("/test/job").status_code == 200


def test_what_is_not_committed_is_not_spent(parts: Parts) -> None:
    visitor = Visitor("visit:1", frozenset({"jobs"}), "1/minute", 1)

    def broken() -> None:
        with parts.database.writing() as session:
            access.spend(session, visitor)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    with parts.database.writing() as session:
        access.spend(session, visitor)
    with pytest.raises(Fault, match="used up"), parts.database.writing() as session:
        access.spend(session, visitor)


def race(database: Database, *, visitors: int, each: int, most: int) -> int:
    """Let visitors behind one address spend at the same time; return how many jobs were allowed."""
    everybody = [Visitor(f"visit:{n}", frozenset({"jobs"}), "", most, "addr:one") for n in range(visitors)]

    def spends(visitor: Visitor) -> int:
        allowed = 0
        for _ in range(each):
            try:
                with database.writing() as session:
                    access.spend(session, visitor)
                allowed += 1
            except Fault:
                continue
        return allowed

    with ThreadPoolExecutor(visitors) as pool:
        return sum(pool.map(spends, everybody))


def test_requests_that_race_spend_no_more_than_the_quota(any_database: Database) -> None:
    assert race(any_database, visitors=8, each=5, most=20) == 20
    with any_database.reading() as session:
        used = {row.owner: row.used for row in session.scalars(select(Quota))}
    assert used.pop("addr:one") == 20 == sum(used.values())


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
