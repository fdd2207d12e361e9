"""How often one may ask, and how many jobs a day has."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.service.servers import redis_server
from tests.service.web.visitors import MakeKey, browser, settled, visits

from deepguard.errors import OptionError
from deepguard.service.database import Database
from deepguard.service.parts import Parts
from deepguard.service.tables import Quota, now
from deepguard.service.web import access
from deepguard.service.web import rates as rates_module
from deepguard.service.web.access import Visitor
from deepguard.service.web.app import make_app
from deepguard.service.web.faults import Fault
from deepguard.service.web.rates import Rates


@pytest.fixture
def client(parts: Parts) -> Iterator[TestClient]:
    with browser(parts) as made:
        yield made


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
