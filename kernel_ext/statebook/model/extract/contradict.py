"""Pairs of sentences that can't both be right: other numbers for the same thing, or a yes against a no."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .evidence import Candidate
from .standing import LEANS
from .words import STOP, WORD, stem, words

_NUMBER = re.compile(
    r"(?<![\w.§-])(\d+(?:[.,]\d+)*)\s?"
    r"(%|percent|per cent|x\b|times\b|[kmgt]b\b|(?:milli|micro)?seconds?\b|ms\b|minutes?\b|hours?\b|days?\b"
    r"|weeks?\b|months?\b|years?\b|tokens?\b|lines?\b|rows?\b|bytes?\b|users?\b|files?\b|steps?\b)?",
    re.IGNORECASE,
)
_NEGATIVE_WORDS = "not no never none nothing cannot neither nor without hardly fails unable lacks"
_NEGATIVE = frozenset(_NEGATIVE_WORDS.split())
_OPPOSITE_WORDS = (
    "increase/decrease increases/reduces always/never safe/unsafe fast/slow faster/slower more/fewer "
    "cheap/expensive possible/impossible reliable/unreliable durable/volatile keep/delete keeps/deletes "
    "keeps/loses keeps/drops allow/forbid improves/hurts helps/hurts required/optional sync/async "
    "enabled/disabled before/after rises/falls better/worse survives/loses stateless/stateful "
    "mutable/immutable higher/lower gain/lose win/lose profit/loss agree/disagree "
)
_OPPOSITES = tuple((stem(left), stem(right)) for left, right in (pair.split("/") for pair in _OPPOSITE_WORDS.split()))
_UNIT_WORDS = "percent kb mb gb tb second seconds ms minute minutes hour hours day days week year years"
_UNITS = frozenset(stem(unit) for unit in _UNIT_WORDS.split())
_MOST = 400
_SHARED_FOR_NUMBERS, _SHARED_FOR_NEGATION = 0.5, 0.62
_FEWEST_SHARED = 3
_NAMED = re.compile(r"(?<=[\w,;)] )[A-Z][\w]*")
_CONDITION = re.compile(r"^(?:if|when|whenever|unless|in case|otherwise|by default|except|until)\b", re.IGNORECASE)
_YEARS = range(1900, 2100)


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two sentences that disagree; ``about`` are terms they share, ``weight`` is how alike they are otherwise."""

    left: Candidate
    right: Candidate
    kind: str
    weight: float

    @property
    def about(self) -> str:
        """What both speak of, in the words of the left one that both have."""
        shared = (self.left.terms & self.right.terms) - _NEGATIVE
        text, last = "", -1
        for match in WORD.finditer(self.left.text):
            if stem(match[0].lower()) in shared and not match[0][0].isdigit():
                gap = self.left.text[last : match.start()] if last >= 0 else ""
                text += f"{_bridge(gap)}{match[0]}"
                last = match.end()
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class _Claim:
    candidate: Candidate
    topic: frozenset[str]
    names: frozenset[str]
    numbers: frozenset[tuple[str, str]]
    negative: bool


def disputes(candidates: Sequence[Candidate], limit: int = 5) -> list[Dispute]:
    """The clearest disagreements among the candidates, at most ``limit``, each sentence in one of them only."""
    names = _names(candidates)
    whole = [each for each in candidates if not LEANS.match(each.text) and not _CONDITION.match(each.text)]
    claims = [_claim(each, names) for each in whole[:_MOST]]
    found = [
        dispute
        for place, left in enumerate(claims)
        for right in claims[place + 1 :]
        if len(left.topic & right.topic) >= _FEWEST_SHARED and (dispute := _compare(left, right))
    ]
    chosen: list[Dispute] = []
    used: set[str] = set()
    for dispute in sorted(found, key=lambda each: -each.weight):
        if dispute.left.text not in used and dispute.right.text not in used and len(chosen) < limit:
            chosen.append(dispute)
            used |= {dispute.left.text, dispute.right.text}
    return chosen


def _bridge(gap: str) -> str:
    """What stands between two shared words: small words stay, a no goes, anything else becomes dots."""
    between = words(gap)
    if any(word not in STOP and word not in _NEGATIVE for word in between):
        return " … "
    if any(word in _NEGATIVE for word in between):
        return ": " if {"is", "are", "was", "were"} & set(between) else " "
    return gap


def _names(candidates: Sequence[Candidate]) -> frozenset[str]:
    """Terms that are written with a capital wherever they stand: what sentences are about, where they have a name."""
    upper: set[str] = set()
    lower: set[str] = set()
    for each in candidates:
        for word in WORD.findall(each.text):
            (upper if word[0].isupper() else lower).add(stem(word.lower()))
    return frozenset(upper - lower)


def _claim(candidate: Candidate, names: frozenset[str]) -> _Claim:
    found = words(candidate.text)
    negative = any(word in _NEGATIVE or word.replace("’", "'").endswith("n't") for word in found)
    topic = frozenset(
        term for term in candidate.terms if not term[0].isdigit() and term not in _NEGATIVE and term not in _UNITS
    )
    inside = frozenset(stem(name.lower()) for name in _NAMED.findall(candidate.text))
    return _Claim(candidate, topic, topic & (names | inside), _numbers(candidate.text), negative)


def _numbers(text: str) -> frozenset[tuple[str, str]]:
    """(value, unit) of each quantity; the bare word after a number without a unit stands in for one."""
    found: set[tuple[str, str]] = set()
    for match in _NUMBER.finditer(text):
        value, unit = match[1].replace(",", ""), (match[2] or "").lower().rstrip("s")
        if not unit and value.isdigit() and int(value) in _YEARS:
            unit = "year of"
        elif not unit:
            after = words(text[match.end() : match.end() + 40])
            unit = stem(after[0]) if after else ""
        found.add((value.rstrip("."), {"percent": "%", "per cent": "%", "x": "time"}.get(unit, unit)))
    return frozenset(found)


def _compare(left: _Claim, right: _Claim) -> Dispute | None:
    other_thing = left.names and right.names and not left.names & right.names
    if left.candidate.passage == right.candidate.passage or other_thing:
        return None
    shared = left.topic & right.topic
    overlap = len(shared) / max(1, min(len(left.topic), len(right.topic)))
    balance = min(len(left.topic), len(right.topic)) / max(len(left.topic), len(right.topic))
    weight = overlap * (0.5 + 0.5 * balance)
    elsewhere = left.candidate.passage.document != right.candidate.passage.document
    if elsewhere and overlap >= _SHARED_FOR_NUMBERS and _other_numbers(left, right):
        return Dispute(left.candidate, right.candidate, "number", weight + 0.2)
    differ = left.negative != right.negative or _opposed(left.topic, right.topic)
    if overlap >= _SHARED_FOR_NEGATION and weight >= 0.5 and differ:  # noqa: PLR2004 (a long sentence holds many words)
        return Dispute(left.candidate, right.candidate, "negation", weight)
    return None


def _other_numbers(left: _Claim, right: _Claim) -> bool:
    """Whether both give quantities of one unit and share none of that unit."""
    for unit in {unit for _, unit in left.numbers} & {unit for _, unit in right.numbers}:
        here = {value for value, of in left.numbers if of == unit}
        there = {value for value, of in right.numbers if of == unit}
        if unit and not here & there:
            return True
    return False


def _opposed(left: frozenset[str], right: frozenset[str]) -> bool:
    return any(
        (one in left and other in right and other not in left and one not in right)
        or (other in left and one in right and one not in left and other not in right)
        for one, other in _OPPOSITES
    )
