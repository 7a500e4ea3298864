"""The report's two forms: numbered citations that lead to their passages, and nothing that a document could inject."""

from __future__ import annotations

from bs4 import BeautifulSoup
from statebook.demo.report import pages
from statebook.demo.report.compose import _body, _shortened
from statebook.demo.report.making import Making
from statebook.demo.report.value import Report, Source

TIDES = Source(1, "S3.2", "Tides", "tides.md", "lines 3-5", "Spring tides are higher.\nThey follow the moon. Few know.")
GATES = Source(2, "S1.1", "Gates <b>", "gates.html", "", "The gates close <script>alert(1)</script> in winter.")
TEXT = "## In short\n\n- Spring tides are higher. [S3.2]\n- The gates close. [S1.1][S3.2]\n- Nobody knows. [S9.9]"


def _report(**changes):
    values = {"title": "Ships & <tides>", "text": TEXT, "sources": (TIDES, GATES), "folder": "docs"}
    making = Making((("Session", "3 runs"), ("Kernel killed", "4 steps | not repeated")), True, ("a.md sha256 12",))
    return Report(**(values | {"making": making} | changes))


def test_markdown_numbers_the_citations_and_quotes_the_passages():
    text = pages.as_markdown(_report())
    assert text.startswith(
        "# Ships & <tides>\n\n*Every sentence is quoted from a source; the numbers lead to 2 passages"
    )
    assert "- Spring tides are higher. [1]\n- The gates close. [2][1]\n- Nobody knows. [?]" in text
    assert "**[1] Tides** (tides.md · lines 3-5)\n\n> Spring tides are higher. They follow the moon. Few know." in text
    assert "| Kernel killed | 4 steps \\| not repeated |" in text


def test_a_page_links_each_citation_to_its_passage():
    page = BeautifulSoup(pages.as_html(_report()), "html.parser")
    links = [link["href"] for link in page.article.find_all("a")]
    assert links == ["#source-1", "#source-2", "#source-1"]
    assert all(page.find(id=link[1:]) for link in links)
    assert page.article.find("b").get_text() == "?"
    assert "lines 3-5" in page.article.a["title"]


def test_a_page_marks_the_sentences_that_were_taken_and_no_others():
    page = BeautifulSoup(pages.as_html(_report()), "html.parser")
    assert [mark.get_text() for mark in page.find_all("mark")] == ["Spring tides are higher."]


def test_a_page_obeys_no_document():
    page = BeautifulSoup(pages.as_html(_report()), "html.parser")
    assert not page.find_all(["script", "img", "link", "iframe"])
    assert page.h1.get_text() == "Ships & <tides>"
    assert "<script>alert(1)</script>" in page.find(id="source-2").get_text()


def test_a_quoted_passage_is_prose_without_html_and_pictures():
    passage = '<p align="center"><b>Tides</b>\n[![x](https://a/b.svg)](https://c)</p>\n\nThey rise\nif a < b. <object>'
    text = pages.as_markdown(_report(sources=(Source(1, "S3.2", "Tides", "t.md", "", passage),)))
    assert "> Tides\n>\n> They rise if a &lt; b. &lt;object>\n" in text


def test_without_sources_the_report_says_so():
    text = pages.as_markdown(_report(sources=(), text="The sources do not answer this."))
    assert "*No source is cited.*" in text
    assert "## Sources" not in text


def test_a_report_of_a_model_that_writes_does_not_claim_to_quote():
    assert "Written from the sources" in pages.as_markdown(_report(making=Making((), quotes=False)))


def test_results_of_tools_that_the_prompt_called_are_no_part_of_the_report():
    assert _body("`fingerprint`:\n\n1234\n\n## In short\n\nText.") == "## In short\n\nText."
    assert _body("A short answer.") == "A short answer."


def test_the_folder_that_all_sources_share_is_named_once():
    far = [Source(n, "", "", f"/srv/docs/{path}", "", "") for n, path in enumerate(("a/x.md", "b.md"), start=1)]
    folder, short = _shortened(far)
    assert (folder, [source.path for source in short]) == ("/srv/docs", ["a/x.md", "b.md"])
    assert _shortened([]) == ("", [])
