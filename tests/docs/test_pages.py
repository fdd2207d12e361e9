from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def linked(page: Path) -> list[Path]:
    """The files of this project that a page links to."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@every_page
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    assert [str(target) for target in linked(page) if not target.exists()] == []


def test_the_index_links_every_page() -> None:
    index = DOCS / "README.md"
    # the guide shows its pictures itself; see test_guide.py
    assert {page for page in DOCS.rglob("*.*") if page != index and page.suffix != ".webp"} <= set(linked(index))


@every_page
def test_a_page_begins_with_its_title_and_promises_nothing_to_do(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^# \S", text, re.MULTILINE)
    assert not re.search(r"\b(TODO|FIXME|TBD)\b", text)


def test_decisions_are_numbered_without_gaps_and_say_so_in_their_titles() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    for number, page in zip(numbers, DECISIONS, strict=True):
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. ")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_every_check_that_a_decision_names_exists(page: Path) -> None:
    _, sign, check = page.read_text(encoding="utf-8").partition("**Check.**")
    assert sign
    files = [ROOT / path for path in re.findall(r"`(tests/[\w/]+\.py)`", check)]
    assert files
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [name for name in re.findall(r"`(test_\w+)`", check) if f"def {name}(" not in code] == []


def test_the_glossary_has_every_word_once_and_korean_for_all() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| **")]
    words = [word for row in rows for word in re.findall(r"\*\*([^*]+)\*\*", row[0])]
    assert len(words) == len(set(words)) >= 25
    assert all(re.search("[가-힣]", row[-1]) for row in rows)


def test_only_the_settings_read_the_environment() -> None:
    package = ROOT / "src" / "deepguard"
    readers = [
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(r"\benviron\b|\bgetenv\b", file.read_text(encoding="utf-8"))
    ]
    assert readers == ["settings.py"]


def test_help_answers_without_torch() -> None:
    probe = (
        "import sys; from deepguard.cli.main import main; main(['--help'], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "protect" in done.stdout
