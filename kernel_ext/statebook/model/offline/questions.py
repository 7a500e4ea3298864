"""Turns a research prompt into a task: its questions, the form of the answer, and what to do with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from statebook.model.extract.words import subject

Style = Literal["short", "report", "compare"]

_REPORT = re.compile(
    r"\b(?:synthes[ie]s|synthesi[sz]e|report|review|survey|overview|brief(?:ing)?\b(?!s)|memo|essay"
    r"|write[- ]up|in depth|in detail|comprehensive|summari[sz]e|summary|literature"
    r"|state of the art|research (?:how|what|why|the))\b",
    re.IGNORECASE,
)
_COMPARE = re.compile(r"\b(?:compar(?:e|ison)|versus|vs\.?|contrast|differences? between)\b", re.IGNORECASE)
_KEEP = re.compile(
    r"(?:[,;]?\s*\b(?:and|then)\s+)*(?:please\s+)?\b(?:remember|keep|store|memori[sz]e|note|save)\s+(?:down\s+)?"
    r"(?:(?:the|your|all|any|my|its)\s+)*(?:(?:key|main|most important|important)\s+)?"
    r"(?:findings?|results?|conclusions?|facts|points"
    r"|what (?:you|we) (?:find|found|learn(?:ed)?)|them|it all)\b[^.?!\n]*[.!]?",
    re.IGNORECASE,
)
_SAVE = re.compile(
    r"(?:[,;]?\s*\b(?:and|then)\s+)*(?:please\s+)?\b(?:save|write|put|store|export)\b"
    r"(?:(?!\babout\b|\bon how\b)[^.?!\n])*?"
    r"\b(?:to|in|into|as)\s+(?:the file\s+|a file\s+(?:called|named)\s+)?"
    r"[`'\"]?([\w./-]+\.(?:md|txt|html|markdown))\b[`'\"]?",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-h][.)])\s+(.+)$")
_INLINE_ITEM = re.compile(r"(?:^|\s)\(?(?:\d{1,2}|[a-h])\)\s+")
_NEXT_QUESTION = re.compile(
    r"(?:,\s*|\s+)(?:and|or)\s+(?=(?:what|how|why|when|which|who|where|does|do|is|are|can|should)\b)", re.IGNORECASE
)
_LEAD = re.compile(
    r"^(?:(?:please|can you|could you|now|then|also|i want you to|i need)\s+)*"
    r"(?:synthesi[sz]e|summari[sz]e|review|explain|describe|write(?: up)?|give|prepare|draft|produce|create|make|tell"
    r"|survey|outline|research|investigate|find out|find|look (?:into|up|at)|analy[sz]e|discuss|report|cover|study"
    r"|read)\b"
    r"(?:\s+(?:me|us))?(?:\s+(?:on|about|into|of))?",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"^\s*(?:(?:a|an|the|all|short|brief|cited|detailed|one-page|two-page|concise|full|research|literature)\s+)*"
    r"(?:report|synthesis|summary|overview|survey|review|briefing|brief|comparison|memo|essay|note)?\s*"
    r"(?:with citations\s*)?(?:(?:that|which) (?:covers|explains|compares)|on|of|about|covering|regarding|for)?\s*"
    r"(?:(?:what|everything) (?:(?:the|my|our|these|those|all|all the) )?"
    r"(?:sources|documents|briefs|files|notes|papers) "
    r"(?:say|tell us|tell|report|know|have|contain)\s*(?:on|about|regarding)?)?"
    r"(?:(?:the|my|our|these|all) (?:sources|documents|briefs|files|notes|papers)\b\s*(?:on|about|regarding)?)?\s*",
    re.IGNORECASE,
)
_CRITERIA = re.compile(r"\s+(?:on|in terms of|with respect to|regarding|by|along|for)\s+|:\s*", re.IGNORECASE)
_LIST = re.compile(r"\s*(?:,\s*(?:and|or)\s+|,\s*|;\s*|\s+and\s+|\s+versus\s+|\s+vs\.?\s+)\s*", re.IGNORECASE)
_DOCUMENTS = re.compile(
    r"^(?:(?:the|these|all|my|our|what|two|three|different|various)\s+)*"
    r"(?:documents|sources|briefs|files|papers|notes|readmes|articles)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:it|its|they|them|their|this|that|these|those|he|she)\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w.-]*\w\b|`[^`]+`|\b[a-z]+[A-Z]\w*\b")
_MOST = 8
_SHORT_TOPIC, _SHORT_PHRASE = 5, 7


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to find out: as a heading shows it, and the terms of the topic it belongs to."""

    text: str
    topic: str = ""

    @property
    def query(self) -> str:
        """The words to search for."""
        own = subject(self.text)
        return " ".join(dict.fromkeys((*own, *subject(self.topic)))) or self.text


@dataclass(frozen=True, slots=True)
class Task:
    """A research prompt, understood.

    ``entities`` (empty: the documents themselves) and ``questions`` as criteria make the table of a comparison.
    ``keep`` asks to remember the findings, ``save`` names a file for the answer.
    """

    topic: str
    questions: tuple[Question, ...]
    style: Style
    keep: bool = False
    save: str = ""
    entities: tuple[str, ...] = ()

    @property
    def thorough(self) -> bool:
        """Whether many documents are to be read whole."""
        return self.style != "short"


