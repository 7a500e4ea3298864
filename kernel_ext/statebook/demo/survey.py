"""What a folder of documents is about: read into the session's store, and the phrases that several of them share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statebook.config import store_path
from statebook.errors import UsageError
from statebook.model.extract.themes import themes
from statebook.protocol.documents import Document
from statebook.store.store import Store
from statebook.tools.sources.tools import Sources

_LOOKED_AT = 600
"""Documents of which the words are counted; more would cost time and change little."""
_PASSAGES = 12
"""Passages of each of them."""
_SAFE_PATH = re.compile(r"[\w ./+-]+")


@dataclass(frozen=True, slots=True)
class Survey:
    """``topics`` are phrases, the most telling first; ``files`` are paths that may be written into a prompt."""

    documents: int
    passages: int
    unread: int
    topics: tuple[str, ...]
    files: tuple[str, ...]
    titles: tuple[str, ...]


def survey(notebook: Path, sources: Path, tell: Callable[[str], None]) -> Survey:
    """Read the sources into the notebook's store, where its session will find them.

    Raises UsageError when nothing in the folder can be read, StoreError subclasses.
    """
    store = Store(store_path(notebook))
    try:
        corpus = Sources(store.documents, [sources], notebook.parent, exclude=(notebook,))
        corpus.refresh(tell)
        documents = corpus.documents()
        readable = [document for document in documents if document.passages]
        if not readable:
            raise UsageError(f"Nothing in {sources} can be read: {_reasons(documents)}.", _KINDS)
        texts = [store.documents.passages(document.number)[:_PASSAGES] for document in _spread(readable)]
    finally:
        store.close()
    return Survey(
        documents=len(readable),
        passages=sum(document.passages for document in readable),
        unread=len(documents) - len(readable),
        topics=themes(texts),
        files=tuple(each.path for each in sorted(readable, key=_size) if _SAFE_PATH.fullmatch(each.path)),
        titles=tuple(dict.fromkeys(each.title for each in readable)),
    )


_KINDS = "It takes Markdown, text, HTML, PDF, notebooks and CSV."


def _reasons(documents: Sequence[Document]) -> str:
    if not documents:
        return "there are no documents in it"
    counts = Counter(document.error or document.status for document in documents)
    told = ", ".join(f"{count} x {reason}" for reason, count in counts.most_common(3))
    return f"{len(documents)} file{'s' * (len(documents) != 1)}, none with text ({told})"


def _size(document: Document) -> tuple[bool, int]:
    """Documents of some passages before single ones, then the shorter first."""
    return document.passages <= 1, document.passages


def _spread(documents: Sequence[Document]) -> Sequence[Document]:
    step = max(1, math.ceil(len(documents) / _LOOKED_AT))
    return documents[::step]
