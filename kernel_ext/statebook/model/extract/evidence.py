"""Ranks the sentences of passages for a question, tells how well they cover it, and chooses a varied few.

The score is BM25 (Robertson and Zaragoza 2009) over sentences, with headings, titles and neighbours as weaker fields;
how much a term tells (idf) is learnt from the passages at hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from statebook.protocol.passages import Passage

from .kindred import kin
from .sentences import Sentence, sentences
from .words import STOP, stem, subject, term_set, terms, words

ENOUGH = 0.52
"""The coverage from which a sentence counts as an answer; below it we abstain (held by tests/model)."""

_BROADLY, _NEARLY = 0.6, 0.35
_BACKGROUND = 10  # passages assumed to exist that match nothing: those at hand were chosen because they match
_MOST_TELLING = 2.0
_HEADING, _TITLE, _NEIGHBOUR = 0.7, 0.6, 0.2
_KIN, _KIN_ABOVE = 0.65, 0.35
_BESIDE = 0.4
_SAME = 0.6
_CONTAINED = 0.9
_TWO_SENTENCES = 320
_PLACE = re.compile(r"\b(?:lines?|p\.|pages?|cells?|rows?|part)\s*[\d,-]+", re.IGNORECASE)
_K1, _B = 1.2, 0.5
_NOT = re.compile(r"\b(?:not|never|no|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_LEANS = re.compile(
    r"^(?:it|its|this|that|these|those|they|their|he|she|such|both|then|thus|therefore|hence|however|but|and|or|so"
    r"|also|instead|otherwise|moreover|furthermore|additionally|for example|for instance|in contrast"
    r"|the (?:former|latter))\b",
    re.IGNORECASE,
)
_ORDERS = re.compile(
    r"^(?:please|see|note|click|run|use|install|check|ignore|visit|refer|make sure|you)\b|!$", re.IGNORECASE
)
_HOW_MUCH = re.compile(
    r"\bhow (?:many|much|often|long|large|big|fast|far|old)\b|\bwhat (?:percentage|share|number|size|rate)\b"
    r"|\bby (?:what|which) factor\b",
    re.IGNORECASE,
)
_WHEN = re.compile(r"^when\b|\bwhat (?:year|date|day|month)\b|\bsince when\b", re.IGNORECASE)
_WHY = re.compile(r"^why\b|\bwhat (?:causes|is the reason)\b", re.IGNORECASE)
_REASON = re.compile(r"\b(?:because|since|so that|due to|reason|in order to|cause[sd]?)\b", re.IGNORECASE)
_WANTS = (
    (_HOW_MUCH, re.compile(r"\d|\b(?:two|three|four|five|six|ten)\b")),
    (_WHEN, re.compile(r"\b\d{4}\b|\b\d{1,2}\b")),
    (_WHY, _REASON),
    (re.compile(r"^who\b", re.IGNORECASE), re.compile(r"(?<=\s)[A-Z]\w+")),
)
_DEFINES = re.compile(
    r"^what(?:'s| is| are| does| do)\s+(?:an?\s+|the\s+)?([\w .`-]+?)(?:\s+(?:do|provide|offer))?\??$", re.IGNORECASE
)
_NAMES = re.compile(r"(?<=[\s(])(?:[A-Z][\w-]*[\w]|[\w]*[a-z][A-Z]\w*|`[^`]+`)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that could be quoted, the passage it stands in, and its terms; ``near`` are its neighbours' terms."""

    passage: Passage
    sentence: Sentence
    text: str
    terms: frozenset[str]
    heading: frozenset[str]
    title: frozenset[str]
    near: frozenset[str]
    length: int

    @property
    def cited(self) -> str:
        """The sentence with its citation mark."""
        return f"{self.text} [{self.passage.mark}]"


@dataclass(frozen=True, slots=True)
class Hit:
    """A candidate for one question: ``score`` orders, ``coverage`` (0 to 1) says how much of the question it meets."""

    candidate: Candidate
    score: float
    coverage: float


