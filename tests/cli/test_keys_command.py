from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run, one_sentence

from deepguard.service import keys
from deepguard.service.database import Database
from deepguard.service.settings import read_settings


@pytest.fixture(autouse=True)
def plain_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` and no other database than the home's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("DEEPGUARD_DATABASE", "DEEPGUARD_RATE", "DEEPGUARD_JOBS_PER_DAY"):
        monkeypatch.delenv(name, raising=False)


def known(token: str) -> keys.Key | None:
    database = Database(read_settings().database_url)
    try:
        with database.reading() as session:
            return keys.find(session, token)
    finally:
        database.close()


def test_create_prints_the_key_alone_and_says_on_the_other_stream_that_this_is_the_one_time(deepguard: Run) -> None:
    made = deepguard("keys", "create", "the page's tests", "--admin", "--rate", "5/minute", "--jobs-per-day", "7")
    assert made.exit_code == 0
    token = made.stdout.removesuffix("\n")
    assert "\n" not in token
    assert "one time" in made.stderr
    assert token not in made.stderr
    key = known(token)
    assert key is not None
    assert (key.name, key.scopes, key.rate, key.jobs_per_day) == (
        "the page's tests",
        ["jobs", "admin"],
        "5/minute",
        7,
    )


def test_without_options_a_key_has_the_limits_of_any_visitor_and_may_not_administer(
    deepguard: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_RATE", "77/minute")
    key = known(deepguard("keys", "create", "plain").stdout.strip())
    assert key is not None
    assert (key.scopes, key.rate, key.jobs_per_day) == (["jobs"], "77/minute", 1000)


def test_list_shows_every_key_in_one_line_and_none_of_the_keys_themselves(deepguard: Run) -> None:
    token = deepguard("keys", "create", "first").stdout.strip()
    deepguard("keys", "create", "second")
    shown = deepguard("keys", "list").stdout
    (row,) = [line for line in shown.splitlines() if "first" in line]
    key = known(token)
    assert key is not None
    assert key.id in row
    assert key.hint in row
    assert token not in shown
    assert "second" in shown


def test_revoke_makes_a_key_worthless(deepguard: Run) -> None:
    token = deepguard("keys", "create", "short-lived").stdout.strip()
    key = known(token)
    assert key is not None
    assert deepguard("keys", "revoke", key.id).stdout == "revoked: short-lived\n"
    assert known(token) is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["create", " "], 2, "a key's name is 1 to 255 printable characters"),
        (["create", "a", "--rate", "often"], 2, "'often' is no rate; write one such as"),
        (["revoke", "nothing"], 1, "there is no key with this id; see: deepguard keys list"),
    ],
)
def test_what_does_not_fit_is_one_sentence(deepguard: Run, words: list[str], code: int, said: str) -> None:
    result = deepguard("keys", *words)
    assert result.exit_code == code
    assert said in one_sentence(result)


def test_a_database_that_is_down_is_one_sentence_without_its_password(
    deepguard: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPGUARD_DATABASE", "postgresql://somebody:hush@127.0.0.1:1/name")
    result = deepguard("keys", "list")
    assert result.exit_code == 1
    assert "cannot be used" in one_sentence(result)
    assert "hush" not in result.stderr
