"""Which passages answer a question: BM25 over title, heading and text, spread over documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from statebook.protocol.passages import Passage
from statebook.tools.bm25 import BM25

from .passages import heading_of

_WEIGHTS = (1.5, 1.5, 1.0)
_POOL = 5  # candidates looked at per passage wanted
_AGAIN = 0.85  # what each further passage of the same document is worth: enough to let a near rival in


class Ranking:
    """An index of passages by document and ordinal."""

    def __init__(self) -> None:
        self._index: BM25[tuple[int, int]] = BM25(_WEIGHTS)
        self._passages: dict[int, dict[int, Passage]] = {}

    def __len__(self) -> int:
        return len(self._index)

    def add(self, passages: Iterable[Passage]) -> None:
        """Index passages that carry their text and their document's number."""
        for passage in passages:
            self._index.add((passage.document, passage.ordinal), passage.title, heading_of(passage), passage.text)
            self._passages.setdefault(passage.document, {})[passage.ordinal] = passage

    def remove(self, document: int) -> None:
        """Forget a document's passages."""
        for ordinal in self._passages.pop(document, {}):
            self._index.remove((document, ordinal))

    def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages, best first; each shares a word with the query, and none says the same as another."""
        pool = dict(self._index.search(query, limit * _POOL))
        taken: Counter[int] = Counter()
        said: set[str] = set()
        found: list[Passage] = []
        while pool and len(found) < limit:
            best = max(pool, key=lambda key: pool[key] * _AGAIN ** taken[key[0]])
            del pool[best]
            passage = self._passages[best[0]][best[1]]
            if passage.text in said:
                continue  # a copy of the file
            said.add(passage.text)
            taken[passage.document] += 1
            found.append(passage)
        return found
