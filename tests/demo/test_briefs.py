"""The demo's sources: short, titled, with their origin, in several formats, and the PDFs match their text."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BRIEFS = ROOT / "kernel_ext" / "statebook" / "demo" / "briefs"
SOURCES = ROOT / "docs" / "briefs-src"


def _pdf_pages(data: bytes) -> list[str]:
    from pypdf import PdfReader

    return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]


def _page(path: Path):
    from bs4 import BeautifulSoup

    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def _words(path: Path) -> str:
    """A brief's text with every run of blanks made one."""
    if path.suffix == ".pdf":
        text = "\n".join(_pdf_pages(path.read_bytes()))
    elif path.suffix == ".html":
        text = _page(path).get_text(" ")
    else:
        text = path.read_text(encoding="utf-8")
    return " ".join(text.split())


PROSE = sorted(path for path in BRIEFS.iterdir() if path.suffix in {".md", ".html", ".pdf"})


def test_there_are_about_a_dozen_in_four_formats():
    assert Counter(path.suffix for path in BRIEFS.iterdir()) == {".md": 7, ".html": 4, ".pdf": 2, ".csv": 1}


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_a_brief_is_short_and_names_its_origin(path):
    text = _words(path)
    assert 250 <= len(text.split()) <= 500
    assert "Origin: " in text
    assert "November 2026" in text


@pytest.mark.parametrize("path", [path for path in PROSE if path.suffix == ".html"], ids=lambda path: path.name)
def test_an_html_brief_has_a_title_that_is_its_heading(path):
    page = _page(path)
    assert page.title.get_text() == page.h1.get_text()
    assert not page.find(["script", "img", "link"])


def _make_pdf():
    spec = importlib.util.spec_from_file_location("make_pdf", Path(__file__).with_name("make_pdf.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_pdf


@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.md")), ids=lambda path: path.stem)
def test_a_pdf_is_what_its_source_says(source):
    committed = (BRIEFS / f"{source.stem}.pdf").read_bytes()
    assert committed == _make_pdf()(source.read_text(encoding="utf-8")), "run: python tests/demo/make_pdf.py"
    pages = [" ".join(page.split()) for page in _pdf_pages(committed)]
    said = " ".join(re.sub(r"^#+ ", "", source.read_text(encoding="utf-8"), flags=re.MULTILINE).split())
    assert " ".join(pages) == said
    assert len(pages) > 1


def test_every_pdf_has_a_source():
    assert {path.stem for path in BRIEFS.glob("*.pdf")} == {path.stem for path in SOURCES.glob("*.md")}


@pytest.mark.parametrize(
    ("one", "says", "other", "denies"),
    [
        (
            "safe-to-repeat.html",
            "repeating a tool call after a crash is safe",
            "in-doubt-tool-calls.md",
            "Repeating a tool call after a crash is not safe",
        ),
        (
            "cheap-checkpoints.pdf",
            "checkpoints are cheap, even in a long session",
            "checkpoint-growth.md",
            "Checkpoints are not cheap in a long session",
        ),
        (
            "cheap-checkpoints.pdf",
            "Checkpoint size grows linearly with the number of turns",
            "checkpoint-growth.md",
            "Checkpoint size does not grow linearly with the number of turns",
        ),
        (
            "memory-turns-to-junk.md",
            "automatic extraction makes memory better over time",
            "memory-turns-to-junk.md",
            "Automatic extraction makes memory worse over time",
        ),
        (
            "what-stateful-means.md",
            "server-side conversation state saves tokens",
            "prompt-caching.md",
            "Server-side conversation state saves no tokens",
        ),
    ],
)
def test_some_briefs_contradict_each_other(one, says, other, denies):
    assert says in _words(BRIEFS / one)
    assert denies in _words(BRIEFS / other)


def test_the_table_repeats_numbers_that_the_briefs_give():
    rows = list(csv.DictReader((BRIEFS / "measurements.csv").open(encoding="utf-8")))
    prose = " ".join(_words(path) for path in PROSE)
    strangers = [
        row["value"]
        for row in rows
        if row["value"] not in prose
        and f"{float(row['value']):,.0f}" not in prose
        and row["value"] not in {"3400", "4"}
    ]
    assert len(rows) == 17
    assert strangers == []
