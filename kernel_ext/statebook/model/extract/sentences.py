"""Whole sentences out of Markdown, extracted HTML and PDF text; headings, code, tables and fragments stay out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .words import STOP, words

_FENCE = re.compile(r"^\s*(```|~~~)")
_TABLE = re.compile(r"^\s*\|.*\||^[^|]+\|[^|]+\||^\s*[+|][-=+|: ]+[+|]\s*$")
_RULE = re.compile(r"^\s*([-=~^*_#\"'`.+]\s*){3,}$")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*$")
_LIST = re.compile(r"^\s*(?:[-*+•▪◦–]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_NOISE = re.compile(r"^\s*(?:\.\.\s|:\w[\w-]*:|\[[^\]]+\]:\s|>>>|\$ |page \d+|\d+\s*$|<!--|!\[|\[!\[)", re.IGNORECASE)
_END = re.compile(r"[.!?…][\"'”’)\]*_`]*$")
_BREAK = re.compile(r"(?<=[.!?…])([\"'”’)\]]*)\s+(?=[\"'“‘(\[`*_]*[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|al|approx|ca|figs?|no|nos|vol|pp?|ch|sec|eq|dr|mr|mrs|(?<!\d )ms|prof|st|inc|ltd|co"
    r"|jr|sr|u\.s|u\.k|ver|resp)|(?-i:\b[A-Z])|\b\d{1,2})\.[\"'”’)\]]*$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|can|could|will|would|may|might|must|should|shall|does|do|did|isn't|"
    r"aren't|can't|cannot|doesn't|don't|didn't|won't|it's|there's)\b",
    re.IGNORECASE,
)
_VERB_FORM = re.compile(
    r"(?<=\s)[a-z]{2,}(?:s|ed|en)\b"
    r"|\b(?:kept|lost|made|sent|took|found|let|put|set|built|ran|went|ate|became|began|bought|broke|brought|came|chose"
    r"|cost|cut|drew|drove|fell|felt|flew|fought|gave|got|grew|heard|held|hit|knew|laid|led|left|lent|lit|meant|met"
    r"|paid|rang|read|rode|rose|said|sang|sank|saw|shot|slept|sold|spent|split|spoke|spread|stood|stole|struck|swam"
    r"|taught|thought|threw|told|understood|won|wore|wrote)\b"
)
_PLAIN_VERB = re.compile(
    r"\b(?:[a-z]{2,}s|people|men|women|children|fish|mice|geese|sheep|i|you|we|they|who|which|that)\s+"
    r"(?:(?:also|always|never|not|often|only|sometimes|still|usually|[a-z]{3,}ly)\s+)*(?-i:(?P<verb>[a-z]{2,}))\b",
    re.IGNORECASE,
)
"""A plural and a verb without an ending: ``Penguins live``, ``they often eat``."""
_INLINE = (
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)|!\[[^\]]*\]\[[^\]]*\]"), " "),
    (re.compile(r"\[S\d+\.\d+\]"), " "),  # a document can't cite: marks are ours to give
    (re.compile(r"\[\^[^\]]+\]"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)|\[([^\]]+)\]\[[^\]]*\]"), r"\1\2"),
    (re.compile(r":[a-z]+(?::[a-z]+)?:`~?([^`<]+?)(?:\s*<[^>]*>)?`"), r"`\1`"),
    (re.compile(r"`([^`<]+?)\s*<[^>]+>`_{1,2}"), r"\1"),
    (re.compile(r"``([^`]+)``"), r"`\1`"),
    (re.compile(r"(?<![`\w])`([^`]+)`_{1,2}(?!\w)"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), " "),
    (re.compile(r"\*\*\*|\*\*|(?<![\w`])__(?=\S)|(?<=\S)__(?![\w`])"), ""),
    (re.compile(r"(?<![\w*`])\*(?=\S)|(?<=[^\s*])\*(?![\w*])"), ""),
    (re.compile(r"(?<![\w`])_(?=[^\s_])|(?<=[^\s_])_(?![\w`])"), ""),
)
_BOILERPLATE = re.compile(
    r"^(?:origin|sources?|authors?|date|keywords|tags|published|updated|version|doi|cite as|contact|maintainers?)\s*:"
    r"|all rights reserved|copyright|licensed under|license file|without warranty|click here|table of contents|cookie"
    r"|subscribe|sign up|follow us|star (?:us|this)|pull requests?|bug reports?|issue tracker"
    r"|see (?:also|the) (?:file|section|documentation|changelog|docs)|pip install|thanks to|sponsor|code of conduct"
    r"|released under|read more|full list of|open collective|https?://\S+\s*\.?$",
    re.IGNORECASE,
)
_SHORTEST, _LONGEST = 3, 70
_SHORTEST_ITEM = 4
_NARROW, _NARROWEST = 60, 40


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, the heading above it, its block in the passage and its place in the block."""

    text: str
    heading: str
    block: int
    place: int

    @property
    def boilerplate(self) -> str:
        """What in it is about the page rather than its subject, or ""."""
        match = _BOILERPLATE.search(self.text)
        return match[0] if match else ""


@lru_cache(maxsize=2048)
def sentences(text: str, *, opens: bool = True) -> tuple[Sentence, ...]:
    """The whole sentences of a passage. ``opens`` is False where the passage may begin in mid-sentence.

    Notes without a single full stop have none; there a line with a verb counts as one.
    """
    blocks = _blocks(text)
    return _sentences(blocks, opens=opens) or _sentences(blocks, opens=opens, notes=True)


