"""Prose is read in a terminal: no line of it is longer than 120 columns. Tables and code may be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])
MAX_COLUMNS = 120


def prose(text: str) -> list[str]:
    """The lines of a page, without fenced and indented code and tables."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line for line in text.splitlines() if not line.startswith(("|", "    "))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_ends_its_lines_at_120_columns(page: Path) -> None:
    """Each line of prose."""
    assert [line for line in prose(page.read_text()) if len(line) > MAX_COLUMNS] == []


def test_the_documents_are_short() -> None:
    """15,000 words at most in docs, 1,800 on the architecture, 900 in the README."""

    def words(*pages: Path) -> int:
        return sum(len(page.read_text().split()) for page in pages)

    assert words(*ROOT.glob("docs/*.md")) <= 15_000
    assert words(ROOT / "docs/architecture.md") <= 1_800
    assert words(ROOT / "README.md") <= 900


def test_comments_of_sql_end_at_120_columns() -> None:
    """Those that stand on lines of their own."""
    assert [
        f"{path.name}: {line}"
        for path in (ROOT / "sql").rglob("*.sql")
        for line in path.read_text().splitlines()
        if line.lstrip().startswith("--") and len(line) > MAX_COLUMNS
    ] == []


def test_no_file_has_more_than_400_lines() -> None:
    """A longer one has two nouns: the package and sql/."""
    long = {
        path.name: lines
        for folder, kind in (("send_queue", "*.py"), ("sql", "*.sql"))
        for path in (ROOT / folder).rglob(kind)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert long == {}
