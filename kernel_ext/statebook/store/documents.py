"""The corpus in the file: numbered documents and their extracted passages, kept as long as they may be cited."""

from __future__ import annotations

import re
from collections.abc import Sequence

from statebook.protocol.documents import Document, DocumentStatus
from statebook.protocol.passages import Passage

from .file.database import Database

_DOCUMENT = "number, path, title, digest, size, mtime_ns, status, error, passages"
_PASSAGE = "p.document, p.ordinal, d.title, d.path, p.place, p.first, p.last, p.text"


class Documents:
    """Documents by number; content that changed gets a new number, so that an old citation keeps its passage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def documents(self) -> list[Document]:
        """All documents, replaced ones among them, by number."""
        return [Document(*row) for row in self._database.rows(f"SELECT {_DOCUMENT} FROM document ORDER BY number")]

    def put(
        self,
        *,
        path: str,
        title: str,
        digest: str,
        size: int,
        mtime_ns: int,
        status: DocumentStatus,
        error: str,
        passages: Sequence[Passage],
    ) -> Document:
        """Keep a document and its passages under the next number, in one commit."""
        with self._database.transaction():
            number = int(self._database.row("SELECT coalesce(max(number), 0) + 1 FROM document")[0])
            document = Document(number, path, title, digest, size, mtime_ns, status, error, len(passages))
            row = [number, path, title, digest, size, mtime_ns, status, error, len(passages)]
            self._database.write("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            for start in range(0, len(passages), 200):
                part = passages[start : start + 200]
                values = [v for p in part for v in (number, p.ordinal, p.place, p.start, p.end, p.text)]
                marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(part))
                self._database.write(f"INSERT INTO passage VALUES {marks}", values)
        return document

    def update(self, document: Document) -> None:
        """Take over status, size, mtime_ns and error of a document that is there; its passages stay."""
        self._database.write(
            "UPDATE document SET status = ?, size = ?, mtime_ns = ?, error = ? WHERE number = ?",
            [document.status, document.size, document.mtime_ns, document.error, document.number],
        )

    def passage(self, mark: str) -> Passage | None:
        """The passage of a mark (``S3.7``), with its text; None when there is none."""
        match = re.fullmatch(r"S(\d+)\.(\d+)", mark)
        if match is None:
            return None
        found = self._passages("p.document = ? AND p.ordinal = ?", [int(match[1]), int(match[2])])
        return found[0] if found else None

    def passages(self, number: int) -> list[Passage]:
        """A document's passages, in order."""
        return self._passages("p.document = ?", [number])

    def all_passages(self) -> list[Passage]:
        """The passages of all current documents."""
        return self._passages("d.status NOT IN ('replaced', 'gone')", [])

    def _passages(self, condition: str, values: list[int]) -> list[Passage]:
        rows = self._database.rows(
            f"SELECT {_PASSAGE} FROM passage p JOIN document d ON d.number = p.document"
            f" WHERE {condition} ORDER BY p.document, p.ordinal",
            values,
        )
        return [Passage(*row) for row in rows]
