"""What documents have in common: the phrases that several of them share and that tell what they are about."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from statebook.protocol.passages import Passage

from .sentences import sentences
from .words import ASKING, STOP, stem

_WORD = re.compile(r"[^\W\d_][^\W\d_'’-]*")
_SHORTEST, _LONGEST = 4, 24
_COHESION = 0.12
"""Share of its rarer word's occurrences that a phrase must have, to be one and not two words that met."""
_EVERYWHERE = 0.6
"""Share of the documents above which a phrase tells nothing about them."""
_PER_DOCUMENT = 3
_FEW, _MANY = 3, 50
_NO_TOPIC_LISTED = (
    "able always available become becomes better called based because best certain change changed changes code "
    "commonly come comes contain contains currently default different directly easily easy enough entire example "
    "examples extra fast files finally find following found full fully general give given goes good great help "
    "high important include included includes including instead issue issues know large last latest left less "
    "little long longer look main make makes making makefile many minimal most multiple must need needed needs "
    "never next nobody note november number often optional order part particular parts people please possible project "
    "projects provide provided provides python quite readme really recent required requires same section several "
    "short similar simple simply single small some specific standard start still support supported supports take "
    "taken takes thank thanks string strings object objects value values function functions class classes method "
    "methods list lists type types module modules name names extensible extension extensions there thing things "
    "time times under unlike used useful user users uses using usually various version versions want well whole "
    "without work working write written wrote year years package packages library install installed installing "
    "installation documentation license licence copyright file first second third half three four five copy "
    "copies allow allows measurement described describes says said supporters reports report reported october "
    "september august july june april march january february december"
)
_NO_TOPIC = frozenset(_NO_TOPIC_LISTED.split())
"""Words that stand in every document without being its subject."""


def themes(documents: Iterable[Sequence[Passage]], most: int = 6) -> tuple[str, ...]:
    """Phrases of two words that several documents share and not all; single words where there are too few.

    A document of which only the title is known counts with a passage without text. Names keep their capitals.
    """
    counted = [_counted(passages) for passages in documents]
    spelt: dict[str, Counter[str]] = {}
    for bag, _ in counted:
        for phrase, count in bag.items():
            spelt.setdefault(phrase.lower(), Counter())[phrase] += count
    bags = [_lower(bag) for bag, _ in counted]
    headed = Counter(phrase.lower() for _, above in counted for phrase in above)
    picked: list[str] = []
    taken: set[str] = set()
    for length in (2, 1):
        for phrase in _ranked(bags, length, headed):
            stems = {stem(word) for word in phrase.split()}
            if len(picked) < most and not stems & taken:
                picked.append(_spelling(spelt[phrase]))
                taken |= stems
    return tuple(picked)


def _lower(bag: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for phrase, count in bag.items():
        found[phrase.lower()] += count
    return found


def _spelling(forms: Counter[str]) -> str:
    """In lower case wherever that is used at all often: the capital of a first word is none of its own."""
    low = next(iter(forms)).lower()
    return low if forms[low] * 5 >= forms.total() else max(forms, key=lambda form: (forms[form], form))


def _counted(passages: Sequence[Passage]) -> tuple[Counter[str], set[str]]:
    """How often each word and pair of neighbours stands in a document, and those of its title and headings."""
    found: Counter[str] = Counter()
    above = {title for passage in passages for title in _phrases(passage.title)}
    found.update(above)
    for passage in passages:
        for sentence in sentences(passage.text):
            if not sentence.boilerplate:
                found.update(_phrases(sentence.text))
            above.update(_phrases(sentence.heading))
    return found, above


def _phrases(text: str) -> list[str]:
    plain = re.sub(r"`[^`]*`", " | ", text)
    matches = list(_WORD.finditer(plain))
    found = []
    for at, match in enumerate(matches):
        if not _telling(match[0]):
            continue
        found.append(match[0])
        after = matches[at + 1] if at + 1 < len(matches) else None
        if after is not None and _telling(after[0]) and plain[match.end() : after.start()] == " ":
            found.append(f"{match[0]} {after[0]}")
    return found


def _telling(word: str) -> bool:
    low = word.lower()
    return (
        _SHORTEST <= len(low) <= _LONGEST
        and low not in STOP
        and low not in ASKING
        and low not in _NO_TOPIC
        and not low.endswith(("ly", "ing"))
    )


def _ranked(bags: Sequence[Counter[str]], length: int, headed: Counter[str]) -> list[str]:
    """Phrases of that many words: in several documents, often, and not everywhere first."""
    spread = Counter(phrase for bag in bags for phrase in bag)
    total: Counter[str] = Counter()
    for bag in bags:
        total.update({phrase: min(count, _PER_DOCUMENT) for phrase, count in bag.items()})
    most = max(2, int(len(bags) * _EVERYWHERE)) if len(bags) > _FEW else len(bags)
    least = 1 + (len(bags) > _FEW) + (len(bags) > _MANY)

    def worth(phrase: str) -> float:
        return total[phrase] * (1 + headed[phrase]) * math.log(1 + len(bags) / spread[phrase])

    kept = [
        phrase
        for phrase, count in spread.items()
        if len(phrase.split()) == length
        and least <= count <= most
        and (headed[phrase] if length == 1 else _one(phrase, total))
    ]
    return sorted(kept, key=lambda phrase: (-worth(phrase), phrase))


def _one(phrase: str, total: Counter[str]) -> bool:
    """Whether two words belong together: they meet in a good share of the rarer word's occurrences."""
    return total[phrase] >= _COHESION * min(total[word] for word in phrase.split()) and total[phrase] > 1
