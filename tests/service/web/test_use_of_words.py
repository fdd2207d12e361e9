"""What the page's scripts and templates say, held together with the words that there are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepguard.defences.presets import PRESETS
from deepguard.service.kinds.find import Find
from deepguard.service.kinds.protect import Protect
from deepguard.service.web.views import views
from deepguard.service.web.words import LATE, STATIC, WORDS, keys_of
from deepguard.weights.shelf import Shelf

SCRIPTS = sorted(STATIC.rglob("*.js"))
PYTHON = [*STATIC.parent.glob("*.py"), *STATIC.parent.glob("templates/*.html")]
HANGUL = re.compile("[가-힣]")
GAP = re.compile(r"{(\w+)}")
# a regular expression's own quotes would be taken for a text's: none of the scripts has one
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`""", re.S)
LITERAL = re.compile(r"""'([^'\n]*)'|"([^"\n]*)"|`([^`]*)`""")
QUOTED = re.compile(r"""(?<=["'`])[\w .-]+(?=["'`])""")
SHOWN = re.compile(
    r"""\bh\(\s*(?:'[^']*'|`[^`]*`),\s*(?:null|\{[^{}]*\}),\s*(?:'[^']*[A-Za-z]{2}[^']*'|`[^`$]*[A-Za-z]{2}[^`$]*`)"""
    r"""|(?:'aria-label'|'aria-description'|\btitle|\balt|\bplaceholder|\btextContent)\s*[:=]\s*'[^']*[A-Za-z]{2}[^']*'"""
)
IMPORT = re.compile(r"""\bfrom '(\.[^']+)'""")
# what is shown as it is written
WRITTEN = re.compile(r"(ko|en)\.md|SSIM|LPIPS|JSON|PSNR")


def code(file: Path) -> str:
    """A script without its comments."""
    text = file.read_text(encoding="utf-8")
    return TOKEN.sub(lambda found: "" if found[0].startswith(("//", "/*")) else found[0], text)


def arguments(text: str, start: int) -> list[str]:
    """The arguments of a call whose bracket opens before `start`."""
    found, depth, place = [""], 0, start
    while depth >= 0:
        token = TOKEN.match(text, place)
        piece = token[0] if token else text[place]
        depth += (piece in "([{") - (piece in ")]}")
        if piece == "," and depth == 0:
            found.append("")
        elif depth >= 0:
            found[-1] += piece
        place += len(piece)
    return [each.strip() for each in found if each.strip()]


def calls(name: str = "say") -> Iterator[tuple[str, list[str]]]:
    """Every call of a function in the page's scripts: where, and its arguments."""
    for file in SCRIPTS:
        text = code(file)
        for call in re.finditer(rf"(?<!function )(?<![\w.]){name}\(", text):
            line = text[: call.start()].count("\n") + 1
            yield f"{file.relative_to(STATIC)}, about line {line}", arguments(text, call.end())


@functools.cache
def early() -> frozenset[Path]:
    """The scripts that are there before what came of a job is shown: those of all other views."""
    left = [STATIC / "app.js", *(STATIC / "views" / each.name / each.script for each in views() if each.script)]
    left.remove(STATIC / "views" / "job" / "job.js")
    found: set[Path] = set()
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += [(file.parent / each).resolve() for each in IMPORT.findall(code(file))]
    return frozenset(found)


def literals(text: str) -> list[str]:
    """The texts of an expression; a template with a gap ends there, with a star."""
    # what is compared is no key
    plain = re.sub(r"""[=!]==\s*(?:'[^']*'|"[^"]*")""", "", text)
    whole = ("".join(each) for each in LITERAL.findall(plain))
    return [re.sub(r"\$\{.*", "*", each, flags=re.S) for each in whole]


def prefixes() -> set[str]:
    """The beginnings of keys whose end is only known when they are said."""
    stars = {
        each[:-1] for name in ("say", "known") for _, given in calls(name) for each in literals(given[0]) if "*" in each
    }
    written = {
        key for file in PYTHON for key in re.findall(r"""["']([a-z.-]+\.)["'{]""", file.read_text(encoding="utf-8"))
    }
    return stars | {each for each in written if any(key.startswith(each) for key in WORDS)}


def test_the_scripts_say_only_what_there_are_words_for() -> None:
    said = [(place, given) for place, given in calls() if not place.startswith("core/words.js")]
    assert len(said) > 50
    for place, given in said:
        keys = literals(given[0])
        assert keys, f"{place}: the key of say({given[0]}) is nowhere written"
        for key in keys:
            known = any(each.startswith(key[:-1]) for each in WORDS) if key.endswith("*") else key in WORDS
            assert known, f"{place}: there are no words for {key}"


def test_every_gap_of_a_sentence_is_given() -> None:
    for place, given in calls():
        for key in (each for each in literals(given[0]) if each in WORDS):
            gaps = set(GAP.findall(WORDS[key][1]))
            if len(given) > 1 and not given[1].startswith("{"):
                continue
            names = set(re.findall(r"(?:^\{|,)\s*(\w+)", given[1])) if len(given) > 1 else set()
            assert gaps <= names, f"{place}: {key} has gaps that are not filled: {gaps - names}"


def test_no_word_is_left_over() -> None:
    texts = [code(file) for file in SCRIPTS] + [file.read_text(encoding="utf-8") for file in PYTHON]
    written = {each for text in texts for each in QUOTED.findall(text)} | {view.tab for view in views()}
    begun = tuple(prefixes())
    left = {key for key in WORDS if key.removesuffix(".one") not in written and not key.startswith(begun)}
    assert left == set()


def test_a_form_for_one_has_a_form_for_more_that_is_counted() -> None:
    for key in (each for each in WORDS if each.endswith(".one")):
        base = WORDS.get(key.removesuffix(".one"), ("", ""))
        assert all("{count}" in sentence for sentence in base), key
        assert all(set(GAP.findall(each)) <= set(GAP.findall(base[0])) for each in WORDS[key]), key


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.relative_to(STATIC).as_posix())
def test_a_script_holds_no_sentence_of_its_own(file: Path) -> None:
    text = code(file)
    assert not HANGUL.search(text)
    assert [found for found in SHOWN.findall(text) if not WRITTEN.search(found)] == []


def test_every_option_preset_and_stage_has_words(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, offline=True)
    ability = Protect().ability(shelf)
    options = set(ability.schema["properties"])
    for name in options - {"preset", "faces", "box", "filters", "extra"}:
        assert {f"option.{name}", f"option.{name}.help"} <= set(WORDS), name
    for name in ability.schema["properties"]["extra"]["properties"]:
        assert {f"option.{name}", f"option.{name}.help"} <= set(WORDS), name
    assert {f"preset.{name}{end}" for name in PRESETS for end in ("", ".summary")} <= set(WORDS)
    stages = {each for kind in (Protect, Find) for each in kind.spans}
    assert {f"stage.{name}" for name in stages} <= set(WORDS)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.relative_to(STATIC).as_posix())
def test_a_script_says_only_what_is_sent_with_it(file: Path) -> None:
    place = file.relative_to(STATIC).parts
    here = {*keys_of(), *(keys_of(place[1]) if place[0] == "views" else ())}
    if file not in early():
        here |= {*keys_of(LATE)}
    tabs = {view.tab for view in views()}
    written = {each for each in QUOTED.findall(code(file)) if each in WORDS}
    assert written - here - tabs == set()