class Evidence:
    """The passages at hand, ready to be asked."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self.passages = _merge(passages)
        self.candidates = _candidates(self.passages)
        seen = [term_set(f"{passage.title}\n{passage.text}") for passage in self.passages]
        self._frequency = Counter(term for one in seen for term in one)
        self._mean = sum(each.length for each in self.candidates) / max(1, len(self.candidates))

    def weight(self, term: str) -> float:
        """How much a term tells: small where every passage has it, at most 2."""
        count = self._frequency.get(term, 0)
        total = len(self.passages) + _BACKGROUND
        return min(_MOST_TELLING, math.log(1 + (total - count + 0.5) / (count + 0.5)))

    def rank(self, question: str, extra: str = "", *, widely: bool = False) -> list[Hit]:
        """All candidates that share a term with the question, best first. ``extra`` adds terms of its topic.

        ``widely`` also takes words of the same aspect (megabytes for *size*), and weighs the topic less.
        """
        wanted = self._wanted(question, extra, _BESIDE if widely else 1.0)
        if not wanted:
            return []
        strangers = self._strangers(question)
        hits = [hit for each in self.candidates if (hit := self._hit(each, wanted, question, strangers, widely))]
        return sorted(hits, key=lambda hit: (-hit.score, hit.candidate.passage.document, hit.candidate.passage.ordinal))

    def meets(self, question: str, extra: str = "") -> bool:
        """Whether the sentences that touch a broad question together speak of most of it, though none of all of it."""
        wanted = self._wanted(question, extra, _BESIDE)
        total = sum(wanted.values())
        touched: set[str] = set()
        nearest = 0.0
        for each in self.candidates:
            shared = {term for term in wanted if term in each.terms or kin(term) & each.terms}
            share = sum(wanted[term] for term in shared)
            touched |= shared
            nearest = max(nearest, share if len(shared) > 1 else 0.0)
        together = sum(wanted[term] for term in touched) * 0.6 ** self._strangers(question)
        return nearest >= _NEARLY * total > 0 and together >= _BROADLY * total

    def _wanted(self, question: str, extra: str, beside: float) -> dict[str, float]:
        """What each term is worth for a question; those of its topic count ``beside`` as much."""
        topic = {stem(word): beside * self.weight(stem(word)) for word in subject(extra)}
        return topic | {stem(word): self.weight(stem(word)) for word in subject(question)}

    def _hit(
        self, each: Candidate, wanted: dict[str, float], question: str, strangers: int, widely: bool
    ) -> Hit | None:
        norm = 1 - _B + _B * each.length / self._mean
        score = covered = 0.0
        for term, weight in wanted.items():
            strength = _strength(term, each)
            if widely and strength < _KIN:
                strength = max(strength, _kin_strength(term, each))
            score += weight * strength * (_K1 + 1) / (strength + _K1 * norm) if strength else 0.0
            covered += weight * strength
        if not covered or not (widely or (each.terms | each.heading | each.title) & wanted.keys()):
            return None
        coverage = covered / sum(wanted.values()) * 0.6**strangers
        return Hit(each, score * (0.4 + 0.6 * coverage) * _manner(each, question), coverage)

    def _strangers(self, question: str) -> int:
        """How many names in the question no passage mentions: what is asked about is then not there."""
        names = (term for name in _NAMES.findall(question) for term in terms(name))
        return sum(1 for term in dict.fromkeys(names) if not self._frequency.get(term) and term not in STOP)


def choose(
    hits: Sequence[Hit], count: int, *, per_document: int = 2, floor: float = ENOUGH, near: float = 0.45
) -> list[Hit]:
    """The best few: covering enough (``floor``), no score below ``near`` times the best, no two alike."""
    chosen: list[Hit] = []
    if not hits:
        return chosen
    best = hits[0].score
    used: Counter[int] = Counter()
    for hit in hits:
        if len(chosen) == count or hit.score < near * best:
            break
        document = hit.candidate.passage.document
        if hit.coverage < floor or used[document] >= per_document:
            continue
        if any(alike(hit.candidate, other.candidate) for other in chosen):
            continue
        chosen.append(hit)
        used[document] += 1
    return chosen


def alike(left: Candidate, right: Candidate) -> bool:
    """Whether two sentences say nearly the same in nearly the same words."""
    numbers = [{term for term in each.terms if term[0].isdigit()} for each in (left, right)]
    if all(numbers) and not numbers[0] & numbers[1]:
        return False  # the same words around other numbers are a disagreement, no repetition
    if bool(_NOT.search(left.text)) != bool(_NOT.search(right.text)):
        return False
    shared = len(left.terms & right.terms)
    if shared >= _CONTAINED * min(len(left.terms), len(right.terms)):
        return True
    return shared >= _SAME * min(len(left.terms), len(right.terms)) and shared >= _SAME * 0.8 * max(
        len(left.terms), len(right.terms)
    )


def alike_texts(left: str, right: str) -> bool:
    """Whether one text holds nearly all terms of the other, a longer fact."""
    mine, theirs = term_set(left), term_set(right)
    return bool(mine) and len(mine & theirs) >= _CONTAINED * len(mine)


def _strength(term: str, each: Candidate) -> float:
    if term in each.terms:
        return 1.0
    if term in each.heading:
        return _HEADING
    if term in each.title:
        return _TITLE
    return _NEIGHBOUR if term in each.near else 0.0


def _kin_strength(term: str, each: Candidate) -> float:
    """How far other words of a term's aspect stand in the sentence or above it."""
    others = kin(term)
    if others & each.terms:
        return _KIN
    return _KIN_ABOVE if others & (each.heading | each.title) else 0.0


