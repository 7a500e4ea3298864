"""How well a sentence stands alone: whether it carries its subject and a fact, or leans on the text around it."""

from __future__ import annotations

import re

from .words import STOP, stem, term_set, words

LEANS = re.compile(
    r"^[\"'“‘(]*(?:it|its|it's|this|that|these|those|they|their|he|she|his|her|we|our|i|my|such|both|then|thus|therefore"
    r"|hence|however|but|and|or|so|also|instead|otherwise|moreover|furthermore|additionally|similarly|likewise"
    r"|nevertheless|still|yet|finally|meanwhile|conversely|in addition|for example|for instance|for this|in contrast"
    r"|as a result|on the other hand|in this|in these|in that|to do (?:this|so)|here|there (?:was|were)|without this"
    r"|for more|for further|as (?:above|below|such|described|mentioned)|either|neither"
    r"|the (?:former|latter|first|second|third|last|other|others|two|three|four|same|rest|whole|above|following|next"
    r"|previous|sum|sentence|reason|cause|answer|objection|result|idea|point|problem|argument|view|wish|wishes|rule|sentence"
    r"|known|difference|exact|file|paper|text|section|example|author|authors)"
    r"|one (?:of them|is|was)|another|others|some (?:of them)?|each of|none of|all of|most of|once|now|again"
    r"|first|second|secondly|third|next|when (?:it|this|they)|if (?:it|this|they|not|so|you)|because"
    r"|while (?:it|this))\b",
    re.IGNORECASE,
)
"""Openings that point at the sentence before."""

_ORDERS = re.compile(
    r"^(?:please|see|note|click|run|use|install|check|ignore|visit|refer|make sure|you|your|let's|let us|feel free|try"
    r"|add|set|call|create|open|read|get|give|consider|remember|be sure|don't|do not|just|simply|to get|to run|to use"
    r"|if you)\b|[!?]$",
    re.IGNORECASE,
)
_QUANTITY = re.compile(r"(?<![\w.])[$€£]?\d[\d.,]*\s?(?:%|[a-zA-Z]{1,12}\b)?")
_VERSION = re.compile(r"\bv?\d+\.\d+(?:\.\d+)+\b|#\d+|\b(?:19|20)\d\d\b")
_NAMED = re.compile(r"(?<=[\w,;:)] )(?:[A-Z][\w-]*\w|`[^`]+`|\w*[a-z][A-Z]\w*)")
_DEFINITE = re.compile(r"^the ([\w-]+)(?: ([\w-]+))?", re.IGNORECASE)
_ODD = re.compile(
    r"` `|^[\[(*~]|\betc\.$|[|<>{}\\^]|::|\.\.\.|->|=>|https?://|\w@\w|[^\x00-\u024f\u2010-\u2027\u20ac\u2192]{1}"
)
_INNER = re.compile(
    r"\b(?:then|therefore|thus|such|these|this|those|here|above|below|however|the same|also)\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|no|never|cannot|nothing)\b|n['’]t\b", re.IGNORECASE)
_INTRODUCES = re.compile(
    r"^\W?(?:(?:an?|the)\s)?[\w`.+-]+(?:\s[\w`.()+-]+){0,4}?,?\s(?:is|are|provides?|allows?|lets|makes|offers?|enables?"
    r"|implements?|means|describes?|measures?)\s|^an?\s\w+",
    re.IGNORECASE,
)
_SHORT, _SHORTEST, _LONG = 9, 7, 42
_OPENING = 10


def standing(text: str, known: frozenset[str]) -> float:
    """A factor for choosing (about 0.1 to 1.6). ``known`` are the terms that a reader of the section has in mind."""
    factor = _alone(text, known) * _form(text, known) * _facts(text)
    return factor if term_set(text) & known else 0.4 * factor


def _alone(text: str, known: frozenset[str]) -> float:
    """Less for what points at the text around it."""
    if LEANS.match(text):
        return 0.15
    if _points_at_the_unnamed(text, known):
        return 0.6
    return 0.7 if _INNER.search(" ".join(text.split()[:_OPENING])) else 1.0


def _form(text: str, known: frozenset[str]) -> float:
    """Less for orders, odd signs, what is not, and what is very short or long."""
    found = words(text)
    factor = 0.85 if _NOT.search(text) else 1.0  # what is comes before what is not
    if _ORDERS.search(text) and not (found and stem(found[0]) in known):
        factor *= 0.4
    if text[:1].islower() and text.startswith(found[0]):
        factor *= 0.7
    if _ODD.search(text):
        factor *= 0.5
    if len(found) < _SHORT:
        return factor * (0.45 if len(found) < _SHORTEST else 0.75)
    return factor * 0.75 if len(found) > _LONG else factor


def introduces(text: str) -> bool:
    """Whether a sentence says what something is or does: ``Grimp is a library that ...``."""
    return bool(_INTRODUCES.match(text))


def _facts(text: str) -> float:
    """More for quantities and names: what a reader takes away."""
    without = _VERSION.sub(" ", text)
    quantities = len(_QUANTITY.findall(without))
    names = len({name for name in _NAMED.findall(text) if name.lower() not in STOP})
    return 1.0 + (0.25 if quantities else 0.0) + (0.1 if quantities > 1 else 0.0) + min(0.2, 0.1 * names)


def _points_at_the_unnamed(text: str, known: frozenset[str]) -> bool:
    """``The loader ...`` where no loader was spoken of."""
    match = _DEFINITE.match(text)
    if not match:
        return False
    return not {stem(word.lower()) for word in match.groups() if word} & known and not re.match(
        r"the [A-Z]|the `", text, re.IGNORECASE if text[4:5].isupper() else 0
    )
