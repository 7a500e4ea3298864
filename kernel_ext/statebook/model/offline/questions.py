"""Turns a research prompt into a task: its questions, the form of the answer, and what to do with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from statebook.model.extract.words import stem, subject

from . import phrases
from .phrases import capital, heading, without_lead

Style = Literal["short", "survey", "report", "compare"]

_REPORT = re.compile(
    r"\b(?:synthes[ie]s|synthesi[sz]e|report|review|survey|overview|brief(?:ing)?\b(?!s)|memo|essay"
    r"|write[- ]up|in depth|in detail|comprehensive|summari[sz]e|summary|literature"
    r"|state of the art|research (?:how|what|why|the))\b",
    re.IGNORECASE,
)
_COMPARE = re.compile(r"\b(?:compar(?:e|ison)|versus|vs\.?|contrast|differences? between)\b", re.IGNORECASE)
_SURVEY = re.compile(
    r"^(?:what|which|who|how)\b.*\b(?:the|these|those|my|our|all|which)\s+\b(?:documents|sources|papers|files|briefs|notes|articles|packages|readmes|reports)\b",
    re.IGNORECASE,
)
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
_CRITERIA = re.compile(r"\s+(?:on|in terms of|with respect to|regarding|by|along|for)\s+|:\s*", re.IGNORECASE)
_DOCUMENTS = re.compile(
    r"^(?:(?:the|these|all|my|our|what|two|three|different|various)\s+)*"
    r"(?:documents|sources|briefs|files|papers|notes|readmes|articles|packages|libraries|projects|modules|texts)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:it|its|they|them|their|this|that|these|those|he|she)\b", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?:documents|sources|papers|files|briefs|notes|articles|corpus|texts|packages|readmes|library|folder)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][\w.-]*\w\b|`[^`]+`|\b[a-z]+[A-Z]\w*\b")
_MOST = 10
_FEW = 3


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to find out, as it was asked; ``topic`` holds the terms of the topic it belongs to."""

    text: str
    topic: str = ""

    @property
    def asked(self) -> str:
        """The text without what points at the documents themselves."""
        return phrases.DEICTIC.sub("", self.text) or self.text

    @property
    def query(self) -> str:
        """The words to search for."""
        own = subject(self.asked)
        return " ".join(dict.fromkeys((*own, *subject(self.topic)))) or self.text

    @property
    def heading(self) -> str:
        """A title for its section: a noun phrase where it can be made one."""
        return heading(self.text)

    @property
    def terms(self) -> frozenset[str]:
        """The stems of its own words."""
        return frozenset(stem(word) for word in subject(self.asked))


@dataclass(frozen=True, slots=True)
class Task:
    """A research prompt, understood.

    ``entities`` (empty: the documents themselves) and ``questions`` as criteria make the table of a comparison.
    ``keep`` asks to remember the findings, ``save`` names a file for the answer, ``prose`` asks for a report, around
    a comparison's table too, ``disputed`` for what the sources disagree on. An ``open`` task asks what
    the documents are about: that has to be found out first, and of a few documents each is told by itself.
    """

    topic: str
    questions: tuple[Question, ...]
    style: Style
    keep: bool = False
    save: str = ""
    entities: tuple[str, ...] = ()
    prose: bool = False
    disputed: bool = False
    open: bool = False

    @property
    def thorough(self) -> bool:
        """Whether many documents are to be read whole."""
        return self.style in {"report", "compare"}