def _sentences(blocks: Sequence[_Block], *, opens: bool, notes: bool = False) -> tuple[Sentence, ...]:
    found: list[Sentence] = []
    heading = ""
    for number, block in enumerate(blocks):
        if block.marked or (block.heading and not notes):
            heading = clean(block.text)
            continue
        may_open_low = opens or number > 0
        pieces = _split(clean(block.text))
        note = notes and len(pieces) == 1  # after a full stop, what has none was cut off
        for place, piece in enumerate(pieces):
            whole = _whole(piece, item=block.item or note, note=note, may_open_low=may_open_low and place == 0)
            if whole:
                found.append(Sentence(whole, heading, number, place))
    return tuple(found)


def clean(text: str) -> str:
    """One line without Markdown or HTML decoration; code spans keep their ticks."""
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    for entity, sign in (
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, sign)
    return re.sub(r"\s+([,.;:!?])(?=\s|$)", r"\1", " ".join(text.split()))


@dataclass(slots=True)
class _Block:
    text: str
    item: bool = False
    heading: bool = False
    marked: bool = False


def _blocks(text: str) -> list[_Block]:
    """Paragraphs, list items and headings, each as one string; what is no prose is dropped."""
    lines = _prose_lines(text)
    width = max((len(line) for line in lines), default=0)
    blocks: list[_Block] = []
    open_block = False
    for place, line in enumerate(lines):
        below = lines[place + 1] if place + 1 < len(lines) else ""
        head = _HEADING.match(line)
        if not line.strip() or _RULE.match(line):
            open_block = False
        elif head or _is_title(line, below, open_block=open_block):
            blocks.append(
                _Block(head[1] if head else line.strip(), heading=True, marked=bool(head or _RULE.match(below)))
            )
            open_block = False
        elif _LIST.match(line):
            blocks.append(_Block(_LIST.sub("", line), item=True))
            open_block = True
        elif open_block and not _breaks_here(lines[place - 1], line, width):
            blocks[-1].text = _join(blocks[-1].text, line.strip())
        else:
            blocks.append(_Block(line.strip()))
            open_block = True
    for block in blocks:  # a line of its own without an end, as headings are in text taken from HTML
        block.heading |= not block.item and len(block.text) < _NARROW and not _END.search(clean(block.text))
    return blocks


def _prose_lines(text: str) -> list[str]:
    kept: list[str] = []
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
            kept.append("")
        elif fenced or _TABLE.match(line) or _NOISE.match(line):
            kept.append("")
        elif line.startswith(("    ", "\t")) and not (kept and kept[-1].strip()) and not _LIST.match(line):
            kept.append("")  # an indented code block, and with it all of its lines
        else:
            kept.append(re.sub(r"^\s*>+\s?", "", line))
    return kept


def _is_title(line: str, below: str, *, open_block: bool) -> bool:
    """A line underlined by a rule, or a short one without an end that stands alone."""
    stripped = line.strip()
    if below.strip() and _RULE.match(below):
        return not open_block
    alone = not below.strip() and not open_block
    return alone and len(stripped) < _NARROW and not _END.search(clean(stripped)) and not _LIST.match(line)


def _breaks_here(above: str, line: str, width: int) -> bool:
    """Whether a new block starts though no empty line says so, as in text taken from HTML.

    In a paragraph that was broken to a width, only its last line is short, and that one ends with a full stop.
    """
    upper, lower = above.strip(), line.strip()
    if not lower[:1].isupper() and not lower[:1].isdigit():
        return False
    if len(upper) < (_NARROW if width < _NARROWEST else min(_NARROW, 0.6 * width)) and not upper.endswith(
        (",", ";", "-", "(")
    ):
        return True
    return len(upper) > 2 * _NARROW and bool(_END.search(upper))


def _join(left: str, right: str) -> str:
    """Two lines as one; a word that was hyphenated at the line's end grows together."""
    if re.search(r"[a-z]-$", left) and right[:1].islower():
        tail = re.split(r"\s", left)[-1]
        return left + right if tail.count("-") > 1 else left[:-1] + right
    return f"{left} {right}"


def _split(text: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in _BREAK.finditer(text):
        piece = text[start : match.end(1)]
        if _ABBREVIATION.search(piece):
            continue
        pieces.append(piece.strip())
        start = match.end()
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def _whole(piece: str, *, item: bool, note: bool, may_open_low: bool) -> str:
    """The sentence, or "" where it is a fragment, a title, a label or the lead of a list."""
    count = len(words(piece))
    if not _SHORTEST <= count <= _LONGEST or piece.count('"') % 2 or piece.count("`") % 2:
        return ""
    first = piece.lstrip("\"'“‘([`")[:1]
    if not (first.isupper() or first.isdigit() or (first.islower() and may_open_low) or piece.startswith("`")):
        return ""
    ended = bool(_END.search(piece)) and not piece.endswith(("...", "…"))
    if (
        item
        and not ended
        and count >= _SHORTEST_ITEM
        and piece[-1].isalnum()
        and (_VERB.search(piece) or (note and _has_plain_verb(piece)))
    ):
        return f"{piece}."
    letters = sum(sign.isalpha() or sign.isspace() for sign in piece)
    return piece if ended and _has_verb(piece) and letters > 0.7 * len(piece) else ""


def _has_verb(piece: str) -> bool:
    """Whether a text that ends like a sentence is one; a plural before a preposition is none."""
    return bool(_VERB.search(piece) or _VERB_FORM.search(piece)) or _has_plain_verb(piece)


def _has_plain_verb(piece: str) -> bool:
    return any(match["verb"] not in STOP for match in _PLAIN_VERB.finditer(piece))
