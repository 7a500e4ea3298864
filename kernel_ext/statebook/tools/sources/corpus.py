"""The documents of the sources and their passages: kept up to date with the files, numbered for good, searchable."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from statebook.errors import SourceError
from statebook.protocol.documents import Document, DocumentStatus
from statebook.protocol.passages import Passage

from .extract import VERSION, extract, read_cap
from .formats.extracted import Extracted, without_text
from .passages import cut
from .ranking import Ranking
from .scan import Scan, scan

_PAUSE = 3.0  # seconds between two looks at the files
_REPORT = 0.3  # seconds between two reports of progress
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

Progress = Callable[[str], None]


class DocumentStore(Protocol):
    """Where documents and their passages are kept; safe to call from any thread."""

    def documents(self) -> list[Document]:
        """Every document ever put, by number, replaced and gone ones among them."""
        ...

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
        """Keep a document with its passages under the next number, in one commit."""
        ...

    def update(self, document: Document) -> None:
        """Take over status, size, mtime_ns and error of a document that is there; its passages stay."""
        ...

    def passages(self, number: int) -> list[Passage]:
        """A document's passages with their text, in order; also of documents that were replaced or are gone."""
        ...

    def all_passages(self) -> list[Passage]:
        """The passages of all documents that are neither replaced nor gone."""
        ...


class Corpus:
    """What the roots hold. A lock makes it safe from several threads; the slow work is reading changed files."""

    def __init__(
        self, store: DocumentStore, roots: Sequence[Path], workspace: Path, exclude: Sequence[Path] = ()
    ) -> None:
        self._store = store
        self._roots = tuple(roots)
        self._workspace = workspace
        self._exclude = tuple(exclude)
        self._lock = threading.RLock()
        self._documents: dict[int, Document] | None = None
        self._ranking: Ranking | None = None
        self._held: dict[tuple[str, str], Document] = {}  # what a path held with which content
        self._looked: float | None = None
        self.notes: tuple[str, ...] = ()

    def documents(self, *, old: bool = False) -> list[Document]:
        """The current documents by number; with ``old`` also those replaced or gone."""
        with self._lock:
            return [document for _, document in sorted(self._known().items()) if old or document.current]

    def passages(self, number: int) -> list[Passage]:
        """A document's passages, also of one that was replaced or is gone."""
        return self._store.passages(number)

    def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages of the current documents, best first."""
        with self._lock:
            if self._ranking is None:
                ranking = Ranking()
                ranking.add(self._store.all_passages())
                self._ranking = ranking
            return self._ranking.search(query, limit)

    def refresh(self, progress: Progress | None = None, *, force: bool = False) -> None:
        """Bring the documents up to date with the files, unless that was done a moment ago.

        Only files whose size or time changed are read again. What raises out of ``progress`` stops the work; the
        files read so far are kept.
        """
        with self._lock:
            if not force and self._looked is not None and time.monotonic() - self._looked < _PAUSE:
                return
            found = scan(self._roots, self._workspace, self._exclude)
            current = self._by_path()
            self._held = {
                (document.path, document.digest): document
                for document in self.documents(old=True)
                if document.current or document.passages
            }
            self._retire_missing(found, current)
            for path, reason in found.refused.items():
                self._refuse(path, reason, current.get(path))
            changed = [(path, file) for path, file in found.files.items() if _changed(file, current.get(path))]
            reported = 0.0
            for count, (path, file) in enumerate(changed, start=1):
                if progress and time.monotonic() - reported > _REPORT:
                    progress(f"reading sources: {count:,} of {len(changed):,} new or changed files ({path})")
                    reported = time.monotonic()
                self._read(path, file, current.get(path))
            self.notes = tuple(found.notes)
            self._looked = time.monotonic()

    def _known(self) -> dict[int, Document]:
        if self._documents is None:
            self._documents = {document.number: document for document in self._store.documents()}
        return self._documents

    def _by_path(self) -> dict[str, Document]:
        """The current document of each path: the newest, should a crash have left two."""
        found: dict[str, Document] = {}
        for document in self.documents():
            if document.path in found:
                self._update(replace(found[document.path], status="replaced"))
            found[document.path] = document
        return found

    def _retire_missing(self, found: Scan, current: dict[str, Document]) -> None:
        for path in [path for path in current if path not in found.files and path not in found.refused]:
            self._update(replace(current.pop(path), status="gone"))

    def _refuse(self, path: str, reason: str, current: Document | None) -> None:
        if current is None or current.error != reason:
            self._put(path, without_text("skipped", reason), "", (0, 0), current)

    def _read(self, path: str, file: Path, current: Document | None) -> None:
        try:
            data, stamp = _load(file)
        except OSError as error:
            found = without_text("failed", f"it can't be opened: {(error.strerror or str(error)).lower()}")
            if current is None or current.error != found.note:
                self._put(path, found, "", (0, 0), current)
            return
        digest = _digest(data, stamp)
        size, mtime_ns = stamp
        same = self._held.get((path, digest))
        if same is not None:
            status: DocumentStatus = same.status if same.current else "ok"
            self._update(replace(same, status=status, size=size, mtime_ns=mtime_ns))
            if current is not None and current.number != same.number:
                self._update(replace(current, status="replaced"))
            return
        self._put(path, _extract(file.name, data, size), digest, stamp, current)

    def _put(self, path: str, found: Extracted, digest: str, stamp: tuple[int, int], current: Document | None) -> None:
        size, mtime_ns = stamp
        passages = cut(found, path)
        document = self._store.put(
            path=path,
            title=found.title or path.rpartition("/")[2],
            digest=digest,
            size=size,
            mtime_ns=mtime_ns,
            status=found.status,
            error=found.note,
            passages=passages,
        )
        self._known()[document.number] = document
        if current is not None:
            self._update(replace(current, status="replaced"))
        if self._ranking is not None:
            self._ranking.add(replace(passage, document=document.number) for passage in passages)

    def _update(self, document: Document) -> None:
        before = self._known()[document.number]
        self._store.update(document)
        self._known()[document.number] = document
        if self._ranking is not None and before.current != document.current:
            self._ranking.remove(document.number)
            if document.current:
                self._ranking.add(self._store.passages(document.number))


def _changed(file: Path, document: Document | None) -> bool:
    """Whether a file must be read: by size and time, and always where the last attempt could not open it."""
    if document is None or not document.digest:
        return True
    try:
        status = file.stat()
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) != (document.size, document.mtime_ns)


def _load(file: Path) -> tuple[bytes, tuple[int, int]]:
    """The bytes that are read, and the file's whole size with its time, from one open descriptor."""
    with os.fdopen(os.open(file, _OPEN), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file")
        return opened.read(read_cap(file.name)), (status.st_size, status.st_mtime_ns)


def _digest(data: bytes, stamp: tuple[int, int]) -> str:
    """Names the content and the way it is read; of a file too big to be read whole, its size and time as well."""
    rest = "" if len(data) == stamp[0] else f"+{stamp[0]}@{stamp[1]}"
    return f"{VERSION}:{hashlib.sha256(data).hexdigest()}{rest}"


def _extract(name: str, data: bytes, size: int) -> Extracted:
    try:
        return extract(name, data, size)
    except SourceError as error:
        return without_text("failed", error.message)
    except Exception as error:  # noqa: BLE001 - one bad file must not cost the others, whatever a parser raises
        return without_text(
            "failed", f"it can't be read ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        )