def _manner(each: Candidate, question: str) -> float:
    """How well a sentence's form suits the question: numbers for *how many*, reasons for *why*."""
    factor = 1.0
    if each.sentence.boilerplate and not _asked_for(each, question):
        factor *= 0.4
    if _LEANS.match(each.text):
        factor *= 0.6
    if _ORDERS.search(each.text):
        factor *= 0.75
    if each.text.endswith("?"):
        factor *= 0.3
    for asked, given in _WANTS:
        if asked.search(question):
            factor *= 1.35 if given.search(each.text) else 0.8
    if _defines(each.text, question):
        factor *= 1.5
    return factor * (1.05 if each.sentence.place == 0 else 1.0)


def _asked_for(each: Candidate, question: str) -> bool:
    """Whether what is boilerplate elsewhere (a licence, how to install) is what the question is about."""
    wanted = {stem(word) for word in subject(question)}
    page = term_set(each.sentence.boilerplate)
    return bool(page & (wanted | {other for term in wanted for other in kin(term)}))


def _defines(text: str, question: str) -> bool:
    """Whether the question asks what something is and the text says "it is ..."."""
    asked = _DEFINES.match(question.strip())
    if not asked:
        return False
    name = re.escape(asked[1].strip())
    return bool(
        re.match(
            rf"(?:an?|the)?\s*`?{name}`?\b.{{0,40}}?\b(?:is|are|means|provides|offers|lets|allows)\b",
            text,
            re.IGNORECASE,
        )
    )


def _merge(passages: Iterable[Passage]) -> list[Passage]:
    """Each passage once, with the longest text that was shown of it, in document order."""
    best: dict[tuple[int, int, str], Passage] = {}
    for passage in passages:
        key = (passage.document, passage.ordinal, passage.path if not passage.document else "")
        if key not in best or len(passage.text) > len(best[key].text):
            best[key] = passage
    return sorted(best.values(), key=lambda each: (each.document, each.ordinal))


def _candidates(passages: Sequence[Passage]) -> list[Candidate]:
    found: list[Candidate] = []
    seen: set[tuple[str, ...]] = set()
    for passage in passages:
        split = sentences(passage.text, opens=passage.ordinal <= 1)
        for place in range(len(split)):
            text = _with_antecedent(split, place)
            key = tuple(words(text))
            if len(terms(text)) >= 2 and key not in seen:  # noqa: PLR2004 (one content word says nothing)
                seen.add(key)
                found.append(_candidate(passage, split, place, text))
    return found


def _candidate(passage: Passage, split: Sequence[Sentence], place: int, text: str) -> Candidate:
    near = "\n".join(each.text for each in split[max(0, place - 1) : place + 2])
    sentence = split[place]
    heading = term_set(f"{sentence.heading} {_PLACE.sub(' ', passage.place)}")
    title = f"{passage.title} {_file_words(passage.path)}"
    return Candidate(
        passage, sentence, text, term_set(text), heading, term_set(title), term_set(near),
        len(terms(text)),
    )  # fmt: skip


def _file_words(path: str) -> str:
    """``docs/beautiful-soup_4.md`` -> ``beautiful soup 4``: often a better title than the first heading."""
    return re.sub(r"[^\w]+|_+", " ", PurePosixPath(path).stem)


def _with_antecedent(split: Sequence[Sentence], place: int) -> str:
    """A sentence that leans on the one before ("It ...") is quoted together with it, where both stand side by side."""
    sentence = split[place]
    if not _LEANS.match(sentence.text) or place == 0:
        return sentence.text
    before = split[place - 1]
    beside = (before.block, before.place) == (sentence.block, sentence.place - 1) or (
        before.block == sentence.block - 1 and sentence.place == 0
    )
    if not beside or _LEANS.match(before.text) or len(before.text) + len(sentence.text) > _TWO_SENTENCES:
        return sentence.text
    return f"{before.text} {sentence.text}"
