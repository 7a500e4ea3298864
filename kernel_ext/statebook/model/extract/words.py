"""Words of a text as comparable terms: lower case, light English stems, no stop words."""

from __future__ import annotations

import re
from functools import lru_cache

WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['’][a-z]+)?")
_SHORTEST_STEM = 3
_LONGER_STEM = 4

_STOP_WORDS = (
    "a about above after again all also am an and any are as at be because been before being below between both "
    "but by can could did do does doing down during each either else etc even ever every few for from further get "
    "gets got had has have having he her here hers him his how however i if in into is it its itself just let "
    "like many may me might more most much must my neither no nor not now of off on once one only onto or other "
    "others our ours out over own per rather same shall she should since so some still such than that the their "
    "theirs them then there these they this those though through thus to too under until up upon us very via was "
    "we were what when where whether which while who whom whose why will with within without would yes yet you "
    "your yours "
)
STOP = frozenset(_STOP_WORDS.split())
"""Words that carry no subject."""

_ASKING_WORDS = (
    "according actually answer answers anything article articles brief briefly briefs cite cited citation "
    "citations compare comparison conclude corpus describe described detail detailed details document documents "
    "doing exactly explain far find finding findings give given gives going handle handles happen happens hello "
    "help hi kind know known list learn learned look mention mentioned mentions overview paper papers passage "
    "passages please question questions quickly report reported reports research review say said saying says "
    "sentence sentences short show shows something source sources summarise summarize summary survey synthesis "
    "synthesise synthesize tell text texts thing things think topic want way ways work works "
)
ASKING = frozenset(_ASKING_WORDS.split())
"""Words of asking, which say nothing about what is asked for."""

_IRREGULAR = {
    "used": "use", "uses": "use", "using": "use", "kept": "keep", "wrote": "write", "written": "write", "ran": "run",
    "running": "run", "lost": "lose", "loss": "lose", "losses": "lose", "held": "hold", "sent": "send",
    "built": "build", "broke": "break", "broken": "break", "paid": "pay", "died": "die", "dies": "die", "dead": "die",
    "death": "die", "chose": "choose", "chosen": "choose", "began": "begin", "begun": "begin", "took": "take",
    "taken": "take", "gave": "give", "went": "go", "grew": "grow", "grown": "grow", "growth": "grow", "cost": "cost",
    "costs": "cost", "people": "person", "indices": "index", "data": "data", "bigger": "big", "larger": "large",
    "faster": "fast", "slower": "slow", "cheaper": "cheap", "less": "less", "process": "process", "price": "cost",
    "prices": "cost", "priced": "cost", "pricing": "cost",
}  # fmt: skip
_STRONG = (
    "izations", "isations", "ization", "isation", "ations", "ation", "itions", "ition", "ments",
    "ment", "ness", "ities", "ity", "ables", "able", "ibles", "ible", "ences",
    "ence", "ances", "ance", "ions", "ion", "ors", "or", "ers", "er",
    "als", "al", "ives", "ive", "ful", "less", "ously", "ous", "ally",
    "ly", "ages", "age",
)  # fmt: skip
_WEAK = ("ingly", "edly", "ings", "ing", "ied", "ed", "ies", "es", "s")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case, in order."""
    return [word.lower() for word in WORD.findall(text)]


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """One word's stem: ``memories`` and ``memory`` -> ``memor``. Not a dictionary form, only comparable."""
    word = _IRREGULAR.get(word.replace("’", "'").removesuffix("'s"), word.replace("’", "'").removesuffix("'s"))
    if len(word) <= _SHORTEST_STEM or not word.isalpha():
        return word
    for suffix in _WEAK:
        if (
            word.endswith(suffix)
            and len(word) - len(suffix) >= _SHORTEST_STEM
            and not word.endswith(("ss", "us", "is"))
        ):
            word = word.removesuffix(suffix)
            word = word[:-1] if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "ls" else word
            break
    for suffix in _STRONG:
        if word.endswith(suffix) and len(word) - len(suffix) >= _LONGER_STEM:
            word = word.removesuffix(suffix)
            break
    if len(word) > _SHORTEST_STEM and word[-1] in "eyi":
        word = word[:-1]
    return word


@lru_cache(maxsize=4096)
def terms(text: str) -> tuple[str, ...]:
    """The stems of a text's content words, in order, with repeats."""
    return tuple(stem(word) for word in words(text) if word not in STOP and (len(word) > 1 or word.isdigit()))


@lru_cache(maxsize=4096)
def term_set(text: str) -> frozenset[str]:
    """The distinct terms of a text."""
    return frozenset(terms(text))


def subject(text: str) -> tuple[str, ...]:
    """The content words of a question as written, each once, without the words of asking."""
    found = [word for word in words(text) if word not in STOP and word not in ASKING and len(word) > 1]
    return tuple(dict.fromkeys(found))