def understand(prompt: str, before: str = "") -> Task:
    """The task in a prompt; ``before`` is the previous prompt, which "it" and "more" may point to."""
    keep = bool(_KEEP.search(prompt))
    found = _SAVE.search(prompt)
    save = found[1] if found else ""
    whole = _tidy(_KEEP.sub(" ", _SAVE.sub(" ", prompt)))
    text, disputed = phrases.without_orders(whole)
    report = bool(_REPORT.search(prompt) or (save and not whole.endswith("?")))
    if not subject(without_lead(text)) and (_OPEN.search(whole) or disputed or (report and not before)):
        return Task(
            "What the documents are about", (), "report", keep, save, prose=report, disputed=disputed, open=True
        )
    if _COMPARE.search(text):
        entities, questions = _comparison(text)
        return Task(_topic(text, questions), questions, "compare", keep, save, entities, report, disputed)
    background = before if _needs_background(text) else ""
    many = report or disputed
    questions = _made(*phrases.parts(text or whole, background, listing=many))
    style: Style = "report" if many or len(questions) > 3 else "short"  # noqa: PLR2004 (more than a paragraph can hold)
    if style == "short" and len(questions) == 1 and _SURVEY.search(text):
        style = "survey"
    return Task(_topic(text, questions), questions, style, keep, save, prose=report, disputed=disputed)


def _tidy(text: str) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip(" ,;") for line in text.splitlines()]
    return re.sub(r"\s+([.?!])", r"\1", "\n".join(line for line in lines if line.strip(" .,;")))


def _needs_background(text: str) -> bool:
    """Whether a prompt has no subject of its own: ``tell me more``, ``what does it cost?``."""
    own = subject(text)
    return not own or (len(own) <= _FEW and _points_back(text))


def _points_back(text: str) -> bool:
    return bool(_POINTS_BACK.search(phrases.DEICTIC.sub(" ", text)))


def _topic(text: str, questions: tuple[Question, ...]) -> str:
    """What a prompt is about, as a title: its first sentence without the words of asking."""
    first = re.split(r"(?<=[.?!])\s+|\n|:\s", text, maxsplit=1)[0]
    phrase = without_lead(first)
    if subject(phrase):
        return capital(phrase)
    return questions[0].heading if questions else capital(first)


def _made(items: list[str], topic: str) -> tuple[Question, ...]:
    made: dict[str, Question] = {}
    for item in items[:_MOST]:
        text = capital(item.strip(" ;,:").removesuffix("."))
        lonely = len(subject(text)) < 2 or _points_back(text)  # noqa: PLR2004 (one word needs the topic beside it)
        if text:
            made.setdefault(text.lower(), Question(text, topic if lonely else ""))
    return tuple(made.values())


def _comparison(text: str) -> tuple[tuple[str, ...], tuple[Question, ...]]:
    """What is compared, and by what."""
    match = _COMPARE.search(text)
    assert match is not None
    split = re.split(r"(?<=[.?!])\s+|\n", text)
    own = next(each for each in split if _COMPARE.search(each))
    first = own if match[0].lower().startswith(("vs", "versus")) else own[own.find(match[0]) + len(match[0]) :]
    first = re.sub(r"^\s*(?:of|between)\s+", "", first).strip(" .?!")
    pieces = _CRITERIA.split(first, maxsplit=1)
    criteria = phrases.items(pieces[1]) if len(pieces) > 1 else []
    names = [] if _DOCUMENTS.match(pieces[0]) else phrases.names(pieces[0])
    if re.match(r"(?:how|what|the way|ways|where|why)\b", pieces[0], re.IGNORECASE) or len(names) == 1:
        names, criteria = _one_thing(first, names)
    others = [each for each in split if each != own and subject(without_lead(each))]
    listed = phrases.parts("\n".join(others), "", listing=True)[0] if others else []
    questions = _made([*criteria, *listed] or ([_topic(text, ())] if not names else [" and ".join(names)]), "")
    return tuple(name.strip(" `") for name in names), questions


def _one_thing(first: str, names: list[str]) -> tuple[list[str], list[str]]:
    """``Compare how Kestrel and Mole recover``: the names in it, and the rest as the only criterion."""
    what = phrases.SAY_ABOUT.match(first)
    if what:
        return [], phrases.items(first[what.end() :])
    whole = re.sub(r"^(?:how|what|the way|ways)\s+", "", first, flags=re.IGNORECASE)
    found = list(dict.fromkeys(_NAME.findall(whole)))
    rest = " ".join(word for word in subject(whole) if word not in " ".join(found).lower())
    kept = found if len(found) > 1 else []
    return kept, [rest] if rest else names
