"""An answer in the form that was asked for: JSON, a table, code or plain text as HTML and as text, and its type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from statebook.protocol.calls import AnswerForm
from statebook.protocol.journal.runs import Run
from statebook.protocol.passages import MARK, marks_in
from statebook.run.answers import columns_of, read_code, read_json

from .escape import clip, code, visible, words
from .markdown import Cite, cited_marks, markdown_html, replace_citations

ROWS = 200
"""Most rows of a table that are drawn; the DataFrame has them all."""
CELL = 2_000
"""Most characters of one cell that are drawn."""


def answer_html(form: AnswerForm, text: str, cite: Cite, *, whole: bool = True) -> str:
    """The HTML of an answer, ``whole`` or still streaming in; ``cite`` gives the HTML of citations."""
    if form.kind == "markdown":
        return markdown_html(text, cite)
    if form.kind == "text":
        return f'<pre class="sb-plain">{_cited(text, cite)}</pre>'
    if form.kind == "code":
        return f"<pre><code>{code(read_code(text))}</code></pre>"
    value = _value(form, text) if whole else _UNREADABLE
    if value is _UNREADABLE:
        return f"<pre><code>{_cited(text, cite)}</code></pre>"
    if form.kind == "table" and _is_table(value):
        return _table(_columns(form, value), value, cite)
    return f"<pre><code>{_cited(_pretty(value), cite)}</code></pre>"


def answer_text(form: AnswerForm, text: str, cite: Cite, *, whole: bool = True) -> str:
    """The answer as plain text; ``cite`` gives the text that stands for citations.

    A beginning of it (not ``whole``) is drawn as it came, so that what follows can be written behind it.
    """
    if form.kind == "markdown":
        return visible(replace_citations(text, cite))
    if form.kind == "code":
        return visible(read_code(text) if whole else text)
    value = _value(form, text) if form.structured and whole else _UNREADABLE
    return visible(_replaced(text if value is _UNREADABLE else _pretty(value), cite))


def answer_marks(form: AnswerForm, text: str) -> list[str]:
    """The marks an answer cites, in order of first appearance, each once."""
    if form.kind == "markdown":
        return cited_marks(text)
    return [] if form.kind == "code" else list(dict.fromkeys(marks_in(text)))


def type_line(run: Run) -> str:
    """``answer: Report (pydantic model, 4 fields)``; "" for Markdown, and where there is no answer of that form."""
    form = run.started.answer
    if form.kind == "markdown" or run.status != "done":
        return ""
    if form.kind in ("text", "code"):
        lines = len((read_code(run.answer) if form.kind == "code" else run.answer).splitlines())
        return f"answer: {'Python code' if form.kind == 'code' else 'text'} (str, {_count(lines, 'line')})"
    value = _value(form, run.answer)
    if value is _UNREADABLE:
        return ""
    if form.kind == "table" and _is_table(value):
        of = f" of {form.name}" if form.name else ""
        return f"answer: DataFrame{of}, {_count(len(value), 'row')} × {_count(len(_columns(form, value)), 'column')}"
    return f"answer: {form.name or 'JSON'} ({_about(form, value)})"


_UNREADABLE: Any = object()


def _value(form: AnswerForm, text: str) -> Any:
    try:
        return read_json(form, text)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _about(form: AnswerForm, value: Any) -> str:
    """What the value is in Python, and how big."""
    if isinstance(value, dict):
        declared = form.becomes in ("pydantic model", "dataclass", "TypedDict") and not form.inside
        fields = form.schema.get("properties", {}) if declared else value
        return f"{form.becomes or 'dict'}, {_count(len(fields), 'field')}"
    if isinstance(value, list):
        return f"{'list' if form.becomes in ('', 'list') else form.becomes}, {_count(len(value), 'item')}"
    return form.becomes or type(value).__name__


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _columns(form: AnswerForm, rows: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of the frame: of an empty one those that its schema names."""
    return list(dict.fromkeys(column for row in rows for column in row)) if rows else list(columns_of(form))


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]], cite: Cite) -> str:
    head = "".join(f"<th>{words(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(row.get(column), cite)}</td>' for column in columns)}</tr>" for row in rows[:ROWS]
    )
    more = f'<p class="sb-quiet">… {len(rows) - ROWS:,} more rows</p>' if len(rows) > ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any, cite: Cite) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _cited(clip(text, CELL), cite, running=True)


def _cited(text: str, cite: Cite, *, running: bool = False) -> str:
    """HTML of a text with its marks as citations; ``running`` text keeps its dollars from being typeset."""
    draw = words if running else code
    drawn, place = [], 0
    for mark in MARK.finditer(text):
        drawn += [draw(text[place : mark.start()]), cite([mark[1]])]
        place = mark.end()
    return "".join([*drawn, draw(text[place:])])


def _replaced(text: str, cite: Cite) -> str:
    return MARK.sub(lambda mark: cite([mark[1]]), text)
