"""Carries what is kept from one line to another: events that turn one state of memory and permissions into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from statebook.protocol.journal.events import (
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
from statebook.store.projections.head import Held


def carried(have: Held, want: Held) -> list[Event]:
    """The events after which a line that holds ``have`` holds ``want``, memories under their own numbers."""
    return [*_memories(have, want), *_state(have, want), *_grants(have, want), *_rules(have, want)]


def kept_again(memory: Memory) -> MemoryKept:
    """The event that keeps a memory of another line on this one, telling when and in which run it was first kept."""
    return MemoryKept(
        memory.number,
        memory.text,
        memory.by,
        memory.tags,
        memory.passage,
        run=memory.run or 0,
        kept=memory.time.isoformat(),
    )


def _memories(have: Held, want: Held) -> Iterator[Event]:
    for number in sorted(have.memories.keys() - want.memories.keys()):
        yield MemoryForgotten(number, "person")
    for number, memory in want.memories.items():
        if number not in have.memories:
            yield kept_again(memory)


def _state(have: Held, want: Held) -> Iterator[Event]:
    for tool in dict.fromkeys([*have.state, *want.state]):
        before, after = have.state.get(tool, {}), want.state.get(tool, {})
        values: dict[str, Any] = {key: None for key in before if key not in after}
        values |= {key: value for key, value in after.items() if key not in before or before[key] != value}
        if values:
            yield ToolStateSet(tool, values)


def _grants(have: Held, want: Held) -> Iterator[Event]:
    before, after = Counter(have.grants), Counter(want.grants)
    yield from (GrantEnded(grant) for grant in (before - after).elements())
    yield from (GrantGiven(grant) for grant in (after - before).elements())


def _rules(have: Held, want: Held) -> Iterator[Event]:
    known = len(have.rules)
    if want.rules[:known] == have.rules:
        yield from (RuleSet(rule) for rule in want.rules[known:])
    else:
        yield RulesReplaced(tuple(want.rules))
