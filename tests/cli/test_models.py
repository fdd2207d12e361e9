"""`deepguard models`: with one toy model of each sort, and with the real registries."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from deepguard.cli import models as command
from deepguard.cli.models import Model, known, models
from deepguard.errors import OptionError, OutputError
from deepguard.registry import Extra
from deepguard.weights import sources
from deepguard.weights.catalogue import Weights

TERMS = "for research that earns no money [only]"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "weights.md"
Run = Callable[..., Result]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def weights(name: str, url: str = "", terms: str = "") -> Weights:
    content = name.encode()
    urls = (f"{url}/{name}.bin",) if url else ()
    licence = "research only" if terms else "MIT"
    origin = f"{name} made by the tests"
    return Weights(f"{name}.bin", len(content), hashlib.sha256(content).hexdigest(), licence, origin, urls, terms)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served to the network, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def shelf(served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shelf's folder, where four models exist: free, second (free too), strict (terms), own (no source)."""
    folder, url = served
    toys = (
        Model("detector", "free", "Free.", (weights("free", url),)),
        Model("detector", "second", "Second.", (weights("free", url), weights("second", url))),
        Model("detector", "strict", "Strict.", (weights("strict", url, TERMS),)),
        Model("swapper", "own", "Own.", (weights("own"),)),
    )
    for name in ("free", "second", "strict"):
        (folder / f"{name}.bin").write_bytes(name.encode())
    monkeypatch.setattr(command, "known", lambda: toys)
    monkeypatch.setenv("DEEPGUARD_HOME", str(tmp_path / "home"))
    for name in ("DEEPGUARD_MODELS", "DEEPGUARD_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home" / "models"


@pytest.fixture
def run(shelf: Path) -> Run:
    def invoke(*words: str | Path, **more: object) -> Result:
        result = CliRunner().invoke(models, [str(word) for word in words], **more)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def on(shelf: Path) -> set[str]:
    return {file.name for file in shelf.glob("*.bin")}


def states(run: Run) -> dict[str, str]:
    return {model["name"]: model["state"] for model in json.loads(run("list", "--json").stdout)}


def test_list_says_what_is_missing_and_what_brings_it(run: Run, shelf: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    assert re.search(r"second +│ detector +│ second.bin +│ 6 bytes +│ MIT +│ missing", result.stdout)
    assert "missing: free second; run: deepguard models pull\n" in result.stdout
    assert "strict: its use is restricted; to see the terms, run: deepguard models pull strict\n" in result.stdout
    assert "own: no source has own.bin; get it yourself and run: deepguard models import DIR\n" in result.stdout
    assert not shelf.exists()


def test_list_as_json_has_every_fact(run: Run) -> None:
    strict = json.loads(run("list", "--json").stdout)[2]
    assert (strict["name"], strict["kind"], strict["restricted"], strict["state"]) == (
        "strict",
        "detector",
        True,
        "missing",
    )
    assert strict["files"][0]["sha256"] == hashlib.sha256(b"strict").hexdigest()
    assert strict["files"][0]["terms"] == TERMS


def test_list_names_the_command_that_brings_python_packages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"there": Extra("here", "json"), "absent": Extra("vit", "no_such_module_at_all")}
    toys = tuple(Model("classifier", name, "Toy.", (weights(name),), extra) for name, extra in extras.items())
    monkeypatch.setattr(command, "known", lambda: toys)
    said = run("list").stdout
    assert "absent: needs Python packages that are not installed; run: pip install 'deepguard[vit]'\n" in said
    assert "there: needs" not in said
    described = {model["name"]: model["extra"] for model in json.loads(run("list", "--json").stdout)}
    assert described == {
        "there": {"name": "here", "installed": True},
        "absent": {"name": "vit", "installed": False},
    }


def test_models_of_every_kind_are_listed_together() -> None:
    kinds = [model.kind for model in known()]
    assert list(dict.fromkeys(kinds)) == ["detector", "classifier", "encoder", "measure"]
    assert {"efficientnet-b0-sbi", "meso4", "vit-deepfake-v2"} <= {model.name for model in known()}


def test_list_tells_ready_from_damaged(run: Run, shelf: Path) -> None:
    run("pull")
    (shelf / "second.bin").write_bytes(b"sec")
    assert states(run) == {"free": "ready", "second": "damaged", "strict": "missing", "own": "you bring it"}
    assert "damaged: second; run: deepguard models pull" in run("list").stdout
    assert run("pull").exit_code == 0
    assert states(run)["second"] == "ready"


def test_pull_without_names_brings_all_but_the_restricted(run: Run, shelf: Path) -> None:
    result = run("pull")
    assert result.exit_code == 0
    assert on(shelf) == {"free.bin", "second.bin"}
    assert (
        "strict: skipped, its use is restricted; to see the terms, run: deepguard models pull strict" in result.output
    )
    assert "own: no source has own.bin; get it yourself and run: deepguard models import DIR" in result.output
    assert "free: already here" in run("pull").output


def test_pull_by_name_brings_that_model_only(run: Run, shelf: Path) -> None:
    assert run("pull", "free", "free").output == "free: pulled\n"
    assert on(shelf) == {"free.bin"}


def test_an_unknown_name_is_refused_before_anything_is_fetched(run: Run, shelf: Path) -> None:
    with pytest.raises(OptionError, match="no model called secnd; did you mean second"):
        run("pull", "free", "secnd")
    assert not shelf.exists()


def test_restricted_weights_are_not_pulled_where_nobody_can_be_asked(shelf: Path) -> None:
    result = CliRunner().invoke(models, ["pull", "strict"], input="y\n")
    assert TERMS in result.stdout
    assert isinstance(result.exception, OptionError)
    assert str(result.exception).endswith("to accept them, run: deepguard models pull --yes strict")
    assert not shelf.exists()


def test_yes_shows_the_terms_and_pulls(run: Run, shelf: Path) -> None:
    result = run("pull", "--yes", "strict")
    assert f"strict: research only. {TERMS}" in result.stdout
    assert on(shelf) == {"strict.bin"}


@pytest.mark.parametrize(("answer", "code", "files"), [("y\n", 0, {"strict.bin"}), ("n\n", 1, set())])
def test_a_person_is_shown_the_terms_and_asked(
    run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, files: set[str]
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    result = run("pull", "strict", input=answer)
    assert result.stdout.index(TERMS) < result.stdout.index("Do you accept these terms?")
    assert result.exit_code == code
    assert on(shelf) == files


def test_one_failure_does_not_stop_the_rest(run: Run, shelf: Path, served: tuple[Path, str]) -> None:
    (served[0] / "free.bin").unlink()
    (served[0] / "strict.bin").write_bytes(b"STRICT")
    result = run("pull", "--yes", "free", "strict", "own")
    assert result.exit_code == 1
    assert re.search(r"free: not pulled: .*free.bin answered 404", result.stderr)
    assert re.search(r"strict: not pulled: .*sent a file that differs", result.stderr)
    assert "own: not pulled: own is not on the shelf; there is no source for own.bin" in result.stderr
    assert on(shelf) == set()
    (served[0] / "free.bin").write_bytes(b"free")
    assert run("pull", "own", "free").exit_code == 1
    assert on(shelf) == {"free.bin"}


@pytest.mark.parametrize("how", ["option", "environment"])
def test_offline_pulls_nothing_and_says_so(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a source was asked")

    monkeypatch.setattr(sources, "download", refuse)
    if how == "environment":
        monkeypatch.setenv("DEEPGUARD_OFFLINE", "1")
    result = run("pull", *(["--offline"] if how == "option" else []))
    assert result.exit_code == 1
    assert result.stderr.count("the network is switched off") == 2
    assert not shelf.exists()


def test_a_shelf_that_cannot_be_written_ends_the_pull(run: Run, shelf: Path) -> None:
    shelf.parent.mkdir()
    shelf.write_bytes(b"a file where the folder should be")
    with pytest.raises(OutputError, match="DEEPGUARD_MODELS"):
        run("pull")


def test_import_takes_what_is_known_and_says_what_is_still_missing(run: Run, shelf: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "renamed").write_bytes(b"strict")
    (mine / "own.bin").write_bytes(b"own")
    (mine / "holiday.jpg").write_bytes(b"picture")
    result = run("import", mine)
    assert result.exit_code == 0
    assert f"taken: {mine / 'renamed'} as strict.bin, for strict\n  its use is restricted: {TERMS}\n" in result.stdout
    assert "still missing: free.bin, second.bin\n" in result.stdout
    assert on(shelf) == {"strict.bin", "own.bin"}
    assert "already here: own.bin" in run("import", mine).stdout


def test_import_of_a_wrong_file_fails_but_takes_the_rest(run: Run, shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "free.bin").write_bytes(b"fre")
    (tmp_path / "second.bin").write_bytes(b"second")
    result = run("import", tmp_path)
    assert result.exit_code == 1
    assert "free.bin is not the file that its name says: it has 3 bytes instead of 4" in result.stderr
    assert "second.bin" in on(shelf)


def test_import_of_a_folder_with_nothing_in_it_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("import", tmp_path / "empty").stdout.startswith("no file in there is one that a model needs\n")
    assert run("import", tmp_path / "nowhere").exit_code == 2


def test_verify_reads_every_file_again(run: Run, shelf: Path) -> None:
    assert run("verify").stdout == "whole: 0, damaged: 0\n"
    run("pull")
    assert run("verify").stdout == "whole: 2, damaged: 0\n"
    (shelf / "free.bin").write_bytes(b"FREE")
    result = run("verify")
    assert result.exit_code == 1
    assert result.stdout == "whole: 1, damaged: 1\n"
    assert re.search(r"free: .*free.bin is damaged: it differs .*run: deepguard models pull free\n", result.stderr)


def test_licences_names_licence_origin_terms_and_source(run: Run, served: tuple[Path, str]) -> None:
    rows = run("licences").stdout.splitlines()
    strict = next(row for row in rows if "strict.bin" in row)
    for words in ("research only", "strict made by the tests", TERMS, f"{served[1]}/strict.bin"):
        assert words in strict
    assert "you bring it" in next(row for row in rows if "own.bin" in row)


def test_every_real_weight_file_is_pinned_licensed_and_named_once() -> None:
    files: dict[str, Weights] = {}
    for model in known():
        for weights in model.weights:
            assert weights.licence, weights.file
            assert weights.origin, weights.file
            assert re.fullmatch("[0-9a-f]{0,64}", weights.sha256), weights.file
            assert len(weights.sha256) == 64 or not weights.package, weights.file
            assert all(url.startswith("https://") for url in weights.urls), weights.file
            assert weights.file == Path(weights.file).name
            assert files.setdefault(weights.file, weights) == weights
    assert files


def test_the_page_about_weights_tells_of_every_command_and_setting() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, subcommand in models.commands.items():
        assert f"deepguard models {name}" in page
        for parameter in subcommand.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in page
    for variable in ("DEEPGUARD_HOME", "DEEPGUARD_MODELS", "DEEPGUARD_OFFLINE", "HTTPS_PROXY"):
        assert variable in page
