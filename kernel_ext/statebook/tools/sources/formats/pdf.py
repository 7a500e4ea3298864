"""PDF: text page by page."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from statebook.errors import SourceError

from .extracted import Composer, Extracted, Section, clean, paragraphs, without_text

if TYPE_CHECKING:
    from pypdf import PdfReader

_PAGES = 3_000
_BROKEN_WORD = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_NO_TITLE = re.compile(r"untitled|microsoft|powerpoint|\.(?:docx?|pptx?|dvi|tex|indd|qxd|pdf|odt)\b", re.IGNORECASE)
_TITLE_LENGTH = (4, 150)


def extract_pdf(data: bytes, name: str) -> Extracted:
    """The pages' text. Raises SourceError where the file is encrypted or broken."""
    with _quiet():
        reader = _open(data)
        composer = Composer()
        starts: list[int] = []
        sections: list[Section] = []
        unread: list[int] = []
        try:
            count = len(reader.pages)
        except Exception as error:  # noqa: BLE001 - a damaged file makes pypdf raise anything
            raise _broken(error) from None
        for index in range(min(count, _PAGES)):
            if composer.full:
                break
            starts.append(composer.length)
            text = _page(reader, index, unread)
            start, _ = composer.add(text)
            blocks = paragraphs(text, 0, len(text))
            sections.append(Section("", tuple((start + first, start + last) for first, last in blocks)))
        text = composer.text
        title = _title(reader, text) or PurePath(name).stem
    if not text.strip():
        reason = "no text: its pages are pictures" if not unread else "none of its pages could be read"
        return without_text("failed" if unread else "empty", reason, title)
    return Extracted(title, text, tuple(sections), "page", tuple(starts), _note(count, len(starts), unread))


def _open(data: bytes) -> PdfReader:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import DependencyError

    try:
        reader = PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED
    except DependencyError:
        raise SourceError("it is encrypted with AES; `pip install cryptography` lets it be read") from None
    except Exception as error:  # noqa: BLE001 - a damaged file makes pypdf raise anything
        raise _broken(error) from None
    if locked:
        raise SourceError("it is encrypted; save a copy without the password")
    return reader


def _page(reader: PdfReader, index: int, unread: list[int]) -> str:
    """One page's text; a page that breaks the reader does not cost the others."""
    try:
        text = reader.pages[index].extract_text()
    except Exception:  # noqa: BLE001 - a damaged file makes pypdf raise anything
        unread.append(index + 1)
        return ""
    return _BROKEN_WORD.sub("", clean(text))


def _title(reader: PdfReader, text: str) -> str:
    """The title in the document's properties where it is one, else its first line."""
    try:
        title = str((reader.metadata and reader.metadata.title) or "")
    except Exception:  # noqa: BLE001 - properties may be damaged on their own
        title = ""
    low, high = _TITLE_LENGTH
    for candidate in (title, text.lstrip().partition("\n")[0]):
        line = clean(" ".join(candidate.split()))
        if low <= len(line) <= high and not _NO_TITLE.search(line):
            return line
    return ""


def _note(count: int, read: int, unread: list[int]) -> str:
    notes = []
    if read < count:
        notes.append(f"only the first {read:,} of {count:,} pages are indexed")
    if unread:
        pages = ", ".join(map(str, unread[:5])) + (", ..." if len(unread) > 5 else "")  # noqa: PLR2004 - a short list
        notes.append(f"pages that could not be read: {pages}")
    return "; ".join(notes)


def _broken(error: Exception) -> SourceError:
    return SourceError(f"it is not a readable PDF ({' '.join(str(error).split())[:120] or type(error).__name__})")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pypdf's warnings about damaged files out of the notebook: what matters is told as status and note."""
    logger = logging.getLogger("pypdf")
    handler = logging.NullHandler()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)
