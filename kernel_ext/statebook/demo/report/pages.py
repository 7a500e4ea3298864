"""The two forms of a report: Markdown to keep and to edit, and an HTML page that stands alone."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from statebook.ui.escape import clip, code, one_line, visible
from statebook.ui.markdown import markdown_html, replace_citations

if TYPE_CHECKING:
    from .value import Report, Source

_QUOTE = 900
"""Most characters of a quoted passage."""
_SENTENCE = re.compile(r"(?<=[.!?])(\s+)")
_DECORATION = re.compile(
    r"</?(?:p|div|a|img|br|hr|h[1-6]|picture|source|strong|em|b|i|span|sub|sup|details|summary|table|thead|tbody|tr|td"
    r"|th|ul|ol|li|code|center|kbd)\b[^<>]*>|<!--.*?-->|\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?",
    re.IGNORECASE | re.DOTALL,
)
_BROKEN = re.compile(r"\n(?!\s*(?:[-*+•>|#]|\d+[.)]\s|```|\n)|[^\n]* \| )")
"""A line's end inside a paragraph: what follows is no item, no row and no code."""


def as_markdown(report: Report) -> str:
    """The report as Markdown; ``[2]`` leads to the second of its sources."""
    numbers = report.numbers

    def cite(marks: Sequence[str]) -> str:
        return "".join(f"[{numbers.get(mark, '?')}]" for mark in marks)

    parts = [f"# {report.title}", f"*{_byline(report)}*", visible(replace_citations(report.text, cite))]
    if report.sources:
        parts += [
            "## Sources",
            *([f"The files are in `{report.folder}`."] if report.folder else []),
            *(_source_markdown(source) for source in report.sources),
        ]
    made = "\n".join(f"| {_cell(what)} | {_cell(told)} |" for what, told in report.making.rows)
    parts.append(f"## How this was made\n\n| | |\n|---|---|\n{made}")
    if report.making.fingerprints:
        listed = "\n".join(f"- `{line}`" for line in report.making.fingerprints)
        parts.append(f"Fingerprints of sources, taken while it was made:\n\n{listed}")
    return "\n\n".join(parts) + "\n"


def _byline(report: Report) -> str:
    if not report.sources:
        return "No source is cited."
    documents = len({source.path for source in report.sources})
    what = "Every sentence is quoted from a source" if report.making.quotes else "Written from the sources"
    return (
        f"{what}; the numbers lead to {len(report.sources)} passages in {documents} document{'s' * (documents != 1)}."
    )


def _passage(source: Source) -> str:
    """The passage as prose: without HTML and pictures, and without line ends that only a page's width has put there."""
    text = _BROKEN.sub(" ", _DECORATION.sub("", visible(source.passage)))
    lines = (" ".join(line.split()) if " | " not in line else line for line in text.splitlines())
    return clip(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), _QUOTE)


def _source_markdown(source: Source) -> str:
    harmless = _passage(source).replace("<", "&lt;")  # a viewer would obey what HTML is left
    quote = "\n".join(f"> {line}".rstrip() for line in harmless.splitlines())
    return f"**[{source.number}] {one_line(source.title, 160)}** ({_where(source)})\n\n{quote}"


def _where(source: Source) -> str:
    return one_line(" · ".join(part for part in (source.path, source.place) if part), 200)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def as_html(report: Report) -> str:
    """The report as one page without scripts and without anything to load."""
    numbers = report.numbers
    known = {source.mark: source for source in report.sources}

    def cite(marks: Sequence[str]) -> str:
        links = "".join(
            f'<a href="#source-{numbers[mark]}" title="{code(_hover(known[mark]))}">{numbers[mark]}</a>'
            if mark in numbers
            else "<b>?</b>"
            for mark in marks
        )
        return f"<sup>{links}</sup>"

    style = files(__package__).joinpath("report.css").read_text("utf-8")
    answer = markdown_html(report.text, cite)
    said = " ".join(report.text.split())
    sources = "".join(_source_html(source, said) for source in report.sources)
    listed = f"<h2>Sources</h2>\n{_folder_html(report)}<ol>{sources}</ol>" if sources else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{code(report.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{code(report.title)}</h1>\n<p class=note>{_byline(report)}</p>\n<article>{answer}</article>\n"
        f"<section id=sources>{listed}</section>\n<section>{_making_html(report)}</section>\n"
        "</main>\n</body>\n</html>\n"
    )


def _folder_html(report: Report) -> str:
    return f"<p class=note>The files are in <code>{code(report.folder)}</code>.</p>\n" if report.folder else ""


def _hover(source: Source) -> str:
    return f"{one_line(source.title, 100)} ({_where(source)}): {one_line(source.passage, 300)}"


def _source_html(source: Source, said: str) -> str:
    """A passage, with the sentences that the report takes from it marked."""
    pieces = _SENTENCE.split(_passage(source))
    shown = "".join(f"<mark>{code(each)}</mark>" if _quoted(each, said) else code(each) for each in pieces)
    return (
        f'<li id="source-{source.number}" value="{source.number}"><b>{code(one_line(source.title, 160))}</b> '
        f"<span>{code(_where(source))}</span><blockquote>{shown}</blockquote></li>\n"
    )


def _quoted(sentence: str, said: str) -> bool:
    flat = " ".join(sentence.split())
    return len(flat.split()) > 2 and flat in said  # noqa: PLR2004 - two words prove nothing


def _making_html(report: Report) -> str:
    rows = "".join(f"<tr><th>{html.escape(what)}</th><td>{code(told)}</td></tr>" for what, told in report.making.rows)
    table = f"<h2>How this was made</h2>\n<table>{rows}</table>\n"
    if not report.making.fingerprints:
        return table
    listed = "".join(f"<li><code>{code(line)}</code></li>" for line in report.making.fingerprints)
    summary = "<summary>Fingerprints of sources, taken while it was made</summary>"
    return f"{table}<details>{summary}<ul>{listed}</ul></details>"
