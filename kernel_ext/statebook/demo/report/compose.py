"""An answer as a report to read: numbered citations, the passages they lead to, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from statebook.errors import UsageError
from statebook.magic.connect import Records, connect
from statebook.ui.markdown import cited_marks

from . import pages
from .making import how_made
from .value import Report, Source

_TEXT_BEFORE = "## "


def write_report(answer: str, title: str, *, name: str = "report", records: Records | None = None) -> str:
    """Write ``NAME.md`` and ``NAME.html`` in the working directory; returns a line about them.

    ``answer`` is an answer of this session, as ``report <<`` puts it into a variable; ``records`` are the session's
    (else those of this kernel). Raises UsageError for an answer that is empty.
    """
    if not answer.strip():
        raise UsageError("There is no answer to make a report of.", "Put one into a variable with `%%agent NAME <<`.")
    report = compose(answer, title, records or connect())
    for suffix, text in ((".md", pages.as_markdown(report)), (".html", pages.as_html(report))):
        Path(name).with_suffix(suffix).write_text(text, encoding="utf-8")
    documents = len({source.path for source in report.sources})
    cited = f"{len(report.sources)} passages of {documents} documents are cited" if documents else "nothing is cited"
    return f"{Path(name).name}.md and {Path(name).name}.html are written: {cited}."


def compose(answer: str, title: str, records: Records) -> Report:
    """The report of an answer, out of what the session's views tell."""
    text = _body(answer)
    sources = _sources(cited_marks(text), records)
    folder, sources = _shortened(sources)
    return Report(title, text, tuple(sources), folder, how_made(answer, records))


def _body(answer: str) -> str:
    """The answer from its first heading on: before it stand the results of tools that the prompt called by name."""
    at = 0 if answer.startswith(_TEXT_BEFORE) else answer.find(f"\n{_TEXT_BEFORE}") + 1
    return answer[at:].strip()


def _sources(marks: Sequence[str], records: Records) -> list[Source]:
    rows: dict[str, Any] = {str(row.mark): row for row in records.citations.itertuples()}
    known = [rows[mark] for mark in marks if mark in rows]
    return [
        Source(number, row.mark, row.title, row.path, row.place or "", row.passage or "")
        for number, row in enumerate(known, start=1)
    ]


def _shortened(sources: Sequence[Source]) -> tuple[str, list[Source]]:
    """Paths from the folder that all of them share, which is named once."""
    parents = [PurePath(source.path).parent for source in sources]
    shared = (
        next((each for each in (parents[0], *parents[0].parents) if _holds(each, parents)), None) if parents else None
    )
    if shared is None or shared == PurePath():
        return "", list(sources)
    return shared.as_posix(), [
        replace(source, path=PurePath(source.path).relative_to(shared).as_posix()) for source in sources
    ]


def _holds(folder: PurePath, parents: Sequence[PurePath]) -> bool:
    return all(parent.is_relative_to(folder) for parent in parents)
