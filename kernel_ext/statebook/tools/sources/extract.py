"""From a file's bytes to its text: picks the reader by the kind of file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from statebook.tools.workspace.text import decode

from .formats.extracted import Extracted, clean, without_text
from .formats.html import extract_html
from .formats.notebook import extract_notebook
from .formats.pdf import extract_pdf
from .formats.prose import extract_prose
from .formats.table import extract_table

VERSION = 1
"""Of the way documents are read; part of their digest, so that a better reader makes new documents."""

BYTE_CAP = 20_000_000
"""Bytes of a text file that are read; what comes after is left out, and said."""

PDF_CAP = 200_000_000
"""Bytes of the biggest PDF that is read: a part of one is not a PDF."""

_MARKDOWN = frozenset({".md", ".markdown", ".mdown", ".mkd", ".qmd"})
_TEXT = frozenset({".txt", ".text", ".rst", ".org", ".adoc", ".tex"})
_TABLE = frozenset({".csv", ".tsv", ".tab"})
_HTML = frozenset({".html", ".htm", ".xhtml"})
_WHOLE = {".pdf": extract_pdf, ".ipynb": extract_notebook}  # a part of one can't be read
_PLAIN_NAMES = frozenset({"readme", "metadata", "pkg-info", "changelog", "changes", "news", "notes", "history"})


def is_document(name: str) -> bool:
    """Whether a file of this name is looked at when its folder is a source; code and data files are not."""
    path = PurePath(name.casefold())
    if not path.suffix:
        return path.name in _PLAIN_NAMES
    return path.suffix in _MARKDOWN | _TEXT | _TABLE | _HTML | {".pdf", ".ipynb"}


def read_cap(name: str) -> int:
    """How many bytes of a file of this name are read."""
    return PDF_CAP if _suffix(name) == ".pdf" else BYTE_CAP


def extract(name: str, data: bytes, size: int) -> Extracted:
    """The text of a file of ``size`` bytes whose first ones are ``data``.

    Raises SourceError where it should be readable and is not; any other exception means the same.
    """
    suffix = ".pdf" if data.startswith(b"%PDF-") else _suffix(name)
    if not data.strip():
        return without_text("empty", "the file is empty")
    cut_off = size > len(data)
    if suffix in _WHOLE:
        if cut_off:
            return without_text("skipped", f"bigger than {read_cap(name) // 1_000_000} MB")
        return _WHOLE[suffix](data, name)
    found = _extract_text(suffix, data, name)
    return _noted(found, f"only the first {len(data) // 1_000_000} MB are indexed") if cut_off else found


def _extract_text(suffix: str, data: bytes, name: str) -> Extracted:
    raw, encoding = decode(data)
    if not encoding:
        return without_text("skipped", "binary, not text")
    if suffix in _HTML:
        return extract_html(data, name)
    text = clean(raw)
    table = suffix in _TABLE
    found = extract_table(text, name) if table else extract_prose(text, name, markdown=suffix in _MARKDOWN)
    if not found.sections and found.status == "ok":
        return without_text("empty", "no text in it", found.title)
    return _noted(found, f"read as {encoding}, since it is not UTF-8") if encoding in ("cp1252", "latin-1") else found


def _noted(found: Extracted, note: str) -> Extracted:
    if found.status != "ok":
        return found
    return replace(found, note="; ".join(part for part in (found.note, note) if part))


def _suffix(name: str) -> str:
    return PurePath(name.casefold()).suffix
