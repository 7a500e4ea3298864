"""Takes a prompt's sentences apart: orders about form aside, lists into items, questions into short headings."""

from __future__ import annotations

import re

from statebook.model.extract.words import subject, words

_DOCUMENT_WORDS = r"(?:sources|documents|briefs|files|papers|notes|articles|texts|reports|readmes|packages)"
SAY_ABOUT = re.compile(
    r"^\s*(?:what|everything|all)\s+(?:(?:do|does|did|can|could)\s+)?(?:(?:the|these|those|my|our|your|all|each|every|both)\s+)*"
    r"(?:of\s+)?(?:(?:the|these|them)\s+)?(?:[\w-]+\s+)?(?:say|tell(?: (?:us|me))?|report|know|write|claim|state|find"
    r"|think|recommend|argue|mention|have|contain|has|says)\s+(?:about|on|of|for|regarding|concerning)\s+",
    re.IGNORECASE,
)
"""``What do the sources say about ...``: an empty frame around what is asked for."""
DEICTIC = re.compile(rf"\b(?:the|these|those|this|that)\s+{_DOCUMENT_WORDS}\b", re.IGNORECASE)
"""``these documents``: points at the corpus, not back at an earlier question."""

_DISAGREE = re.compile(
    r"[,;]?\s*(?:\b(?:and|but|also|then|please)\s+)*"
    r"(?:\b(?:say|show|tell(?: me)?|note|mention|state|flag|list|point out|see|highlight|explain|discuss|describe)\s+)?"
    r"\b(?:where|whether|if|how|on what|what)\s+(?:(?:do|does)\s+)?(?:(?:the|these|those|my|our|any|all|different)\s+)*"
    rf"(?:{_DOCUMENT_WORDS}|authors|they|both)\s+(?:disagree|contradict|differ|conflict|diverge)\b"
    r"(?:\s+(?:with\s+)?(?:each other|one another|themselves))?[.?!]?"
    r"|[,;]?\s*(?:\b(?:and|also|then|please)\s+)*\b(?:point out|note|list|include|name|mention|show|highlight|flag|find"
    r"|with)\s+(?:(?:all|any|the|every|main|their)\s+)*(?:disagreements?|contradictions?|conflicts)\b"
    rf"(?:\s+(?:between|among|in|of)\s+(?:(?:the|these)\s+)?{_DOCUMENT_WORDS})?[.?!]?",
    re.IGNORECASE,
)
_FORM_WORDS_LISTED = (
    "write report reports short long brief briefly concise memo essay page pages paragraph paragraphs sentence "
    "sentences bullet bullets point points table tables heading headings section sections citation citations cite "
    "cited source sources quote quotes word words format markdown text answer answers use include add give make "
    "produce keep stay limit structure executive abstract introduction conclusion conclusions finding findings "
    "reference references style tone clear plain english simple detailed thorough careful accurate honest begin "
    "end summary summarise summarize overview title list one two three four five six ten hundred thousand prepare "
    "draft create present document documents reader readers full complete good well nice best key main important "
    "evidence passage passages statement statements claim claims tell respond reply put start finish close please "
    "review synthesis synthesise synthesize briefs everything need needs sure always never only compact"
)
_FORM_WORDS = frozenset(_FORM_WORDS_LISTED.split())
_SHAPE = re.compile(
    r"[,;]?\s+(?:in|as|with|using|under|within)\s+(?:(?:a|an|at most|about|around|no more than|one|two|three|four|five"
    r"|six|ten|\d+|some|few|plain|short|the form of|markdown|bullet)\s+)+"
    r"(?:bullet\s+points?|bullets?|paragraphs?|sentences?|words|pages?|headings?|citations|lists?)\b"
    r"|;\s*(?:please\s+)?(?:keep it|be|use|cite|write|make it)\b[^.;?!]*",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:please|can you|could you|now|then|also|i want you to|i need|i would like|i'd like)\s+)*"
    r"(?:synthesi[sz]e|summari[sz]e|review|explain|describe|write(?: up)?|give|prepare|draft|produce|create|make|tell"
    r"|survey|outline|research|investigate|find out|find|look (?:into|up|at)|analy[sz]e|discuss|report|cover|study"
    r"|include|address|answer|focus|read)\b"
    r"(?:\s+(?:me|us))?(?:\s+(?:on|about|into|of|these questions|the following(?: questions| topics| points)?))?",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"^\s*(?:(?:a|an|the|all|short|brief|cited|detailed|one-page|two-page|concise|full|research|literature|long"
    r"|thorough|complete)\s+)*"
    r"(?:report|synthesis|summary|overview|survey|review|briefing|brief|comparison|memo|essay|note)?\b\s*"
    r"(?:with citations\s*)?(?:(?:that|which) (?:covers|explains|compares|answers)(?: these questions)?|on|of|about"
    r"|covering|regarding|for)?\s*"
    r"(?:(?:what|everything) (?:(?:the|my|our|these|those|all|all the) )?"
    rf"{_DOCUMENT_WORDS} "
    r"(?:say|tell us|tell|report|know|have|contain|are)\s*(?:on|about|regarding)?)?"
    rf"(?:(?:the|my|our|these|all) {_DOCUMENT_WORDS}\b(?!\s+(?:are|is|have|do|can|use|were|need)\b)"
    r"\s*(?:on|about|regarding)?)?\s*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-h][.)])\s+(.+)$")
