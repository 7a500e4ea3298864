"""Memory as tools: keep a fact, find kept facts, let one go."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from statebook.errors import ToolError
from statebook.protocol.memories import Memory
from statebook.protocol.tools import MemoryDraft, ToolOutcome

from .base import Tool, ToolContext
from .bm25 import BM25
from .builtin import BuiltinTool, builtin_spec

_TEXT_CAP = 2_000  # characters of one memory: a fact, not a document
_RECALLED_CAP = 12_000  # characters of one result
_MARK = re.compile(r"\[?(S\d+\.\d+)\]?")
_NUMBER = re.compile(r"M?(\d+)", re.IGNORECASE)
_RECALLED = re.compile(r"^\s*(?:[-*]\s+)?M\d+ \([^)]*\):\s*")
_MARKS = re.compile(r"\[S\d+\.\d+\]")
_WORDS = re.compile(r"\w+|[-+<>=≤≥≠−%$€£/*^~#]")
_ARTICLES = frozenset({"a", "an", "the"})

_REMEMBER = builtin_spec(
    "remember",
    "Keep one fact for later runs of this session. Say it in one sentence that reads alone. Name the passage it rests "
    "on. What recall returned is kept already.",
    {
        "text": {"type": "string", "description": "The fact."},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "A few words to find it by.",
            "default": [],
        },
        "mark": {"type": "string", "description": "The passage it rests on, such as S3.7, or empty.", "default": ""},
    },
    effect="idempotent",
)
_RECALL = builtin_spec(
    "recall",
    "Find facts that were kept in this session, by words; without words the newest ones.",
    {
        "query": {"type": "string", "description": "A few telling words, or empty for the newest.", "default": ""},
        "limit": {
            "type": "integer",
            "description": "How many facts at most.",
            "default": 8,
            "minimum": 1,
            "maximum": 50,
        },
    },
)
_FORGET = builtin_spec(
    "forget",
    "Stop recalling a kept fact. It stays in the journal, and a rewind brings it back.",
    {"memory": {"type": "string", "description": "Its number, such as M4."}},
    effect="idempotent",
)


class Memories:
    """The memory tools over ``records``: the facts kept as of the head, oldest first, asked for at each call."""

    def __init__(self, records: Callable[[], Sequence[Memory]]) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._index: BM25[int] = BM25((1.0, 0.5))
        self._seen: list[Memory] = []
        self._known: dict[int, Memory] = {}
        self._facts: dict[tuple[str, ...], int] = {}

    def tools(self) -> tuple[Tool, ...]:
        """``remember``, ``recall``, ``forget``."""
        return (
            BuiltinTool(_REMEMBER, self._remember),
            BuiltinTool(_RECALL, self._recall),
            BuiltinTool(_FORGET, self._forget),
        )

    def recall(self, query: str, limit: int = 8) -> list[Memory]:
        """The facts that share words with ``query``, best first; for an empty query the newest first."""
        with self._lock:
            self._update()
            if not query.strip():
                return sorted(self._known.values(), key=lambda memory: memory.number, reverse=True)[:limit]
            return [self._known[number] for number, _ in self._index.search(query, limit)]

    def _remember(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        text = " ".join(_RECALLED.sub("", arguments["text"]).split())
        mark = _MARK.fullmatch(arguments["mark"].strip())
        if not text:
            raise ToolError("remember: 'text' is empty.", "Say the fact in one sentence.")
        if len(text) > _TEXT_CAP:
            raise ToolError(f"remember: {len(text):,} characters are too many.", f"Keep a fact under {_TEXT_CAP:,}.")
        if arguments["mark"].strip() and not mark:
            raise ToolError(
                f"remember: {arguments['mark']!r} is not a passage's mark.", "Give one such as S3.7, or ''."
            )
        with self._lock:
            self._update()
            known = self._facts.get(_fact(text))
        if known is not None:
            return ToolOutcome(f"Already kept as M{known}; nothing was added.")
        tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in arguments["tags"] if tag.strip()))
        draft = MemoryDraft(text, tags, mark[1] if mark else "")
        return ToolOutcome(f"Kept{f' with {draft.mark}' if draft.mark else ''}: {text}", keep=(draft,))

    def _recall(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        query = arguments["query"].strip()
        found = self.recall(query, arguments["limit"])
        if not found:
            with self._lock:
                count = len(self._known)
            return ToolOutcome(f"None of {count:,} kept facts matches {query!r}." if count else "Nothing is kept yet.")
        lines: list[str] = []
        room = _RECALLED_CAP
        for memory in found:
            line = recalled_line(memory)
            room -= len(line)
            if lines and room < 0:
                lines.append(f"... and {len(found) - len(lines)} more; ask for fewer or with other words")
                break
            lines.append(line)
        head = "Kept facts (no need to remember them again):"
        passages = tuple(memory.passage for memory in found[: len(lines)] if memory.passage is not None)
        return ToolOutcome("\n".join([head, *lines]), passages=passages)

    def _forget(self, arguments: dict[str, Any], _ctx: ToolContext) -> ToolOutcome:
        match = _NUMBER.fullmatch(arguments["memory"].strip())
        if not match:
            raise ToolError(f"forget: {arguments['memory']!r} is not a memory.", "Give its number, such as M4.")
        number = int(match[1])
        with self._lock:
            self._update()
            memory = self._known.get(number)
        if memory is None:
            raise ToolError(f"There is no memory M{number}.", "recall shows what is kept.")
        return ToolOutcome(f"Forgotten: {recalled_line(memory)}", forget=(number,))

    def _update(self) -> None:
        """Bring the index up to date with the records: after a rewind facts may be gone, or back."""
        now = list(self._records())
        if now == self._seen:
            return
        self._seen = now
        records = {memory.number: memory for memory in now}
        stale = [number for number, memory in self._known.items() if not _same(records.get(number), memory)]
        for number in stale:
            self._index.remove(number)
            del self._known[number]
        if stale:
            self._facts = {_fact(memory.text): number for number, memory in self._known.items()}
        for number in records.keys() - self._known.keys():
            memory = records[number]
            self._index.add(number, memory.text, " ".join(memory.tags))
            self._known[number] = memory
            self._facts.setdefault(_fact(memory.text), number)


def recalled_line(memory: Memory) -> str:
    """``M4 (2026-11-20, S3.7): the fact``: the form by which recalled text is known as such."""
    about = memory.time.date().isoformat()
    if memory.passage is not None:
        about += f", {memory.passage.mark}"
    return f"{memory.mark} ({about}): {' '.join(memory.text.split())}"


def _same(one: Memory | None, other: Memory) -> bool:
    return one is other or one == other


def _fact(text: str) -> tuple[str, ...]:
    """What two spellings of one fact have in common: words and signs in order, without case, articles and marks.

    Nothing more is taken away: "is safe" and "is not safe", 5 and -5, "A beats B" and "B beats A" are other facts.
    """
    plain = _MARKS.sub(" ", _RECALLED.sub("", text)).casefold()
    return tuple(word for word in _WORDS.findall(plain) if word not in _ARTICLES)