def understand(prompt: str, before: str = "") -> Task:
    """The task in a prompt; ``before`` is the previous prompt, which "it" and "more" may point to."""
    keep = bool(_KEEP.search(prompt))
    saved = _SAVE.search(prompt)
    text = _tidy(_KEEP.sub(" ", _SAVE.sub(" ", prompt)))
    style: Style = "report" if _REPORT.search(prompt) or (saved and not text.endswith("?")) else "short"
    background = before if _needs_background(text) else ""
    if _COMPARE.search(text):
        entities, questions = _comparison(text)
        return Task(_topic(text), questions, "compare", keep, saved[1] if saved else "", entities)
    questions = _questions(text, background, report=style == "report")
    if len(questions) > 3:  # noqa: PLR2004 (more than a paragraph can hold)
        style = "report"
    return Task(_topic(text), questions, style, keep, saved[1] if saved else "")


def _tidy(text: str) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip(" ,;") for line in text.splitlines()]
    return re.sub(r"\s+([.?!])", r"\1", "\n".join(line for line in lines if line.strip(" .,;")))


def _needs_background(text: str) -> bool:
    """Whether a prompt has no subject of its own: ``tell me more``, ``what does it cost?``."""
    own = subject(text)
    return not own or (len(own) <= 3 and bool(_POINTS_BACK.search(text)))  # noqa: PLR2004


def _topic(text: str) -> str:
    """What a prompt is about, as a title: its first sentence without the words of asking."""
    first = re.split(r"(?<=[.?!])\s+|\n|:\s", text, maxsplit=1)[0]
    return _capital(_phrase(first)) or _capital(first)


def _phrase(sentence: str) -> str:
    """A sentence without its lead: ``Write a report on caches.`` -> ``caches``."""
    without = _LEAD.sub("", sentence.strip(), count=1)
    without = _FORM.sub("", without, count=1) if without != sentence.strip() else without
    return without.strip(" .:,;") + ("?" if sentence.rstrip().endswith("?") and not without.endswith("?") else "")


def _questions(text: str, background: str, *, report: bool) -> tuple[Question, ...]:
    listed = [match[1].strip() for line in text.splitlines() if (match := _ITEM.match(line))]
    inline = [part.strip(" ;,.") for part in _INLINE_ITEM.split(text)]
    if len(listed) > 1 or len(inline) > 2:  # noqa: PLR2004 (a lead and two items)
        items = listed if len(listed) > 1 else inline[1:]
        lead = text.splitlines()[0] if len(listed) > 1 and not _ITEM.match(text.splitlines()[0]) else inline[0]
        return _made(items, background or ("" if lead in items else _phrase(lead)))
    found: list[str] = []
    topic = background
    for sentence in re.split(r"(?<=[.?!])\s+|\n+", text):
        if sentence.rstrip().endswith("?"):
            found += [f"{part.strip(' ?')}?" for part in _NEXT_QUESTION.split(sentence) if part.strip(" ?")]
        elif subject(_phrase(sentence)):
            head, items = _enumeration(_phrase(sentence), report=report)
            topic = topic or head
            found += items
    return _made(found or [text], topic)


def _enumeration(phrase: str, *, report: bool) -> tuple[str, list[str]]:
    """``caches: size, speed and cost`` -> its head and its items; a phrase without a list is its own only item."""
    head, colon, tail = phrase.partition(":")
    if colon and len(_LIST.split(tail.strip())) > 1:
        return head.strip(), [item.strip() for item in _LIST.split(tail.strip()) if item.strip()]
    split = [part.strip() for part in _NEXT_QUESTION.split(phrase)]
    if len(split) > 1:
        return "", split
    items = [item.strip() for item in _LIST.split(phrase)]
    short = all(len(item.split()) <= _SHORT_TOPIC for item in items)
    listed = "," in phrase or len(phrase.split()) <= _SHORT_PHRASE
    if (
        report
        and len(items) > 1
        and short
        and listed
        and not re.match(r"(?:how|what|why|when)\b", phrase, re.IGNORECASE)
    ):
        return "", items
    return "", [phrase]


def _made(items: list[str], topic: str) -> tuple[Question, ...]:
    made: dict[str, Question] = {}
    for item in items[:_MOST]:
        text = _capital(item.strip(" ;,").removesuffix("."))
        short = len(subject(text)) <= 2  # noqa: PLR2004 (one or two words need the topic beside them)
        lonely = short or bool(_POINTS_BACK.search(text))
        made.setdefault(text.lower(), Question(text, topic if lonely else ""))
    return tuple(made.values())


def _comparison(text: str) -> tuple[tuple[str, ...], tuple[Question, ...]]:
    """What is compared, and by what."""
    match = _COMPARE.search(text)
    assert match is not None
    first = re.split(r"(?<=[.?!])\s+|\n", text[match.end() :], maxsplit=1)[0].strip(" .?!")
    if match[0].lower().startswith(("vs", "versus")):
        first = re.split(r"(?<=[.?!])\s+|\n", text, maxsplit=1)[0].strip(" .?!")
    first = re.sub(r"^(?:of|between)\s+", "", first)
    parts = _CRITERIA.split(first, maxsplit=1)
    criteria = [each for each in _LIST.split(parts[1]) if each] if len(parts) > 1 else []
    names = [] if _DOCUMENTS.match(parts[0]) else [each for each in _LIST.split(parts[0]) if each]
    if re.match(r"(?:how|what|the way|ways|where|why)\b", parts[0], re.IGNORECASE) or len(names) == 1:
        whole = re.sub(r"^(?:how|what|the way|ways)\s+", "", first, flags=re.IGNORECASE)
        names = list(dict.fromkeys(_NAME.findall(whole)))
        rest = " ".join(word for word in subject(whole) if word not in " ".join(names).lower())
        criteria = [rest] if rest else []
        names = names if len(names) > 1 else []
    others = [each for each in re.split(r"(?<=[.?!])\s+|\n", text) if match[0] not in each and subject(_phrase(each))]
    questions = _made([*criteria, *(_phrase(each) for each in others)] or [_topic(text)], "")
    return tuple(name.strip(" `") for name in names), questions


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