_INLINE_ITEM = re.compile(r"(?:^|\s)\(?(?:\d{1,2}|[a-h])\)\s+")
_ASKS = r"(?:what|how|why|when|which|who|where|whether|does|do|is|are|can|should)\b"
_NEXT_QUESTION = re.compile(rf"(?:,\s*|;\s*|\s+)(?:and|or)\s+(?={_ASKS})|[,;]\s*(?={_ASKS})", re.IGNORECASE)
_LIST = re.compile(r"\s*(?:,\s*(?:and|or)\s+|,\s*|;\s*)\s*", re.IGNORECASE)
_PAIR = re.compile(r"\s+(?:and|or|versus|vs\.?|&)\s+", re.IGNORECASE)
_WHAT_OF = re.compile(
    r"^(?:what|which)\s+(.+?)\s+(?:they|it|(?:these |the )?[\w-]+s)\s+(?:have|has|need|offer|carry|use)s?$",
    re.IGNORECASE,
)
_ASKED_OF = re.compile(
    r"^(how|why|where|when)\s+(do|are)\s+((?:[\w-]+\s+){0,2}?[\w-]*[a-rt-z]s|people|they)\s+(.+)$", re.IGNORECASE
)
_SUBJECT = re.compile(
    r"^(?:how|why|where|when|what)\s+(?:do|does|did|are|is|can|could|should|will|would)?\s*"
    r"((?:[\w-]+\s+){0,2}?[\w-]*[a-rt-z]s)\b",
    re.IGNORECASE,
)
_THEY = re.compile(r"\b(?:they|them)\b", re.IGNORECASE)
_SHORT_TOPIC, _SHORT_PHRASE = 6, 8


def without_orders(text: str) -> tuple[str, bool]:
    """A prompt without its orders about form, and whether it asks for what the sources disagree on."""
    asked = bool(_DISAGREE.search(text))
    kept_lines = []
    for line in _SHAPE.sub("", _DISAGREE.sub(".", text)).splitlines():
        pieces = [piece for piece in re.split(r"(?<=[.?!])\s+", line) if not _is_order(piece)]
        kept_lines.append(re.sub(r"\s*\.(?:\s*\.)+", ".", " ".join(pieces)).strip(" ,;"))
    kept = "\n".join(line for line in kept_lines if line.strip(" .,;:?!"))
    kept = re.sub(r"([?!])\s*\.", r"\1", kept)
    return re.sub(r"^(?:[.\s]+(?:about|on|regarding)?\s*)", "", kept), asked


def _is_order(sentence: str) -> bool:
    """``Write a short report.``, ``Use a table.``: words about the answer's form and no others."""
    left = [word for word in subject(sentence) if word not in _FORM_WORDS and not word.isdigit()]
    bare = sentence.strip(" .,;:!")
    if not bare:
        return True
    return not left and not sentence.rstrip().endswith((":", "?")) and not DEICTIC.search(sentence)


def without_lead(sentence: str) -> str:
    """A sentence without its lead: ``Write a report on caches.`` -> ``caches``."""
    without = _LEAD.sub("", sentence.strip(), count=1)
    without = _FORM.sub("", without, count=1) if without != sentence.strip() else without
    if not without.rstrip().endswith("?"):
        without = SAY_ABOUT.sub("", without, count=1)
    return without.strip(" .:,;") + ("?" if sentence.rstrip().endswith("?") and not without.endswith("?") else "")


def parts(text: str, background: str, *, listing: bool) -> tuple[list[str], str]:
    """The items to find out and the topic they share. ``listing``: a phrase of several things is several items."""
    topic = background
    found: list[str] = []
    told: list[str] = []
    for sentence in _sentences(text):
        if _ITEM.match(sentence):
            found.append(_ITEM.sub(r"\1", sentence))
            continue
        head, listed = _one(sentence, listing=listing)
        if not head and len(listed) > 1 and ":" in sentence and len(told) == len(found) == 1:
            head, found = found[0], []  # "Write about lanes. Cover: cost; snow": what the list is about
        topic = topic or head
        found += listed
        told += [each for each in listed if not sentence.rstrip().endswith("?") and not _asks(each)]
    named = [_named(item, found[:place]) for place, item in enumerate(found)]
    return (named or [text]), topic


