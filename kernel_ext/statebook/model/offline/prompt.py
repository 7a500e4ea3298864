"""Reads a prompt's explicit wishes: tool calls written out, code, SQL, what to remember, recall or forget."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from statebook.protocol.tools import ToolSpec

from .turn import Wish

Kind = Literal[
    "call", "unknown_tool", "python", "sql", "remember", "forget", "recall", "so_far", "sources", "files", "read_file",
    "about_me", "cannot", "research",
]  # fmt: skip

_CODE = re.compile(r"```(\w*)[^\n]*\n(.*?)\n?```", re.DOTALL)
_CALL_LINE = re.compile(r"^\s*(?:[-*]\s+|\d+[.)]\s+)?`?([A-Za-z_]\w*)\s*\((.*)\)`?[.;]?\s*$")
_SELECT = re.compile(
    r"^\s*(select\b.+?\bfrom\b.+|select\s+[\d'(*].*|with\s+\w+\s+as\s*\(.+|(?:SHOW|DESCRIBE|SUMMARIZE|PRAGMA)\s+\w.*"
    r"|FROM\s+\w+.*)$",
    re.DOTALL | re.IGNORECASE,
)
_STATEMENT_WORD = re.compile(r"^\s*(select|SELECT|with|WITH|SHOW|DESCRIBE|SUMMARIZE|PRAGMA|FROM)\b")
_REMEMBER = re.compile(
    r"^(?:please\s+|also\s+|and\s+)*(?:remember|note|keep in mind|memori[sz]e)\s*(?:that\b|this:|:)\s*(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_FORGET = re.compile(
    r"^(?:please\s+)?forget\s+(?:about\s+|that\s+|the fact that\s+|memory\s+)?(.+?)[.!]?$", re.IGNORECASE
)
_RECALL = re.compile(
    r"^(?:what (?:did|do|have) (?:i|we|you) (?:say|said|tell|told|note|noted|remember|know|keep|kept|stored?)"
    r"(?: you)?(?: about| of| on| regarding)?|do you remember|recall|what(?:'s| is| are) in (?:your )?memory"
    r"|(?:show|list)(?: me)? (?:your |the |my )?memor(?:y|ies))\b[\s:,]*(.*?)[?.!]*$",
    re.IGNORECASE | re.DOTALL,
)
_SO_FAR = re.compile(
    r"\bso far\b|^(?:and )?what (?:did|have) (?:you|we) (?:find|found|learn(?:ed|t)?|got|have)\b|^recap\b"
    r"|^(?:summari[sz]e|sum up) (?:it|this|that|(?:your|the|our) findings|what (?:we|you) (?:have|found))\b",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"^(?:please )?(?:(?:list|show)(?: me)?(?: all)?(?: of)?(?: the| my| your)? (?:sources|documents|corpus)"
    r"|(?:what|which) (?:sources|documents)(?: do (?:you|we) have| are there| can you (?:see|read|use|cite))?)"
    r"(?: (?:available|do you have|are there))?\s*[?.!]*$",
    re.IGNORECASE,
)
_TABLES = re.compile(r"\b(?:what|which|list|show)\b(?: me)?(?: all)?(?: the| my)? tables\b", re.IGNORECASE)
_FILES = re.compile(
    r"^(?:please )?(?:(?:list|show)(?: me)?(?: all)?(?: the| my)?|(?:what|which)) files\b(?:.*?([\w./-]*\*[\w.*/-]*))?",
    re.IGNORECASE,
)
_READ_FILE = re.compile(
    r"^(?:please )?(?:read|show|open|print|cat)(?: me)?(?: the)?(?: file)? [`'\"]?([\w./-]+\.\w{1,8})[`'\"]?[.!]?$",
    re.IGNORECASE,
)
_ABOUT_ME = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|evening|day)|help|thanks|thank you|who are you|what are you|what can you do"
    r"|how do you work|what model are you|test|ping)\b[^a-z]*(?:there|for me|exactly)?[^a-z]*$",
    re.IGNORECASE,
)
_CANNOT = re.compile(
    r"^(?:please |can you |could you )*(?:translate|paraphrase|rewrite|refactor|debug|fix|implement|plot|draw|paint"
    r"|calculate|compute|solve|brainstorm|imagine|invent|predict|write (?:me )?(?:a|an|some|the) (?:\w+ )?"
    r"(?:poem|story|song|joke|code|function|script|program|email|letter|test|class|regex|query))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing a prompt asks for; ``text`` is what it is about."""

    kind: Kind
    text: str = ""
    wish: Wish | None = None


