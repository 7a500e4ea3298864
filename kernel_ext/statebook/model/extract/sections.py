"""Shares out the sentences of the evidence among the topics of a report: each where it tells most, none twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from .evidence import ENOUGH, Candidate, Evidence, Hit, alike
from .kindred import kin
from .standing import introduces, standing
from .words import stem, subject

_FLOORS = {1: ENOUGH, 2: 0.48, 3: 0.42}
_FLOOR_BROAD = 0.33
_REPEATED = 0.72  # what one more sentence of the same document is worth
_WEAK, _WEAKER = 0.42, 0.27  # of the best score: where a section ends, and where its second document may come from
_STANDS = 0.3
_PER_DOCUMENT = 3
_VOICES = 4
_NARROW = 3
_KIN_EACH = 0.12
_OPENING = 2
_SPOKEN = 4
_THIN = re.compile(
    r"\b(?:support(?:ed|s)?|usage|handling|features?|capabilities|aspects?|issues?|topics?|effects?|impacts?|use|role|goes"
    r"|long-term)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a section is about; ``beside`` holds the words of the topic above it, ``apart`` stems it can't do without.

    ``opening`` prefers what says what something is, at the beginning of its document.
    """

    text: str
    beside: str = ""
    apart: frozenset[str] = frozenset()
    opening: bool = False


def sections(evidence: Evidence, topics: Sequence[Topic], most: int = 5) -> list[list[Hit]]:
    """For each topic its sentences, the most telling first; an empty list where the evidence does not meet it."""
    ranked = [told(evidence, topic) for topic in _told_apart(topics)]
    owners = _owners(ranked)
    used: list[Candidate] = []
    chosen: list[list[Hit]] = []
    for place, hits in enumerate(ranked):
        own = [hit for hit in hits if owners[hit.candidate.text] == place]
        picked = _varied(own, most, used)
        if len(picked) < 2 or len({hit.candidate.passage.document for hit in picked}) < 2:  # noqa: PLR2004 (two voices)
            later = [hit for hit in hits if owners[hit.candidate.text] != place]
            picked = _varied([*own, *later], most, used) if hits else []
        used += [hit.candidate for hit in picked]
        chosen.append(picked)
    return chosen


def told(evidence: Evidence, topic: Topic, floor: float = 0.0) -> list[Hit]:
    """The sentences that meet a topic (with at least ``floor`` of its terms) and can stand alone, best first."""
    text = _without_thin(topic.text)
    own = {stem(word) for word in subject(text)}
    known = own | {other for term in own for other in kin(term)} | {stem(word) for word in subject(topic.beside)}
    beside_a_name = floor > 0
    floor = floor or _floor(evidence, topic, len(own))
    aspects = {term for term in own if kin(term)} if len(own) <= _NARROW else set()
    found = []
    for hit in evidence.rank(text, topic.beside, widely=True):
        each = hit.candidate
        if (
            hit.coverage < floor
            or not known & (each.terms | each.heading)
            or not (_meets(each, aspects) and _meets(each, topic.apart))
        ):
            continue
        stands = standing(each.text, frozenset(known | each.title | each.heading))
        carries = 1.0 if each.terms & known else 0.6
        if stands * carries >= _STANDS:
            told_by = len(each.terms & (known - own))
            worth = stands * carries * (1 + _KIN_EACH * min(3, told_by))
            if topic.opening:
                worth *= (1.6 if introduces(each.text) else 1.0) * (1.3 if each.passage.ordinal <= _OPENING else 1.0)
            found.append(replace(hit, score=hit.score * worth))
    literal = [hit for hit in found if own <= (hit.candidate.terms | hit.candidate.heading | hit.candidate.title)]
    voices = len({hit.candidate.passage.document for hit in literal})
    enough = not beside_a_name and (voices >= _VOICES or (topic.opening and voices > 1))
    chosen = literal if enough else found  # other words for the same are for where its own words are rare
    return sorted(chosen, key=lambda hit: (-hit.score, hit.candidate.passage.document, hit.candidate.passage.ordinal))


