"""How long recall takes over 100,000 memories: one query after another, each of a few words."""

from __future__ import annotations

import statistics
from datetime import datetime
from pathlib import Path

from figures import Figure, Words, once, percentile
from sizes import Sizes
from statebook.protocol.memories import Memory
from statebook.tools.memory import Memories

PROMISE = "recall"


def measure(_: Path, sizes: Sizes) -> list[Figure]:
    words = Words()
    when = datetime(2026, 1, 1)  # noqa: DTZ001 - times in the journal carry no zone
    kept = [Memory(number, words.text(90), "agent", when) for number in range(1, sizes.memories + 1)]
    memories = Memories(lambda: kept)
    first = once(lambda: memories.recall("a first question", 5))
    queries = [words.text(40) for _ in range(sizes.recalls)]
    sample = [once(lambda query=query: memories.recall(query, 5)) for query in queries]
    what = f"p95 over {sizes.memories:,} memories"
    beside = f"median {statistics.median(sample):.1f} ms; the first, which builds the index, {first / 1000:.1f} s"
    return [Figure(PROMISE, what, percentile(sample, 0.95), "ms", beside, 50)]
