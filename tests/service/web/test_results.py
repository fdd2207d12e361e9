"""Who gets which result, how it is delivered, and where the code on the screen leads."""

from __future__ import annotations

import hashlib
import io
import socket
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as Tree

import httpx
import psutil
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.datastructures import URL
from starlette.testclient import TestClient
from tests.service.servers import BUCKET, Storage
from tests.service.web.sending import FORM, picture, send
from tests.service.web.serving import part

from deepguard.service import jobs
from deepguard.service.disposition import disposition
from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Job, Result, Table, Visit, identifier, now
from deepguard.service.web import addresses
from deepguard.service.web.app import make_app
from deepguard.service.web.faults import Fault

DATA = {"picture": picture(), "log": b'{"detectors": {}}'}


def finished(parts: Parts, owner: str, state: State = State.DONE) -> Job:
    """A job that is over, with two results in the store."""
    job_id = identifier()
    types = {"picture": "image/jpeg", "log": "application/json"}
    names = {"picture": '여름 "사진".protected.jpg', "log": "report.json"}
    job = jobs.new_job(
        id=job_id, kind="protect", owner=owner, name="a", upload_id=identifier(), options={}, expires=now()
    )
    job.state = state
    for position, (name, data) in enumerate(DATA.items()):
        key = f"results/{job_id}/1/{name}"
        parts.store.put(key, data)
        job.results.append(
            Result(
                name=name,
                position=position,
                filename=names[name],
                media_type=types[name],
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                key=key,
            )
        )
    with parts.database.writing() as session:
        session.add(job)
    return job


def visitor_of(client: TestClient, parts: Parts) -> str:
    """Make the client somebody, and return who."""
    assert send(client, picture()).status_code == 201
    with parts.database.reading() as session:
        return f"visit:{session.scalars(select(Visit.id).order_by(Visit.created.desc())).first()}"


@pytest.fixture
def job(client: TestClient, parts: Parts) -> Job:
    """A finished job of the client's."""
    return finished(parts, visitor_of(client, parts))


@pytest.fixture
def stranger(app: FastAPI, client: TestClient) -> TestClient:
    """Somebody else."""
    return TestClient(app)


def at(job: Job, rest: str) -> str:
    return f"/api/v1/jobs/{job.id}/{rest}"


def test_results_are_listed_in_their_order_with_where_they_are(client, job):
    listed = client.get(at(job, "results")).json()
    assert [each["name"] for each in listed] == ["picture", "log"]
    assert [client.get(each["url"]).content for each in listed] == list(DATA.values())


def test_a_job_that_is_not_done_has_an_empty_list_and_no_downloads(client, parts):
    owner = visitor_of(client, parts)
    waiting = jobs.new_job(
        id=identifier(), kind="protect", owner=owner, name="a", upload_id="u", options={}, expires=now()
    )
    with parts.database.writing() as session:
        session.add(waiting)
    assert client.get(at(waiting, "results")).json() == []
    given = client.get(at(waiting, "results/picture"))
    assert (given.status_code, given.json()["code"]) == (404, "not_found")
    assert "queued" in given.json()["message"]


def test_a_result_comes_with_what_a_browser_must_know(client, job):
    given = client.get(at(job, "results/picture"))
    assert given.content == DATA["picture"]
    assert given.headers["content-type"] == "image/jpeg"
    assert given.headers["content-length"] == str(len(DATA["picture"]))
    assert given.headers["etag"] == f'"{hashlib.sha256(DATA["picture"]).hexdigest()}"'
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["cache-control"].startswith("private")
    assert "sandbox" in given.headers["content-security-policy"]


def test_a_korean_name_is_given_whole_and_in_ascii(client, job):
    said = client.get(at(job, "results/picture")).headers["content-disposition"]
    whole = "%EC%97%AC%EB%A6%84%20%22%EC%82%AC%EC%A7%84%22.protected.jpg"
    assert said == f"attachment; filename=\"__ ____.protected.jpg\"; filename*=UTF-8''{whole}"
    inline = client.get(at(job, "results/log"), params={"inline": 1}).headers["content-disposition"]
    assert inline == 'inline; filename="report.json"'


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", 'a"; filename="b', "a\\b", "100%41.jpg"])
def test_a_name_cannot_leave_its_place_in_the_header(name):
    said = disposition(name, inline=False)
    assert said.isascii()
    assert said.isprintable()
    assert said.count('"') == 2
    assert said.count("filename=") == 1 + ("filename=" in name.replace('"', "_"))


