"""CSV and TSV: the header with blocks of rows, so that each block reads alone."""

from __future__ import annotations

import csv
import io
from pathlib import PurePath

from statebook.errors import SourceError

from .extracted import Composer, Extracted, Section, without_text

_ROWS = 2_000
_BLOCK = 700  # characters of rows in one block
_CELL = 300  # characters of one cell


def extract_table(text: str, name: str) -> Extracted:
    """The first rows of a clean text, the header above each block; whole tables are what the sql tool is for."""
    delimiter = "\t" if name.casefold().endswith((".tsv", ".tab")) else _delimiter(text)
    composer = Composer()
    starts: list[int] = []
    blocks: list[tuple[int, int]] = []
    header = ""
    rows: list[str] = []
    count = 0
    note = ""
    try:
        for values in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if not any(value.strip() for value in values):
                continue
            line = " | ".join(" ".join(value.split())[:_CELL] for value in values)
            if not header:
                header = line
                continue
            if count == _ROWS or composer.full:
                note = f"only the first {count:,} rows are indexed; the sql tool reads them all"
                break
            count += 1
            rows.append(line)
            if sum(map(len, rows)) > _BLOCK:
                _close(composer, header, rows, starts, blocks)
    except csv.Error as error:
        raise SourceError(f"it is not a readable table ({error})") from None
    if not header:
        return without_text("empty", "no rows")
    if rows or not blocks:
        _close(composer, header, rows, starts, blocks)
    sections = tuple(Section("", (block,)) for block in blocks)
    return Extracted(PurePath(name).stem, composer.text, sections, "row", tuple(starts), note)


def _close(composer: Composer, header: str, rows: list[str], starts: list[int], blocks: list[tuple[int, int]]) -> None:
    """Write a block; its first row begins, for the reader, at the header above it."""
    start = composer.length
    offset = start + len(header) + 1
    for index, row in enumerate(rows):
        starts.append(offset if index else start)
        offset += len(row) + 1
    blocks.append(composer.add("\n".join([header, *rows])))
    rows.clear()


def _delimiter(text: str) -> str:
    """The separator that the first line has most of."""
    line = text.lstrip().partition("\n")[0]
    return max(",;\t|", key=line.count)
