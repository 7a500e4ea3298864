"""Cutting an extracted text into passages: citable spans of a few sentences, exact to the character."""

from __future__ import annotations

import re

from statebook.protocol.passages import Passage

from .formats.extracted import Extracted

SMALL, LARGE = 450, 900
"""Characters: paragraphs are joined until a passage is no longer small, and cut where they are larger than large."""

_SEPARATOR = " · "
_UNIT = re.compile(r"^(?:pp?\.|lines?|cells?|rows?) \d+(?:-\d+)?(?: · |$)")
_ENDS = (
    re.compile(r"[.!?。！？][\"'”’)\]]*\s+|[。！？]"),  # a sentence
    re.compile(r"\n"),
    re.compile(r"\s+"),
)


def cut(extracted: Extracted, path: str) -> list[Passage]:
    """The passages of a text, numbered from 1, with exact offsets; their document's number is the store's to give.

    A passage begins at a paragraph and never crosses a heading, a page or a table's block. The heading it stands
    under is told in its place (``lines 12-20 · Methods``), where people see it and the index finds it.
    """
    found: list[Passage] = []
    for section in extracted.sections:
        for start, end in _spans(extracted.text, section.blocks):
            place = extracted.place(start, end)
            place = _SEPARATOR.join(part for part in (place, section.heading) if part)
            text = extracted.text[start:end]
            found.append(Passage(0, len(found) + 1, extracted.title, path, place, start, end, text))
    return found


def heading_of(passage: Passage) -> str:
    """The heading in a passage's place; "" where it stands under none."""
    return _UNIT.sub("", passage.place)


def _spans(text: str, blocks: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for block in blocks:
        for start, end in _pieces(text, *block):
            if spans and spans[-1][1] - spans[-1][0] < SMALL and end - spans[-1][0] <= LARGE:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
    return spans


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A paragraph in pieces of at most `LARGE` characters, cut after a sentence, else a line, else a word."""
    pieces = []
    while end - start > LARGE:
        stop = _break(text, start)
        pieces.append((start, start + len(text[start:stop].rstrip())))
        start = stop + len(text[stop:end]) - len(text[stop:end].lstrip())
    if start < end:
        pieces.append((start, end))
    return pieces


def _break(text: str, start: int) -> int:
    for ending in _ENDS:
        stops = [match.end() for match in ending.finditer(text, start + SMALL, start + LARGE)]
        if stops:
            return stops[-1]
    return start + LARGE
