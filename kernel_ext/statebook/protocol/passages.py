"""Citable spans of documents, their marks (``[S3.7]``) and the text form in which tools show them to models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

MARK = re.compile(r"\[(S\d+\.\d+)\]")
"""A citation in an answer or a tool result: document 3, passage 7 -> ``[S3.7]``."""

_HEADER = re.compile(r"^\[(S(\d+)\.(\d+))\] (.*?) \((.*?)(?: · (.*?))?\)$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of one document's extracted text.

    ``document`` is the number the store gave the document, ``ordinal`` counts passages in it from 1. ``start`` and
    ``end`` are character offsets into the extracted text. ``place`` is for people: ``p. 4``, ``lines 12-20``,
    ``cell 3``. ``text`` may be empty where only the reference is kept (as in the journal).
    """

    document: int
    ordinal: int
    title: str
    path: str
    place: str
    start: int
    end: int
    text: str = ""

    @property
    def mark(self) -> str:
        """``S3.7``."""
        return f"S{self.document}.{self.ordinal}"

    def reference(self) -> Passage:
        """The same span without its text."""
        return replace(self, text="")


def show_passages(passages: Iterable[Passage]) -> str:
    """The form models read: a header line per passage, its text, an empty line.

    ::

        [S3.7] Title of the document (folder/name.md · lines 12-20)
        The passage's text.
    """
    return "\n\n".join(_show(passage) for passage in passages)


def _show(passage: Passage) -> str:
    title = " ".join(passage.title.split()).replace("(", "[").replace(")", "]")
    where = f"{passage.path} · {passage.place}" if passage.place else passage.path
    return f"[{passage.mark}] {title} ({where})\n{passage.text.strip()}"


def read_passages(text: str) -> list[Passage]:
    """The passages in a text made by `show_passages` (offsets are not in it, so they are 0)."""
    found: list[Passage] = []
    body: list[str] = []
    for line in text.splitlines():
        match = _HEADER.match(line)
        if match:
            _close(found, body)
            found.append(Passage(int(match[2]), int(match[3]), match[4], match[5], match[6] or "", 0, 0))
        elif found:
            body.append(line)
    _close(found, body)
    return found


def _close(found: list[Passage], body: list[str]) -> None:
    if found:
        found[-1] = replace(found[-1], text="\n".join(body).strip())
    body.clear()


def marks_in(text: str) -> list[str]:
    """The citation marks in a text, in order of first appearance, each once."""
    return list(dict.fromkeys(match[1] for match in MARK.finditer(text)))
