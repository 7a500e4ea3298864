"""What reading a document gives: clean text, its sections, and where in the file each offset stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from statebook.protocol.documents import DocumentStatus
from statebook.protocol.passages import MARK

TEXT_CAP = 5_000_000
"""Characters of one document that are indexed: about 8,000 passages, a long book three times over."""

Unit = Literal["", "line", "page", "cell", "row"]

_NAMES: dict[Unit, tuple[str, str]] = {
    "": ("", ""),
    "line": ("line", "lines"),
    "page": ("p.", "pp."),
    "cell": ("cell", "cells"),
    "row": ("row", "rows"),
}
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ANSI = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs under one heading, as (start, end) offsets into the text; passages never cross sections."""

    heading: str
    blocks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text. ``starts`` are the offsets at which unit 1, 2, ... (line, page, cell, row) begins.

    ``note`` is one line: what was left out, or, where ``status`` is not ``ok``, why there is no text.
    """

    title: str
    text: str
    sections: tuple[Section, ...]
    unit: Unit = ""
    starts: tuple[int, ...] = ()
    note: str = ""
    status: DocumentStatus = "ok"

    def place(self, start: int, end: int) -> str:
        """Where a span stands, for people: ``p. 4``, ``lines 12-20``; "" where the document has no such units."""
        if not self.starts:
            return ""
        first = max(bisect_right(self.starts, start), 1)
        last = max(bisect_right(self.starts, end - 1), first)
        one, many = _NAMES[self.unit]
        return f"{one} {first}" if first == last else f"{many} {first}-{last}"


def without_text(status: DocumentStatus, note: str, title: str = "") -> Extracted:
    """A document that gives no passages, and why."""
    return Extracted(title, "", (), note=note, status=status)


def clean(text: str) -> str:
    """Text that can be stored, shown and quoted: plain newlines, no control characters, no citation marks.

    A mark in a document (an earlier report, or an attempt to pass as another source) would be taken for ours, so
    ``[S3.7]`` becomes ``(S3.7)``. No newline is added or lost after line ends are unified: line numbers hold.
    """
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return MARK.sub(r"(\1)", _UNSAFE.sub(" ", text))


class Composer:
    """Builds a text from pieces, an empty line between them, and remembers where each stands."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.length = 0

    @property
    def full(self) -> bool:
        """Whether the cap on one document's text is reached."""
        return self.length >= TEXT_CAP

    def add(self, text: str) -> tuple[int, int]:
        """Append a piece (already clean); its (start, end)."""
        start = self.length
        self._pieces.append(text)
        self.length += len(text) + 2
        return start, start + len(text)

    @property
    def text(self) -> str:
        """All pieces."""
        return "\n\n".join(self._pieces)


def paragraphs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The spans between empty lines in ``text[start:end]``, without white space around them."""
    found = []
    for match in re.finditer(r"\S(?:.|\n(?![ \t]*\n))*", text[start:end]):
        body = match[0].rstrip()
        found.append((start + match.start(), start + match.start() + len(body)))
    return found


def heading_path(headings: list[tuple[int, str]], title: str) -> str:
    """``Methods › Data`` from the open headings; the title itself is left out."""
    names = [" ".join(text.split()) for _, text in headings]
    if names and names[0] == title:
        names = names[1:]
    path = " › ".join(names)
    return path if len(path) <= _HEADING_CAP else path[: _HEADING_CAP - 1] + "…"


_HEADING_CAP = 90


def heading_text(text: str) -> str:
    """A Markdown heading's words: links by their text, without badges, emphasis and code marks."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*`]|</?\w[^>]*>", "", text).split())


def open_heading(headings: list[tuple[int, str]], level: int, text: str) -> None:
    """Enter a heading of a level: it closes the ones at its level and below."""
    while headings and headings[-1][0] >= level:
        headings.pop()
    headings.append((level, text))
