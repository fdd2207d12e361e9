"""The plain page: every state in both languages, without scripts, and nothing of a user's taken for markup."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.service.web.conftest import TestClient
from tests.service.web.markup import Markup, words
from tests.service.web.pages import (
    ABILITY,
    HOSTILE,
    HTML,
    KOREAN,
    PRESETS,
    TOKEN,
    assert_only_our_scripts,
    boot_of,
    done,
    employ,
    enter,
    give,
    photo,
)

from deepguard.service.parts import Parts, open_parts
from deepguard.service.settings import ServiceSettings
from deepguard.service.states import State
from deepguard.service.tables import Job, Table, Upload, Worker
from deepguard.service.web.access import COOKIE
from deepguard.service.web.app import make_app
from deepguard.service.web.words import LANGUAGES, Words


def test_the_form_shows_its_limits_before_a_file_is_chosen(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    text = words(page)
    for promise in (
        "64 MB",
        "50 megapixels",
        "24 hours",
        "JPEG, PNG, WebP, TIFF, BMP, HEIC",
        "does not stop every tool",
    ):
        assert promise in text
    assert text.index("64 MB") < text.index("How much may change?")
    korean = words(client.get("/", headers=KOREAN))
    for promise in ("64 MB까지", "5,000만 화소까지", "24시간 뒤에", "모든 도구를 막지는 못하고"):
        assert promise in korean


def test_the_cards_are_the_presets_that_workers_published(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    page = client.get("/", headers=HTML)
    radios = [each for each in Markup(page.text).all("input") if each["type"] == "radio"]
    assert [each["value"] for each in radios] == list(PRESETS)
    assert ["checked" in each for each in radios] == [True, False, False, False]
    # one that the words do not know yet says what its worker says
    assert "about brand-new" in words(page)


def test_a_picture_is_taken_without_scripts_and_leads_to_its_job(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    answer = client.post(
        "/", files={"file": (HOSTILE, photo(), "image/jpeg")}, data={"preset": "strong"}, headers=HTML,
        follow_redirects=False,
    )  # fmt: skip
    assert answer.status_code == 303
    page = client.get(answer.headers["location"], headers=HTML)
    assert page.status_code == 200
    assert "Waiting for its turn" in words(page)
    assert any(each.get("http-equiv") == "refresh" for each in Markup(page.text).all("meta"))
    with parts.database.reading() as session:
        job = session.scalars(select(Job)).one()
        assert job.options == {"preset": "strong"}
        assert parts.store.holds(f"uploads/{job.upload_id}")
    assert parts.sender.check() == 1


def sent(client: httpx.Client, once: str, file: bytes, preset: str = "strong") -> str:
    """Where the browser is led that sends a drawn form."""
    answer = client.post(
        "/", data={"once": once, "preset": preset}, files={"file": ("a.jpg", file)}, headers=HTML,
        follow_redirects=False,
    )  # fmt: skip
    assert answer.status_code == 303
    return answer.headers["location"]


def test_a_form_that_is_sent_twice_leads_to_the_same_job(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    enter(parts, client)
    forms = [Markup(client.get("/", headers=HTML).text).all("input") for _ in range(2)]
    once, other = (next(str(each["value"]) for each in form if each["name"] == "once") for form in forms)
    assert len(once) >= 20
    assert once != other
    first = sent(client, once, photo())
    assert sent(client, once, photo()) == first
    with parts.database.reading() as session:
        [upload] = session.scalars(select(Upload.id)).all()
    assert [each.key for each in parts.store.everything()] == [f"uploads/{upload}"]
    # the same form after the back button, with something else in it, is another wish
    later = [
        sent(client, once, photo(), "balanced"),
        sent(client, once, photo() + b"more"),
        sent(client, other, photo()),
    ]
    assert len({first, *later}) == 4


def test_one_visitors_form_says_nothing_of_anothers_job(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    first = sent(client, "the same", photo())
    client.cookies.clear()
    assert sent(client, "the same", photo()) != first


@pytest.mark.parametrize(
    ("file", "preset", "status", "sentence"),
    [
        (b"", "balanced", 415, "This is no photo, or a damaged one"),
        (b"MZ" + bytes(200), "balanced", 415, "This is no photo, or a damaged one"),
        (b"8BPS" + bytes(200), "balanced", 415, "cannot be protected"),
        (b"GIF89a" + bytes(200), "balanced", 415, "Clips can only be checked"),
        (photo(), "no-such", 422, "Something is missing or does not fit"),
        (b"\xff\xd8\xff" + bytes(3000), "balanced", 413, "The file is too large"),
    ],
)  # fmt: skip
def test_a_file_that_is_refused_is_answered_with_a_page_that_says_what_to_do(
    tmp_path: Path, client: httpx.Client, app: FastAPI, file: bytes, preset: str, status: int, sentence: str
) -> None:
    parts = app.state.parts
    object.__setattr__(parts, "settings", parts.settings.model_copy(update={"upload_bytes": 2000}))
    employ(parts)
    answer = client.post("/", files={"file": ("a.jpg", file)}, data={"preset": preset}, headers=HTML)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert sentence in words(answer)
    with parts.database.reading() as session:
        assert session.scalars(select(Upload)).all() == []
    assert list(parts.store.everything()) == []


def test_before_the_first_worker_the_page_says_that_it_is_getting_ready(client: httpx.Client) -> None:
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    assert "Getting ready" in words(page)
    assert not Markup(page.text).all("form")
    assert any(each.get("http-equiv") == "refresh" for each in Markup(page.text).all("meta"))


def test_where_no_worker_protects_there_is_no_form(parts: Parts, client: httpx.Client) -> None:
    with parts.database.writing() as session:
        session.add(Worker(name="w", host="h", pid=1, version="1", abilities={"find": ABILITY | {"name": "find"}}))
    page = client.get("/", headers=HTML)
    assert page.status_code == 200
    assert "Getting ready" in words(page)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", State)
def test_every_state_has_a_page_in_both_languages(
    parts: Parts, client: httpx.Client, state: State, language: str
) -> None:
    code = {"error_code": "no_face", "error_message": "x"} if state is State.FAILED else {}
    job_id = give(parts, enter(parts, client), state, **code)
    page = client.get(f"/jobs/{job_id}", headers=HTML, params={"lang": language})
    assert page.status_code == 200
    text = words(page)
    assert Words(language)(f"job.{state}") in text
    assert Markup(page.text).all("html") == [{"lang": language}]
    if state is State.FAILED:
        assert Words(language).error("no_face") in text
    active = state in {State.QUEUED, State.RUNNING, State.CANCELLING}
    assert any(each.get("http-equiv") == "refresh" for each in Markup(page.text).all("meta")) == active


def test_a_file_name_is_text_and_never_markup(parts: Parts, client: httpx.Client) -> None:
    job_id = give(parts, enter(parts, client), State.RUNNING)
    page = client.get(f"/jobs/{job_id}", headers=HTML)
    assert_only_our_scripts(page.text)
    assert "alert" not in str(boot_of(page.text))
    assert "&lt;script&gt;" in page.text
    assert HOSTILE in words(page)


def test_progress_tells_the_share_each_detector_and_the_time_left(parts: Parts, client: httpx.Client) -> None:
    progress = {
        "stage": "verifying (instagram)", "done": 1, "total": 4, "share": 0.374, "seconds_left": 92.0,
        "detectors": {"retinaface": True, "mtcnn": False},
    }  # fmt: skip
    job_id = give(parts, enter(parts, client), State.RUNNING, progress=progress)
    page = client.get(f"/jobs/{job_id}", headers=HTML)
    [bar] = Markup(page.text).all("progress")
    assert (bar["value"], bar["max"]) == ("37", "100")
    text = words(page)
    assert "about 2 min left" in text
    assert "checking the saved photo" in text
    assert re.search(r"RetinaFace \S+ still sees the face", text)
    assert re.search(r"MTCNN \S+ no longer sees it", text)


def test_a_result_shows_the_pictures_and_leads_to_every_file(parts: Parts, client: httpx.Client) -> None:
    job_id = done(parts, enter(parts, client))
    page = client.get(f"/jobs/{job_id}", headers=HTML)
    markup = Markup(page.text)
    pictures = [str(each["src"]) for each in markup.all("img") if "results" in str(each["src"])]
    downloads = {each["download"]: str(each["href"]) for each in markup.all("a") if "download" in each}
    assert [each.partition("?")[0].rpartition("/")[2] for each in pictures] == ["comparison", "heatmap"]
    assert sorted(map(str, downloads)) == ["log.bin", "picture.bin"]
    assert client.get(downloads["picture.bin"]).content == b"picture"
    assert client.get(pictures[0]).headers["content-disposition"].startswith("inline")
    [primary] = [each for each in markup.all("a") if "primary" in str(each.get("class"))]
    assert primary["download"] == "picture.bin"


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        ({}, "find the face: 9 in the original, none in the protected photo."),
        ({"found_after": 2}, "find the face: 9 in the original, 2 in the protected photo."),
        ({"found_after": 9}, "9 in the original, as many in the protected photo."),
        ({"found_before": 0}, "The programs find no face in the original either."),
        (
            {"faces": 3, "found_before": 20, "found_after": 4},
            "9 programs looked for 3 faces: found 20 times in the original, 4 times",
        ),
        ({"found_posted": {"instagram": 1, "other": 2}}, "the face is found by 1 (Instagram), 2 (other)."),
        (
            {"judges": {"detectors": 2, "found_before": 2, "found_after": 1}},
            "Programs that were not attacked (2) find faces 2 times in the original, 1 time in the",
        ),
        ({"missing": ["scrfd", "dsfd"]}, "Not tested, because their models are not here: SCRFD, DSFD."),
        ({"notes": [{"code": "palette", "text": "", "count": 0}]}, "The picture had a fixed set of colours"),
        ({"notes": [{"code": "brand_new", "text": "something new", "count": 0}]}, "something new"),
        (
            {"notes": [{"code": "not_clean", "text": "", "count": 2}]},
            "cannot be hidden cleanly: 2 programs still find a face",
        ),
        ({"marbling": 1.25, "chroma": 0.0}, "Pattern on the skin (0 is none) 1.250 Tint of the skin (0 is none) 0.000"),
    ],
)
def test_a_result_is_told_in_plain_words_and_never_called_safe(
    parts: Parts, client: httpx.Client, summary: dict[str, Any], sentence: str
) -> None:
    text = words(client.get(f"/jobs/{done(parts, enter(parts, client), **summary)}", headers=HTML))
    assert sentence in text
    assert "This result is no guarantee of safety." in text
    assert "Everything is removed in 23 hours." in text


def test_whoever_has_the_link_sees_the_result_and_can_change_nothing(parts: Parts, client: httpx.Client) -> None:
    job_id = done(parts, "visit:somebody-else")
    assert client.get(f"/jobs/{job_id}", headers=HTML).status_code == 404
    with parts.database.reading() as session:
        share = session.get_one(Job, job_id).share
    page = client.get(f"/jobs/{job_id}", params={"share": share}, headers=HTML)
    assert page.status_code == 200
    markup = Markup(page.text)
    assert not markup.all("form")
    for address in [str(each["href"]) for each in markup.all("a") if "download" in each]:
        assert client.get(address).status_code == 200
    for act in ("cancel", "retry", "delete"):
        assert client.post(f"/jobs/{job_id}/{act}", headers=HTML, params={"share": share}).status_code == 404


def test_the_buttons_cancel_try_again_and_delete(parts: Parts, client: httpx.Client) -> None:
    job_id = give(parts, enter(parts, client), State.QUEUED)

    def press(act: str) -> str:
        forms = [each["action"] for each in Markup(client.get(f"/jobs/{job_id}", headers=HTML).text).all("form")]
        assert f"/jobs/{job_id}/{act}" in forms
        answer = client.post(f"/jobs/{job_id}/{act}", headers=HTML, follow_redirects=False)
        assert answer.status_code == 303
        return words(client.get(answer.headers["location"], headers=HTML))

    assert "Cancelled" in press("cancel")
    assert "Waiting for its turn" in press("retry")
    press("cancel")
    assert "The photo and its results are removed." in press("delete")
    assert client.get(f"/jobs/{job_id}", headers=HTML).status_code == 404


def test_a_button_that_comes_too_late_shows_the_job_as_it_is_now(parts: Parts, client: httpx.Client) -> None:
    job_id = done(parts, enter(parts, client))
    answer = client.post(f"/jobs/{job_id}/cancel", headers=HTML)
    assert answer.status_code == 200
    assert "Done" in words(answer)


def test_a_failure_because_of_the_file_offers_no_second_try(parts: Parts, client: httpx.Client) -> None:
    job_id = give(parts, enter(parts, client), State.FAILED, error_code="no_face", error_message="x")
    forms = [each["action"] for each in Markup(client.get(f"/jobs/{job_id}", headers=HTML).text).all("form")]
    assert forms == [f"/jobs/{job_id}/delete"]


def test_another_sites_form_is_refused_with_a_page(parts: Parts, client: httpx.Client) -> None:
    job_id = give(parts, enter(parts, client), State.QUEUED)
    headers = HTML | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = client.post(f"/jobs/{job_id}/cancel", headers=headers)
    assert answer.status_code == 403
    assert "This did not come from this page" in words(answer)


def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(client: httpx.Client) -> None:
    for path in ("/nothing", "/jobs/nothing", "/static/nothing.css", "/static/..%2fpage.py"):
        page = client.get(path, headers=HTML)
        assert page.status_code == 404
        assert "Not found" in words(page)
        assert client.get(path).json()["code"] == "not_found"
    assert client.get("/api/v1/jobs/nothing", headers=HTML).json()["code"] == "not_found"


def test_a_database_that_is_down_has_a_page_that_opens_itself_again(tmp_path: Path, parts: Parts) -> None:
    made = make_app(
        open_parts(ServiceSettings(home=tmp_path, database="postgresql://u:secret@127.0.0.1:1/none", _env_file=None))
    )
    with TestClient(made, raise_server_exceptions=False) as client:
        page = client.get("/", headers=HTML | {"Cookie": f"{COOKIE}={TOKEN}"})
    assert page.status_code == 503
    assert "does not answer now" in words(page)
    assert "secret" not in page.text
    assert page.headers["Retry-After"]
    assert any(each.get("http-equiv") == "refresh" for each in Markup(page.text).all("meta"))


def test_below_a_prefix_every_address_begins_with_it(tmp_path: Path) -> None:
    parts = open_parts(ServiceSettings(home=tmp_path, root_path="/deepguard", _env_file=None))
    Table.metadata.create_all(parts.database.engine)
    with TestClient(make_app(parts), raise_server_exceptions=False) as client:
        employ(parts)
        job_id = done(parts, enter(parts, client))
        addresses: set[str] = set()
        for path in ("/", f"/jobs/{job_id}", "/nothing"):
            page = client.get(path, headers=HTML)
            for _, attributes in Markup(page.text).tags:
                addresses |= {str(attributes[name]) for name in ("href", "src", "action") if attributes.get(name)}
        answer = client.post("/", files={"file": ("a.jpg", photo())}, headers=HTML, follow_redirects=False)
    assert answer.headers["location"].startswith("/deepguard/jobs/")
    assert len(addresses) > 8
    # what begins with ? or # is relative to the page itself
    assert [each for each in addresses if not each.startswith(("/deepguard/", "?", "#"))] == []


def test_nothing_of_the_page_needs_more_than_the_strict_policy_allows(parts: Parts, client: httpx.Client) -> None:
    employ(parts)
    page = client.get("/", headers=HTML)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    for text in (page.text, client.get(f"/jobs/{done(parts, enter(parts, client))}", headers=HTML).text):
        markup = Markup(text)
        assert_only_our_scripts(text)
        assert not markup.all("style")
        for _, attributes in markup.tags:
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for attributes in [*markup.all("link"), *markup.all("img")]:
            assert str(attributes.get("href") or attributes.get("src")).startswith("/")
    sheets = [str(each["href"]) for each in Markup(page.text).all("link") if each["rel"] == "stylesheet"]
    assert len(sheets) >= 3
    for style in map(client.get, sheets):
        assert style.headers["content-type"].startswith("text/css")
        assert "http" not in style.text
        assert "@import" not in style.text
        assert "immutable" in style.headers["cache-control"]


def test_the_language_that_was_asked_for_stays(client: httpx.Client) -> None:
    assert Markup(client.get("/", headers=HTML).text).all("html") == [{"lang": "en"}]
    assert Markup(client.get("/?lang=ko", headers=HTML).text).all("html") == [{"lang": "ko"}]
    assert Markup(client.get("/", headers=HTML).text).all("html") == [{"lang": "ko"}]
    assert Markup(client.get("/?lang=xx", headers=HTML).text).all("html") == [{"lang": "ko"}]
