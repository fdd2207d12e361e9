"""The user guide: the same in both languages, with every picture that there is, and in the page's own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from deepguard.service.web.words import LANGUAGES, WORDS

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
PICTURES = sorted((GUIDE / "pictures").glob("*"))
TEXTS = {language: (GUIDE / f"{language}.md").read_text(encoding="utf-8") for language in LANGUAGES}
MOST_BYTES = 1_400_000
# what browsers say, and what is in bold for its weight
UNSAID = {
    "ko": {"안전을 보장하지는 않아요.", "그대로 둬요", "받는 파일을 다시 읽어서", "손잡이", "홈 화면에 추가", "100%",
        "깨끗하게 숨길 수 없다",
    },
    "en": {
        "It does not make a photo safe.", "as it is", "the very file that you download", "handle", "Add to Home screen",
        "Add to Home Screen", "draw a face", "delete", "100%",
        "cannot be hidden cleanly",
    },
}  # fmt: skip

each_language = pytest.mark.parametrize("language", LANGUAGES)


def shown(language: str) -> list[str]:
    """The pictures that a guide shows, in their order, each with its description."""
    found = re.findall(r'!\[([^\]]+)\]\(([^)]+)\)|<img src="([^"]+)" alt="([^"]+)"', TEXTS[language])
    assert all(any(each) for each in found)
    return [first or second for _, first, second, _ in found]


@each_language
def test_every_picture_of_the_guide_exists_and_is_in_its_language(language: str) -> None:
    assert len(shown(language)) >= 12
    for each in shown(language):
        assert (GUIDE / each).is_file(), f"{each} is not there; python -m pictures guide makes it"
        assert each.endswith(f".{language}.webp")


def test_every_picture_that_is_there_is_shown() -> None:
    used = {GUIDE / each for language in LANGUAGES for each in shown(language)}
    assert PICTURES
    assert set(PICTURES) == used


def test_both_guides_show_the_same_pictures_under_as_many_headings() -> None:
    korean, english = ([each.rpartition(f".{language}.")[0] for each in shown(language)] for language in LANGUAGES)
    assert korean == english
    headings = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in TEXTS.values()]
    assert headings[0] == headings[1]


def test_the_pictures_are_small_together() -> None:
    assert sum(each.stat().st_size for each in PICTURES) < MOST_BYTES
    for each in PICTURES:
        with Image.open(each) as picture:
            assert picture.format == "WEBP"
            assert picture.width in {1280, 585}


@each_language
def test_a_guide_calls_buttons_and_choices_what_the_page_calls_them(language: str) -> None:
    place = LANGUAGES.index(language)
    said = {pair[place] for pair in WORDS.values()}
    bold = {" ".join(each.split()) for each in re.findall(r"\*\*([^*]+)\*\*", TEXTS[language])}
    assert bold - said == UNSAID[language]


@each_language
def test_every_place_that_a_guide_leads_to_is_in_it(language: str) -> None:
    text = TEXTS[language]
    headings = {
        re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    targets = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert len(targets) > 10
    assert targets <= headings