def _sentences(text: str) -> list[str]:
    """Lines of a list and sentences; a sentence ``lead: (1) a (2) b`` becomes its lead and lines of a list."""
    found: list[str] = []
    for line in text.splitlines():
        inline = [part.strip(" ;,.") for part in _INLINE_ITEM.split(line)]
        if _ITEM.match(line):
            found.append(line)
        elif len(inline) > 2:  # noqa: PLR2004 (a lead and two items)
            found += [f"{inline[0].rstrip(':')}:", *(f"- {part}" for part in inline[1:] if part)]
        else:
            found += [each for each in re.split(r"(?<=[.?!])\s+", line) if each.strip(" .")]
    return found


def _one(sentence: str, *, listing: bool) -> tuple[str, list[str]]:
    """A sentence as (topic of what follows, items)."""
    head, colon, tail = sentence.partition(":")
    if colon and (not tail.strip() or tail.startswith(" ")):
        lead = without_lead(head)
        asks = ";" not in tail and (_NEXT_QUESTION.search(tail) or _asks(tail))
        return lead if subject(lead) else "", _questions(tail) if asks else items(tail)
    if sentence.rstrip().endswith("?"):
        framed = SAY_ABOUT.match(sentence)
        rest = sentence[framed.end() :].strip(" ?") if framed else ""
        return "", _enumerated(rest) if rest and listing else [f"{part}?" for part in _questions(sentence)]
    phrase = without_lead(sentence)
    if not subject(phrase):
        return "", []
    if _NEXT_QUESTION.search(phrase):
        return "", _questions(phrase)
    return "", _enumerated(phrase) if listing and not _asks(phrase) else [phrase]


def _asks(text: str) -> bool:
    return bool(re.match(rf"\s*{_ASKS}", text, re.IGNORECASE))


def _questions(text: str) -> list[str]:
    return [part.strip(" ?.,;") for part in _NEXT_QUESTION.split(text) if part.strip(" ?.,;")]


def items(text: str) -> list[str]:
    """``size, speed and cost`` or ``tool calls; cost and caching``: the things in a list."""
    text = text.strip(" .?!;,")
    if ";" in text:
        return [part.strip(" ,") for part in re.split(r";\s*(?:and\s+)?", text) if part.strip(" ,")]
    listed = [part.strip() for part in _LIST.split(text) if part.strip()]
    last = _PAIR.split(listed[-1]) if listed else []
    return (
        [*listed[:-1], *last] if len(last) > 1 and all(len(part.split()) <= _SHORT_TOPIC for part in last) else listed
    )


def names(text: str) -> list[str]:
    """The things compared: ``A, B and C``, ``A versus B``, ``A with B``."""
    listed = items(re.sub(r"\s+(?:with|to|against)\s+", " and ", text, count=1))
    return [re.sub(r"^(?:the|a|an)\s+", "", each) for each in listed]


def _enumerated(phrase: str) -> list[str]:
    """The items of a phrase that lists several short things, else the phrase as its only one."""
    listed = items(phrase)
    short = all(len(item.split()) <= _SHORT_TOPIC for item in listed)
    return listed if short and ("," in phrase or ";" in phrase or len(phrase.split()) <= _SHORT_PHRASE) else [phrase]


def _named(item: str, before: list[str]) -> str:
    """``how do they fail`` after ``how do agent runtimes keep state``: with the name it stands for."""
    if not _THEY.search(item):
        return item
    for earlier in reversed(before):
        match = _SUBJECT.match(earlier)
        if match and subject(match[1]):
            return _THEY.sub(match[1], item, count=1)
    return item


def heading(text: str) -> str:
    """A question or a topic as a short heading: ``how do agents fail?`` -> ``How agents fail``."""
    plain = SAY_ABOUT.sub("", text.strip(" .:;,"))
    bare = plain.rstrip("? ")
    owned = _WHAT_OF.match(bare)
    asked = _ASKED_OF.match(bare)
    if owned:
        bare = owned[1]
    elif asked and asked[2].lower() == "do":
        bare = f"{asked[1]} {asked[3]} {asked[4]}"
    elif asked:
        bare = f"{asked[1]} {asked[3]} are {asked[4]}"
    elif plain.endswith("?") and _asks(plain):
        return capital(plain)
    return capital(re.sub(r"^(?:the|a|an|about|on|covering)\s+", "", bare, flags=re.IGNORECASE))


def capital(text: str) -> str:
    """With a capital first letter, unless the word is a name in lower case such as ``pytest-xdist``."""
    first = words(text)[:1]
    return text if first and any(sign.isupper() for sign in text[1 : len(first[0])]) else text[:1].upper() + text[1:]