@pytest.mark.parametrize(("tag", "status"), [("{}", 304), ("W/{}", 304), ('"x", {}', 304), ("*", 304), ('"x"', 200)])
def test_who_has_the_bytes_already_is_not_sent_them_again(client, job, tag, status):
    etag = f'"{hashlib.sha256(DATA["picture"]).hexdigest()}"'
    given = client.get(at(job, "results/picture"), headers={"If-None-Match": tag.format(etag)})
    assert (given.status_code, given.headers["etag"]) == (status, etag)
    assert (given.content == b"") == (status == 304)


@pytest.mark.parametrize("rest", ["results", "results/picture", "qr.svg"])
def test_a_stranger_is_told_that_there_is_no_job_unless_they_have_the_token(stranger, job, rest):
    for token in ("", "wrong", "틀림", job.share[:-1]):
        given = stranger.get(at(job, rest), params={"share": token})
        assert (given.status_code, given.json()["code"]) == (404, "not_found")
    assert stranger.get(at(job, rest), params={"share": job.share}).status_code == 200


def test_an_unknown_result_is_not_found_and_the_ones_that_exist_are_named(client, job):
    given = client.get(at(job, "results/movie"))
    assert given.status_code == 404
    assert "picture, log" in given.json()["message"]


@pytest.mark.parametrize("name", ["..%2f..%2fuploads", "%00", "picture%2f..%2flog"])
def test_a_path_in_a_results_name_leads_nowhere(client, job, name):
    assert client.get(at(job, f"results/{name}")).status_code == 404


@pytest.mark.parametrize("rest", ["results", "results/picture", "qr.svg"])
def test_an_expired_job_is_gone_and_says_so(client, parts, rest):
    expired = finished(parts, visitor_of(client, parts), State.EXPIRED)
    given = client.get(at(expired, rest))
    assert (given.status_code, given.json()["code"]) == (410, "expired")


def test_a_result_whose_file_is_gone_is_not_found(client, parts, job):
    parts.store.delete(f"results/{job.id}/1/picture")
    given = client.get(at(job, "results/picture"))
    assert (given.status_code, given.json()["code"]) == (404, "not_found")


def test_results_of_a_deleted_job_are_not_found(client, parts, job):
    with parts.database.writing() as session:
        session.delete(session.get_one(Job, job.id))
    assert client.get(at(job, "results/picture")).status_code == 404


def in_a_bucket(tmp_path: Path, storage: Storage, **settings: str) -> tuple[Parts, Job]:
    """Open parts over a bucket, with a finished job whose result lies there, or would."""
    parts = open_parts(
        ServiceSettings(
            home=tmp_path,
            _env_file=None,
            store=f"s3://{BUCKET}/guard",
            s3_endpoint=storage.url,
            s3_key=storage.key,
            s3_secret=storage.secret,
            **settings,
        )
    )
    Table.metadata.create_all(parts.database.engine)
    job = jobs.new_job(id=identifier(), kind="protect", owner="x", name="", upload_id="", options={}, expires=now())
    job.state = State.DONE
    sized = {"filename": "여름.jpg", "media_type": "image/jpeg", "size": 4, "sha256": "0" * 64}
    job.results.append(Result(name="picture", position=0, key=f"results/{job.id}/1/picture", **sized))
    with parts.database.writing() as session:
        session.add(job)
    return parts, job


def test_a_bucket_that_browsers_reach_delivers_results_itself_under_their_names(tmp_path, storage):
    parts, job = in_a_bucket(tmp_path, storage, s3_public=storage.url)
    kept = {"Content-Type": "image/jpeg", "Content-Disposition": disposition("여름.jpg", inline=False)}
    parts.store.put(f"results/{job.id}/1/picture", b"seen", kept)
    with TestClient(make_app(parts)) as client:
        given = client.get(at(job, "results/picture"), params={"share": job.share}, follow_redirects=False)
    assert given.status_code == 307
    assert given.headers["cache-control"] == "private, no-store"
    address = given.headers["location"]
    assert address.startswith(f"{storage.url}/{BUCKET}/guard/results/{job.id}/1/picture?")
    assert "X-Amz-Signature=" in address
    delivered = httpx.get(address)
    assert delivered.content == b"seen"
    assert {name: delivered.headers[name] for name in kept} == kept


def test_a_bucket_that_browsers_do_not_reach_is_read_by_the_service(tmp_path, storage):
    parts, job = in_a_bucket(tmp_path, storage)
    parts.store.put(f"results/{job.id}/1/picture", b"seen")
    with TestClient(make_app(parts)) as client:
        given = client.get(at(job, "results/picture"), params={"share": job.share}, follow_redirects=False)
    assert (given.status_code, given.content) == (200, b"seen")


