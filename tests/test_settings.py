"""Settings: where files lie, and whether the network may be used."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from deepguard.settings import Settings


def test_everything_lies_under_home_unless_the_shelf_is_elsewhere() -> None:
    assert Settings.from_environment({"DEEPGUARD_HOME": "/a"}) == Settings(Path("/a"), Path("/a/models"))
    both = Settings.from_environment({"DEEPGUARD_HOME": "/a", "DEEPGUARD_MODELS": "/b"})
    assert (both.home, both.models) == (Path("/a"), Path("/b"))


def test_home_is_the_platforms_user_data_folder_by_default() -> None:
    folder = Path(platformdirs.user_data_dir("deepguard", appauthor=False))
    assert Settings.from_environment({}) == Settings(folder, folder / "models")
    assert Settings.from_environment({"DEEPGUARD_HOME": "", "DEEPGUARD_MODELS": ""}).home == folder


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/kim")
    assert Settings.from_environment({"DEEPGUARD_HOME": "~/guard"}).models == Path("/people/kim/guard/models")


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", " 1 ", "offline"])
def test_any_word_but_a_no_shuts_the_network(word: str) -> None:
    assert Settings.from_environment({"DEEPGUARD_OFFLINE": word}).offline


@pytest.mark.parametrize("word", ["", "0", "false", "No", "off"])
def test_a_no_leaves_the_network_open(word: str) -> None:
    assert not Settings.from_environment({"DEEPGUARD_OFFLINE": word}).offline


def test_the_process_environment_is_read_when_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPGUARD_HOME", "/somewhere")
    assert Settings.from_environment().home == Path("/somewhere")
