"""Rows of tables as answers: a row counts where it and the header above it hold every word that is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from statebook.protocol.passages import Passage

from .evidence import Candidate, Evidence, Hit
from .sentences import Sentence, clean
from .words import stem, subject, term_set

_RULE = re.compile(r"^[\s|:=+-]+$")
_MOST = 5  # more rows than that are a question for a query, not for quoting
_WIDE = 6


def rows(evidence: Evidence, question: str, extra: str = "") -> list[Hit]:
    """The rows that answer a question, in the order of the documents; none where too many would.

    ``extra`` is the question's topic. A wide row is cut to its first cell and those that were asked for.
    """
    wanted = frozenset(stem(word) for word in (*subject(question), *subject(extra)))
    found = [
        hit
        for passage in evidence.passages
        for place, (header, cells) in enumerate(_tabled(passage))
        if (hit := _hit(passage, place, header, cells, wanted))
    ]
    return found if len(found) <= _MOST else []


def _tabled(passage: Passage) -> Iterator[tuple[list[str], list[str]]]:
    """(header, cells) of each row; a table is a run of lines with equally many cells, its header the first."""
    header: list[str] = []
    for line in passage.text.splitlines():
        cells = [clean(each) for each in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if len(cells) == 1:
            header = []
        elif len(cells) != len(header):
            header = cells
        elif not _RULE.match(line):
            yield header, cells


def _hit(passage: Passage, place: int, header: list[str], cells: list[str], wanted: frozenset[str]) -> Hit | None:
    own = term_set("\n".join(cells))
    above = term_set("\n".join(header))
    if not wanted & own or not wanted <= own | above:
        return None
    pairs = [
        f"{name}: {value}" if name else value
        for column, (name, value) in enumerate(zip(header, cells, strict=True))
        if value and (column == 0 or len(cells) <= _WIDE or wanted & term_set(f"{name}\n{value}"))
    ]
    text = f"{'; '.join(pairs)}."
    known = own | above
    sentence = Sentence(text, "", place, 0)
    return Hit(Candidate(passage, sentence, text, known, above, frozenset(), known, len(known)), 1.0, 1.0)