def test_an_upload_goes_into_a_bucket_whole_and_what_is_refused_leaves_nothing_there(tmp_path, storage):
    parts, _ = in_a_bucket(tmp_path, storage)
    large = picture("BMP", (1900, 1100))
    with TestClient(make_app(parts)) as client:
        made = send(client, large).json()["id"]
        assert parts.store.get(f"uploads/{made}") == large
        cut = part("file", large, "a.bmp")
        assert client.post("/api/v1/uploads", content=cut, headers=FORM).status_code == 400
        assert [each.key for each in parts.store.everything("uploads")] == [f"uploads/{made}"]
        assert client.delete(f"/api/v1/uploads/{made}").status_code == 204
        assert list(parts.store.everything("uploads")) == []


def test_a_store_that_is_down_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = Storage(f"http://127.0.0.1:{closed.getsockname()[1]}", "key", "secret")
    parts, job = in_a_bucket(tmp_path, nowhere)
    with TestClient(make_app(parts)) as client:
        given = client.get(at(job, "results/picture"), params={"share": job.share})
    assert (given.status_code, given.json()["code"]) == (503, "store_down")


def test_the_code_leads_to_the_jobs_page_with_its_token(client, job):
    drawn = client.get(at(job, "qr.svg"))
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    drawing = Tree.parse(io.BytesIO(drawn.content)).getroot()
    title = drawing.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == f"http://testserver/jobs/{job.id}?share={job.share}"
    assert "viewBox" in drawing.attrib
    assert "width" not in drawing.attrib


def connection(url: str, **settings: object):
    """As much of a request as addresses look at."""
    made = ServiceSettings(_env_file=None, **settings)
    return SimpleNamespace(
        url=URL(url), app=SimpleNamespace(state=SimpleNamespace(parts=SimpleNamespace(settings=made)))
    )


@pytest.mark.parametrize(
    ("url", "settings", "address"),
    [
        ("http://a.example:8080/x", {}, "http://a.example:8080/jobs/1"),
        ("http://a.example/x", {"scheme": "https"}, "https://a.example/jobs/1"),
        ("https://a.example/x", {"root_path": "/guard/"}, "https://a.example/guard/jobs/1"),
        ("wss://a.example/x", {}, "https://a.example/jobs/1"),
        ("ws://127.0.0.1:5000/x", {}, "http://127.0.0.1:5000/jobs/1"),
    ],
)
def test_addresses_are_those_seen_from_outside(url, settings, address):
    assert addresses.page_of(connection(url, **settings), "1") == address


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "my.localhost", "127.9.9.9"])
def test_a_phone_is_led_to_this_machines_address_in_the_network(monkeypatch, name):
    monkeypatch.setattr(addresses, "lan_address", lambda: "192.168.1.7")
    found = addresses.phone_page_of(connection(f"http://{name}:5000/", host="0.0.0.0"), "1", "t/k")
    assert found == "http://192.168.1.7:5000/jobs/1?share=t%2Fk"


def test_a_service_that_listens_on_one_address_names_that_one():
    found = addresses.phone_page_of(connection("http://localhost:5000/", host="10.0.0.3"), "1", "t")
    assert found == "http://10.0.0.3:5000/jobs/1?share=t"


def test_a_service_for_this_machine_alone_says_how_a_phone_could_reach_it(client, job):
    given = client.get(f"http://localhost/api/v1/jobs/{job.id}/qr.svg", params={"share": job.share})
    assert (given.status_code, given.json()["code"]) == (409, "not_reachable")
    assert "HOST=0.0.0.0" in given.json()["message"]


def test_a_machine_without_a_network_says_so(monkeypatch):
    monkeypatch.setattr(addresses, "lan_address", lambda: None)
    with pytest.raises(Fault, match="in no network"):
        addresses.phone_page_of(connection("http://localhost:5000/", host="0.0.0.0"), "1", "t")


@pytest.mark.parametrize(
    ("cards", "best"),
    [
        ([("lo", "127.0.0.1"), ("eth0", "10.1.2.3")], "10.1.2.3"),
        ([("docker0", "172.17.0.1"), ("wlan0", "192.168.0.5"), ("eth0", "10.1.2.3")], "192.168.0.5"),
        ([("docker0", "172.17.0.1")], "172.17.0.1"),
        ([("eth0", "203.0.113.9"), ("eth1", "10.0.0.1"), ("eth2", "8.8.8.8")], "10.0.0.1"),
        ([("eth0", "169.254.3.4"), ("lo", "127.0.0.1")], None),
    ],
)
def test_the_address_is_one_that_others_reach(cards, best):
    assert addresses.best_address(cards) == best


def test_only_cards_that_are_up_count(monkeypatch):
    def card(address: str):
        return [SimpleNamespace(family=socket.AF_INET, address=address)]

    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"off": card("192.168.0.9"), "on": card("10.0.0.9")})
    states = {"off": SimpleNamespace(isup=False), "on": SimpleNamespace(isup=True)}
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    assert addresses.lan_address() == "10.0.0.9"
