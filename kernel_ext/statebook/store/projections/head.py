"""What the journal says as of a point: memories, tool state and grants; at the head kept up to date entry by entry."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
    RulesReplaced,
    ToolStateSet,
)
from statebook.protocol.memories import Memory
from statebook.store.journal import Journal

_KINDS = tuple(
    cls.kind
    for cls in (
        MemoryKept,
        MemoryForgotten,
        ToolStateSet,
        GrantGiven,
        GrantEnded,
        RuleSet,
        RulesReplaced,
        ConversationCompacted,
    )
)


@dataclass(slots=True)
class Held:
    """What holds as of one point of the journal: memories by number, tool state by tool, grants and rules in order.

    ``compacted`` is the newest compaction and its place in the journal.
    """

    memories: dict[int, Memory] = field(default_factory=dict)
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    compacted: tuple[ConversationCompacted, int] | None = None

    def apply(self, entry: Entry) -> None:
        """Take up the next entry."""
        event = entry.event
        if isinstance(event, MemoryKept):
            self.memories[event.memory] = _memory(event, entry)
        elif isinstance(event, MemoryForgotten):
            self.memories.pop(event.memory, None)
        elif isinstance(event, ToolStateSet):
            state = self.state.setdefault(event.tool, {})
            state.update(event.values)
            for key in [key for key, value in event.values.items() if value is None]:
                state.pop(key)
        elif isinstance(event, ConversationCompacted):
            self.compacted = event, entry.seq
        else:
            self._apply_permission(event)

    def _apply_permission(self, event: Event) -> None:
        if isinstance(event, RuleSet):
            self.rules.append(event.rule)
        elif isinstance(event, RulesReplaced):
            self.rules = list(event.rules)
        elif isinstance(event, GrantGiven):
            self.grants.append(event.grant)
        elif isinstance(event, GrantEnded) and event.grant in self.grants:
            self.grants.remove(event.grant)


def _memory(event: MemoryKept, entry: Entry) -> Memory:
    return Memory(
        number=event.memory,
        text=event.text,
        by=event.by,
        tags=event.tags,
        time=datetime.fromisoformat(event.kept) if event.kept else entry.time,
        run=event.run or entry.run,
        passage=event.passage,
    )


class Projection:
    """Memories, tool state, grants and the compacted conversation: at the head of the current branch, or elsewhere.

    Their entries, of all branches, are read once and kept; then new ones are. Another line is folded from them.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()  # tools ask from worker threads
        self._branch = 0
        self._seq = 0
        """Up to where the entries have been read, and are held."""
        self._entries: list[tuple[Entry, Memory | None]] = []
        """With the memory that one keeps, which is made once however often a line is folded."""
        self._held = Held()

    def memories(self) -> list[Memory]:
        """Memories that are kept as of the head, oldest first."""
        with self._lock:
            return list(self._caught_up().memories.values())

    def tool_state(self, tool: str) -> dict[str, Any]:
        """A copy of one tool's state as of the head."""
        with self._lock:
            return dict(self._caught_up().state.get(tool, {}))

    def grants(self) -> list[Grant]:
        """Grants that hold as of the head."""
        with self._lock:
            return list(self._caught_up().grants)

    def rules(self) -> list[Rule]:
        """Rules that a person set, as of the head, oldest first."""
        with self._lock:
            return list(self._caught_up().rules)

    def compacted(self) -> tuple[ConversationCompacted, int] | None:
        """The newest compaction as of the head and its place in the journal; ``upto`` 0 takes an earlier one back."""
        with self._lock:
            return self._caught_up().compacted

    def held(self) -> Held:
        """A copy of all of it as of the head."""
        with self._lock:
            held = self._caught_up()
            state = {tool: dict(values) for tool, values in held.state.items()}
            return Held(dict(held.memories), state, list(held.grants), list(held.rules), held.compacted)

    def at(self, branch: int, upto: int) -> Held:
        """All of it as of an entry of a branch's lineage."""
        with self._lock:
            self._caught_up()
            return self._folded(branch, upto)

    def skip(self, entries: Sequence[Entry]) -> None:
        """New entries that say nothing about any of this only move the position; others are read when asked for."""
        with self._lock:
            follows = bool(entries) and entries[0].seq == self._seq + 1
            if follows and not any(entry.event.kind in _KINDS for entry in entries):
                self._seq = entries[-1].seq

    def _caught_up(self) -> Held:
        current, last = self._journal.current, self._journal.last_seq
        new = self._journal.entries_anywhere(_KINDS, after=self._seq) if self._seq < last else []
        self._entries += [(each, _memory_of(each)) for each in new]
        self._seq = max(last, new[-1].seq if new else 0)
        if current != self._branch:
            self._branch, self._held = current, self._folded(current, self._seq)
            return self._held
        for entry in new:
            if entry.branch == current:
                self._held.apply(entry)
        return self._held

    def _folded(self, branch: int, upto: int) -> Held:
        ends, held = dict(self._journal.lineage(branch, upto)), Held()
        for entry, memory in self._entries:
            if entry.seq > ends.get(entry.branch, 0):
                continue
            if memory is not None:
                held.memories[memory.number] = memory
            else:
                held.apply(entry)
        return held


def _memory_of(entry: Entry) -> Memory | None:
    return _memory(entry.event, entry) if isinstance(entry.event, MemoryKept) else None