def telling(evidence: Evidence, document: int, most: int) -> list[Hit]:
    """A document's own most telling sentences, where nothing is asked: on its title and what it speaks of often."""
    own = [each for each in evidence.candidates if each.passage.document == document and not each.sentence.boilerplate]
    count = Counter(term for each in own for term in each.terms)
    often = frozenset(term for term, times in count.items() if times > 1)
    found = []
    for each in own:
        known = each.title | each.heading | often
        worth = standing(each.text, known) * (1 + _KIN_EACH * min(_SPOKEN, len(each.terms & known)))
        early = 1.3 if each.passage.ordinal <= _OPENING else 1.0
        found.append(Hit(each, worth * early * (1.2 if introduces(each.text) else 1.0), 1.0))
    found = [hit for hit in found if hit.score >= _STANDS]
    return _varied(sorted(found, key=lambda hit: -hit.score), most, [], per_document=most)


def _without_thin(text: str) -> str:
    """``async support`` -> ``async``: words that add nothing beside others."""
    rest = _THIN.sub(" ", text)
    return rest if subject(rest) else text


def _told_apart(topics: Sequence[Topic]) -> list[Topic]:
    """Topics with a common name (*how agents work*, *how agents fail*), each with what tells it from the others."""
    bags = [frozenset(stem(word) for word in subject(topic.text)) for topic in topics]
    apart = []
    for place, (topic, bag) in enumerate(zip(topics, bags, strict=True)):
        named = [bag & other for at, other in enumerate(bags) if at != place and 1 < len(bag & other) < len(bag)]
        apart.append(replace(topic, apart=bag.difference(*named) if named else frozenset()))
    return apart


def _meets(each: Candidate, aspects: Collection[str]) -> bool:
    """Whether a sentence or its heading speaks of an aspect that was asked for; a title speaks for many sentences."""
    return not aspects or any(term in (each.terms | each.heading) or kin(term) & each.terms for term in aspects)


def _floor(evidence: Evidence, topic: Topic, terms: int) -> float:
    """The coverage a sentence must have: less for a broad topic, which no one sentence holds."""
    if terms in _FLOORS and terms < 3:  # noqa: PLR2004 (one or two words are no broad topic)
        return _FLOORS[terms]
    return _FLOORS.get(terms, _FLOOR_BROAD) if evidence.meets(topic.text, topic.beside) else ENOUGH


def _owners(ranked: Sequence[Sequence[Hit]]) -> dict[str, int]:
    """The topic for which each sentence is worth most, as a share of that topic's best."""
    owners: dict[str, tuple[float, int]] = {}
    for place, hits in enumerate(ranked):
        for hit in hits:
            worth = hit.score / hits[0].score * (0.3 + hit.coverage)
            if worth > owners.get(hit.candidate.text, (0.0, 0))[0]:
                owners[hit.candidate.text] = (worth, place)
    return {text: place for text, (_, place) in owners.items()}


def _varied(
    hits: Sequence[Hit], most: int, used: Sequence[Candidate], *, per_document: int = _PER_DOCUMENT
) -> list[Hit]:
    """The best few, other documents preferred, no two alike and none that is used already."""
    left = [hit for hit in hits if not any(alike(hit.candidate, other) for other in used)]
    chosen: list[Hit] = []
    count: Counter[int] = Counter()
    while left and len(chosen) < most:
        best = max(left, key=lambda hit: hit.score * _REPEATED ** count[hit.candidate.passage.document])
        second = len(count) == 1 and best.candidate.passage.document not in count
        floor = _WEAKER if second or (len(chosen) < 2) else _WEAK  # noqa: PLR2004 (a section has two sentences)
        if chosen and best.score < floor * chosen[0].score:
            break
        chosen.append(best)
        count[best.candidate.passage.document] += 1
        left = [
            hit
            for hit in left
            if hit is not best
            and not alike(hit.candidate, best.candidate)
            and count[hit.candidate.passage.document] < per_document
        ]
    return chosen
