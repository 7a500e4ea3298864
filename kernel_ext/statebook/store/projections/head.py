"""What the journal says as of a head: memories, tool state and grants, kept up to date entry by entry."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.events import (
    ConversationCompacted,
    Entry,
    Event,
    GrantEnded,
    GrantGiven,
    MemoryForgotten,
    MemoryKept,
    RuleSet,
    ToolStateSet,
)
from statebook.protocol.memories import Memory
from statebook.store.journal import Journal

_KINDS = tuple(
    cls.kind
    for cls in (MemoryKept, MemoryForgotten, ToolStateSet, GrantGiven, GrantEnded, RuleSet, ConversationCompacted)
)


class Projection:
    """Memories, tool state, grants and the compacted conversation of one branch's lineage.

    Built from the journal when first asked for, or when the branch changed; then fed with new entries.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()  # tools ask from worker threads
        self._branch = 0
        self._seq = 0
        self._memories: dict[int, Memory] = {}
        self._state: dict[str, dict[str, Any]] = {}
        self._grants: list[Grant] = []
        self._rules: list[Rule] = []
        self._compacted: tuple[ConversationCompacted, int] | None = None

    def memories(self) -> list[Memory]:
        """Memories that are kept as of the head, oldest first."""
        with self._lock:
            self._catch_up()
            return list(self._memories.values())

    def tool_state(self, tool: str) -> dict[str, Any]:
        """A copy of one tool's state as of the head."""
        with self._lock:
            self._catch_up()
            return dict(self._state.get(tool, {}))

    def grants(self) -> list[Grant]:
        """Grants that hold as of the head."""
        with self._lock:
            self._catch_up()
            return list(self._grants)

    def rules(self) -> list[Rule]:
        """Rules that a person set, as of the head, oldest first."""
        with self._lock:
            self._catch_up()
            return list(self._rules)

    def compacted(self) -> tuple[ConversationCompacted, int] | None:
        """The newest compaction as of the head and its place in the journal; ``upto`` 0 takes an earlier one back."""
        with self._lock:
            self._catch_up()
            return self._compacted

    def skip(self, entries: Sequence[Entry]) -> None:
        """New entries that say nothing about any of this only move the position; others are read when asked for."""
        with self._lock:
            follows = bool(entries) and entries[0].seq == self._seq + 1
            if follows and not any(entry.event.kind in _KINDS for entry in entries):
                self._seq = entries[-1].seq

    def _catch_up(self) -> None:
        current = self._journal.current
        if current != self._branch:
            self._branch, self._seq = current, 0
            self._memories, self._state, self._grants, self._rules = {}, {}, [], []
            self._compacted = None
        last = self._journal.last_seq
        if self._seq < last:
            for entry in self._journal.entries(kinds=_KINDS, after=self._seq):
                self._apply(entry)
            self._seq = last

    def _apply(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, MemoryKept):
            self._memories[event.memory] = Memory(
                number=event.memory,
                text=event.text,
                by=event.by,
                tags=event.tags,
                time=entry.time,
                run=entry.run,
                passage=event.passage,
            )
        elif isinstance(event, MemoryForgotten):
            self._memories.pop(event.memory, None)
        elif isinstance(event, ToolStateSet):
            state = self._state.setdefault(event.tool, {})
            state.update(event.values)
            for key in [key for key, value in event.values.items() if value is None]:
                state.pop(key)
        elif isinstance(event, ConversationCompacted):
            self._compacted = event, entry.seq
        else:
            self._apply_permission(event)

    def _apply_permission(self, event: Event) -> None:
        if isinstance(event, RuleSet):
            self._rules.append(event.rule)
        elif isinstance(event, GrantGiven):
            self._grants.append(event.grant)
        elif isinstance(event, GrantEnded) and event.grant in self._grants:
            self._grants.remove(event.grant)
