"""An extracted answer in another form: its statements, each with its mark and its source, as JSON or a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from statebook.errors import ModelError
from statebook.protocol.calls import AnswerForm
from statebook.protocol.messages import Message, ToolResult
from statebook.protocol.passages import MARK, Passage, read_passages

_CITED = re.compile(rf"(?P<said>[^\n]*?)(?P<marks>(?:[ ,;]*{MARK.pattern})+|$)", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
_SILENT = re.compile(r"^\s*(?:\|?[\s:|-]+\|?|```.*|>?\s*|_[^_].*_)$")
"""Lines that say nothing about the question: rules, fences, and what the answer says in italics about itself."""
_TABLE = re.compile(r"^(?P<head>\|.*\|)\n\|[\s:|-]+\|\n(?P<body>(?:\|.*\|(?:\n|\Z))*)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_EMPHASIS = re.compile(r"(?<!\w)(\*\*|__|\*|_|~~|`+)(?=\S)(.+?)(?<=\S)\1(?!\w)")


def refuse(form: AnswerForm) -> None:
    """Raise ModelError for a form that takes a model which writes: code, or a schema to fill in."""
    wanted = "code" if form.kind == "code" else f"the schema {form.name}" if form.name else ""
    if wanted:
        raise ModelError(
            f"offline: extracts sentences; it can't fill in {wanted}.",
            "Connect a model that writes, with `-m provider:model` (`%agent models` lists them); nothing is lost.",
            fault="refused_request",
        )


def in_form(answer: str, form: AnswerForm, messages: Iterable[Message]) -> str:
    """An answer in Markdown as the form wants it; ``messages`` hold the passages it cites.

    ``json``: ``{"statements": [{"statement", "mark", "source"}, ...]}``; ``table``: the same as ``rows``, or those of
    the table that the answer is. A statement without a citation has null for both.
    """
    if form.kind == "text":
        return plain(answer)
    if not form.structured:
        return answer
    if form.kind == "table" and (table := _table(answer)):
        return json.dumps({"rows": table}, ensure_ascii=False, indent=2)
    passages = {passage.mark: passage for passage in _shown(messages)}
    rows = [_row(said, marks, passages) for said, marks in _statements(answer)]
    return json.dumps({"rows" if form.kind == "table" else "statements": rows}, ensure_ascii=False, indent=2)


def plain(markdown: str) -> str:
    """Markdown as the words it holds: without headings' signs, emphasis, links' addresses and table rules."""
    lines = []
    for line in markdown.splitlines():
        if "|" in line and not line.strip(" |:-"):
            continue
        text = re.sub(r"^\s*(?:#{1,6}|>)\s+|^\s*```.*$", "", line)
        if text.lstrip().startswith("|"):
            text = "  ".join(cell.strip() for cell in text.strip().strip("|").split("|"))
        lines.append(_words(text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _words(text: str) -> str:
    text = _LINK.sub(r"\1", text)
    while (bare := _EMPHASIS.sub(r"\2", text)) != text:
        text = bare
    return text


def _statements(answer: str) -> Iterator[tuple[str, list[str]]]:
    """(what is said, the marks it rests on) in order; what stands in a list without a mark is told with its heading."""
    heading = ""
    for line in answer.splitlines():
        if line.startswith("#"):
            heading = plain(line)
        elif not _SILENT.match(line):
            listed = heading and _BULLET.match(line) and not MARK.search(line)
            text = " ".join(plain(_BULLET.sub("", line)).split())
            for found in _CITED.finditer(f"{heading}: {text}" if listed else text):
                said = found["said"].strip(" ,;")
                if said:
                    yield said, MARK.findall(found["marks"])


def _table(answer: str) -> list[dict[str, str]]:
    """The rows of the one table in an answer; none where it has no table, or several."""
    found = list(_TABLE.finditer(answer))
    if len(found) != 1:
        return []
    names = [name or f"column {n}" for n, name in enumerate(_cells(found[0]["head"]), start=1)]
    return [dict(zip(names, _cells(row), strict=False)) for row in found[0]["body"].splitlines()]


def _cells(line: str) -> list[str]:
    return [_words(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _row(said: str, marks: list[str], passages: Mapping[str, Passage]) -> dict[str, str | None]:
    known = [passages[mark] for mark in marks if mark in passages]
    where = "; ".join(" · ".join(part for part in (each.path, each.place) if part) for each in known)
    return {"statement": said, "mark": "".join(f"[{mark}]" for mark in marks) or None, "source": where or None}


def _shown(messages: Iterable[Message]) -> Iterator[Passage]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield from read_passages(part.text)