def intents(prompt: str, tools: Mapping[str, ToolSpec]) -> list[Intent]:
    """What a prompt asks for, in its order. Whatever no rule knows is research."""
    found: list[Intent] = []
    rest = _CODE.sub(lambda match: _take_code(match, found), prompt)
    kept: list[str] = []
    for line in rest.splitlines():
        call = read_call(line, tools)
        if call is None:
            kept.append(line)
        else:
            found.append(call)
    body = "\n".join(kept).strip()
    if found and not re.search(r"[?]|\w\s+\w+\s+\w+\s+\w+", body):
        return found  # words around calls ("then run this:") ask for nothing more
    return found + _spoken(body) if body else found


def read_call(line: str, tools: Mapping[str, ToolSpec]) -> Intent | None:
    """A line that is a tool call with literal arguments; positional ones go by the order of the tool's parameters."""
    match = _CALL_LINE.match(line)
    if not match:
        return None
    try:
        parsed = ast.parse(f"{match[1]}({match[2]})", mode="eval").body
        if not isinstance(parsed, ast.Call):
            return None
        named = {each.arg: ast.literal_eval(each.value) for each in parsed.keywords if each.arg}
        positional = [ast.literal_eval(each) for each in parsed.args]
    except (ValueError, SyntaxError, TypeError):
        return None
    if match[1] not in tools:
        return Intent("unknown_tool", match[1])
    order = list(_properties(tools[match[1]]))
    arguments: dict[str, Any] = {**dict(zip(order, positional, strict=False)), **named}
    return Intent("call", line.strip(), Wish(match[1], arguments))


def _properties(spec: ToolSpec) -> Mapping[str, Any]:
    properties = spec.parameters.get("properties")
    return properties if isinstance(properties, dict) else {}


def _take_code(match: re.Match[str], found: list[Intent]) -> str:
    language, code = match[1].lower(), match[2]
    if language in {"python", "py", "sql"}:
        found.append(Intent("sql" if language == "sql" else "python", code))
        return "\n"
    return f"\n{code}\n"


def _spoken(body: str) -> list[Intent]:
    """Intents of a text without calls and code: one as a whole, or those of its sentences."""
    whole = _simple(body)
    if whole:
        return [whole]
    found: list[Intent] = []
    research: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])|\n{2,}", body):
        said = _REMEMBER.match(sentence.strip())
        forget = _FORGET.match(sentence.strip())
        if said:
            found.append(Intent("remember", _statement(said[1])))
        elif forget:
            found.append(Intent("forget", forget[1].strip()))
        else:
            research.append(sentence)
    text = " ".join(part for part in research if part.strip()) if found else body
    if text.strip():
        found.append(_simple(text.strip()) or Intent("research", text.strip()))
    return found


_WHOLE: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (_ABOUT_ME, "about_me"),
    (_SO_FAR, "so_far"),
    (_SOURCES, "sources"),
    (_RECALL, "recall"),
    (_READ_FILE, "read_file"),
    (_FILES, "files"),
    (_CANNOT, "cannot"),
)


def _simple(text: str) -> Intent | None:
    """The intent of a text that is one wish as a whole, or None."""
    if _STATEMENT_WORD.match(text) and _SELECT.match(text):
        return Intent("sql", text.rstrip("; \n"))
    if _TABLES.search(text) and "?" not in text[:-1]:
        return Intent("sql", "SHOW TABLES")
    for pattern, kind in _WHOLE:
        match = pattern.search(text)
        if match and (kind != "so_far" or len(text) < 160):  # noqa: PLR2004 (a long prompt asks for more than a recap)
            return Intent(kind, (match[1] or "") if pattern.groups else text)
    return None


def _statement(text: str) -> str:
    """A fact as a sentence of its own."""
    line = " ".join(text.split()).rstrip()
    return line[:1].upper() + line[1:]
