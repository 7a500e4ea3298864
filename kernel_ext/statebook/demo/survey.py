"""What a folder of documents is about: read into the session's store, and the phrases that several of them share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from statebook.config import store_path
from statebook.errors import UsageError
from statebook.model.extract.sentences import sentences
from statebook.model.extract.words import ASKING, STOP, stem
from statebook.protocol.documents import Document
from statebook.protocol.passages import Passage
from statebook.store.store import Store
from statebook.tools.sources.tools import Sources

_LOOKED_AT = 600
"""Documents of which the words are counted; more would cost time and change little."""
_PASSAGES = 12
"""Passages of each of them."""
_WORD = re.compile(r"[^\W\d_][^\W\d_'’-]*")
_SHORTEST, _LONGEST = 4, 24
_COHESION = 0.15
"""Share of its rarer word's occurrences that a phrase must have, to be one and not two words that met."""
_EVERYWHERE = 0.6
"""Share of the documents above which a phrase tells nothing about them."""
_PER_DOCUMENT = 3
_FEW, _MANY = 3, 50
_SAFE_PATH = re.compile(r"[\w ./+-]+")
_TELL_NOTHING = (
    "available default different example examples following general latest main make makes makefile need needs new "
    "number recent section several similar simple single support supported supports unlike used useful user users "
    "using various version versions written python package packages project projects library install installed "
    "installing installation documentation please thanks license licence copyright readme file files first second "
    "called based part parts provide provides allow allows include includes including note currently usually"
)
_NO_TOPIC = frozenset(_TELL_NOTHING.split())
"""Words that stand in every document without being its subject."""


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
        topics=topics(texts),
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


def topics(documents: Iterable[Sequence[Passage]], most: int = 6) -> tuple[str, ...]:
    """Phrases of two words that several documents share and not all; single words where there are too few."""
    bags = [_counted(passages) for passages in documents]
    picked: list[str] = []
    taken: set[str] = set()
    for length in (2, 1):
        for phrase in _ranked(bags, length):
            stems = {stem(word) for word in phrase.split()}
            if len(picked) < most and not stems & taken:
                picked.append(phrase)
                taken |= stems
    return tuple(picked)


def _counted(passages: Sequence[Passage]) -> Counter[str]:
    """How often each word and each pair of neighbours stands in a document's sentences."""
    found: Counter[str] = Counter()
    for passage in passages:
        for sentence in sentences(passage.text):
            if not sentence.boilerplate:
                found.update(_phrases(sentence.text))
    return found


def _phrases(text: str) -> list[str]:
    matches = list(_WORD.finditer(re.sub(r"`[^`]*`", " | ", text)))
    found = []
    for at, match in enumerate(matches):
        if not _telling(match[0]):
            continue
        found.append(match[0].lower())
        after = matches[at + 1] if at + 1 < len(matches) else None
        if after is not None and _telling(after[0]) and match.string[match.end() : after.start()] == " ":
            found.append(f"{match[0]} {after[0]}".lower())
    return found


def _telling(word: str) -> bool:
    low = word.lower()
    return _SHORTEST <= len(low) <= _LONGEST and low not in STOP and low not in ASKING and low not in _NO_TOPIC


def _ranked(bags: Sequence[Counter[str]], length: int) -> list[str]:
    """Phrases of that many words: in several documents first, then often, then rare elsewhere."""
    spread = Counter(phrase for bag in bags for phrase in bag)
    total: Counter[str] = Counter()
    for bag in bags:
        total.update({phrase: min(count, _PER_DOCUMENT) for phrase, count in bag.items()})
    most = max(1, int(len(bags) * _EVERYWHERE)) if len(bags) > 2 else len(bags)  # noqa: PLR2004 - of two, both
    # in few documents a phrase of one of them is telling too
    least = 1 + (len(bags) > _FEW) + (len(bags) > _MANY)

    def worth(phrase: str) -> float:
        return total[phrase] * math.log(1 + len(bags) / spread[phrase])

    kept = [
        phrase
        for phrase, count in spread.items()
        if phrase.count(" ") == length - 1 and least <= count <= most and _cohesive(phrase, total)
    ]
    return sorted(kept, key=lambda phrase: (-worth(phrase), phrase))


def _cohesive(phrase: str, total: Counter[str]) -> bool:
    words = phrase.split()
    return len(words) == 1 or total[phrase] >= _COHESION * min(total[word] for word in words)
