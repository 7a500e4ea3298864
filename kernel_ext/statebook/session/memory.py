"""The person's side of memory: add a fact, let one go."""

from __future__ import annotations

import re

from statebook.errors import UsageError
from statebook.protocol.journal.events import MemoryForgotten, MemoryKept
from statebook.protocol.memories import Memory
from statebook.store.journal import Place
from statebook.store.store import Store


def add_memory(store: Store, text: str) -> int:
    """Keep a fact; its number. UsageError for an empty one."""
    if not text.strip():
        raise UsageError("There is no fact to keep.", "For example: %agent memory add The deadline is 1 May.")
    number = store.journal.next_memory()
    store.commit([(Place(), MemoryKept(number, text.strip(), "person"))])
    return number


def forget_memory(store: Store, words: str) -> Memory:
    """Forget a memory by number (``M4``). UsageError when it is not remembered."""
    match = re.fullmatch(r"[Mm]?(\d+)", words.strip())
    known = {memory.number: memory for memory in store.as_of_head.memories()}
    if not match or int(match[1]) not in known:
        raise UsageError(f"{words.strip() or 'Nothing'} is not remembered.", "`%agent memory` lists the numbers.")
    memory = known[int(match[1])]
    store.commit([(Place(), MemoryForgotten(memory.number, "person"))])
    return memory
